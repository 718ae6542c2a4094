"""Names that become parts of paths and of commands: one rule for cases, datasets, methods and profiles."""

import re

from benchmark.core.errors import InputError

# No separator of paths, no blank, nothing that a shell, a list or a pattern of files would read as its own.
# '@' joins a name and its conditions or settings.
RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*(@[A-Za-z0-9][A-Za-z0-9_.+-]*)*")
LONGEST = 120  # characters; file systems allow 255 with the endings of files
ADVICE = "begin with a letter or digit and go on with letters, digits and _ . + - @"


def is_safe(name: str) -> bool:
    """Tell whether a name may become a part of a path.

    >>> [is_safe(name) for name in ("im1_kernel2", "levin@shot-high", "../x", "$(reboot)", "")]
    [True, True, False, False, False]
    """
    return len(name) <= LONGEST and RULE.fullmatch(name) is not None


def require_safe(name: str, what: str) -> None:
    """Raise InputError unless a name is safe; `what` says in the message which name it is."""
    if not is_safe(name):
        raise InputError(f"{what}: {shortened(name)} is not allowed as a name; {ADVICE}")


def require_inside(path: str, what: str) -> None:
    """Raise InputError unless a path is relative and stays below the folder that it is added to."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise InputError(f"{what}: {shortened(path)} leads outside the folder of data; write a path below it")


def shortened(text: str, most: int = LONGEST) -> str:
    """Quote a text for a message: on one line and not too long."""
    quoted = repr(text)
    return quoted if len(quoted) <= most else f"{quoted[: most - 4]}...'"
