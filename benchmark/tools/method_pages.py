"""Which methods there are, and the settings of each: the pages of `blindbench methods`."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from benchmark.runs.names import base_method, require_preset
from methods.parts.registry import no_files, offered


def list_methods() -> tuple[list[dict[str, str]], list[str]]:
    """Make a row per method: its title in tables, the blur that it treats, and its paper.

    Returns:
        The rows, methods of other packages last; and a sentence for each method that cannot be loaded.
    """
    found, broken = offered()
    rows = [
        {"method": m.name, "title": m.title, "blur": ", ".join(m.blur_models), "paper": m.paper}
        for m in found
    ]
    return rows, broken


def describe_method(name: str) -> list[tuple[str, str]]:
    """Describe a method, without its settings, by pairs of a heading and a text.

    Raises:
        InputError: There is no such method or preset.
    """
    require_preset(name)
    method = base_method(name)
    lines = [
        ("method", f"{method.name}: {method.title}"),
        ("paper", method.paper),
        ("licence of the paper's code", method.licence),
        ("blur", ", ".join(method.blur_models)),
    ]
    if method.needs_true_kernels:
        lines.append(("needs", "the true kernels: a control, which cannot run on a photo of yours"))
    for preset, given in method.presets.items():
        texts = [f"{key}: {_in_a_config(value)}" for key, value in given.items()]
        lines.append((f"{method.name}@{preset}", f"starts from {', '.join(texts)}"))
    try:
        defaults = method.settings()
    except TypeError:  # a setting has no default
        return lines
    if method.files is not no_files:
        weights = sorted(path for path in method.files("", defaults) if path.is_file())
        lines.append(("needs", "weights of pre-trained networks"))
        lines.append(
            ("weights here", ", ".join(map(str, weights)) or "none: train or get them (docs/pretraining.md)")
        )
    if used := method.uses(defaults):
        lines.append(("runs first", ", ".join(used)))
    return lines


def list_settings(name: str) -> list[dict[str, str]]:
    """Make a row per setting of a method: its key in a config, its default, and what the code says about it.

    Raises:
        InputError: There is no such method.
    """
    return describe_settings(base_method(name).settings)


def describe_settings(kind: type) -> list[dict[str, str]]:
    """Make a row per setting of a settings class, as `list_settings` does for a method."""
    return [
        {"setting": key, "default": default, "meaning": comment} for key, default, comment in _settings(kind)
    ]


def _settings(kind: type, part: Any = None) -> Iterator[tuple[str, str, str]]:
    """Yield (key, default, comment) of each setting of a dataclass and its parts; `part` has the values."""
    comments = field_comments(kind)
    for field in fields(kind):
        value = _default(field) if part is None else getattr(part, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from _settings(type(value), value)
        else:
            default = "(required)" if value is MISSING else _in_a_config(value)
            yield field.name, default, comments.get(field.name, "")


def _default(field: "Field[Any]") -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _in_a_config(value: Any) -> str:
    """Write a value as YAML does."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_in_a_config, value))}]"
    special = {None: "null", True: "true", False: "false", "": '""'}
    return special[value] if value is None or isinstance(value, bool) or value == "" else str(value)


def field_comments(kind: type) -> dict[str, str]:
    """Read the comment on each field of a dataclass: on its line, and on the lines above it.

    >>> field_comments(type("NotInAFile", (), {}))
    {}
    """
    comments: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        try:
            lines = textwrap.dedent(inspect.getsource(base)).splitlines()
        except (OSError, TypeError):
            continue
        above: list[str] = []
        for line in lines:
            if match := re.match(r"\s+# (.*)", line):
                above.append(match[1])
                continue
            if match := re.match(r"    (\w+): [^#]*(?:# (.*))?$", line):
                comments[match[1]] = " ".join(filter(None, [match[2], *above]))
            above = []
    return comments
