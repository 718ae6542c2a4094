"""The fuzzer: hostile input of every kind ends in a result or in one line, never in a traceback, and soon.

`make test` tries a few examples of each kind, the same ones each time. With `BLINDBENCH_FUZZ=1000` in the
environment it is a thousand of each, others each time.
"""

import os
import random
import signal
import sys
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from benchmark.cli import main as cli
from benchmark.core.errors import InputError

EXAMPLES = int(os.environ.get("BLINDBENCH_FUZZ", "0"))
FEW = 5  # of each kind in `make test`
SECONDS = 60  # after which an example hangs

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES or FEW,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def fuzz(test):
    """Run a test on as many examples as were asked for."""
    return settings(settings.get_profile("fuzz"))(test)


class Hangs(BaseException):
    """An example took too long. Nothing that catches exceptions may take it for an error of its own."""


@contextmanager
def in_time():
    """Raise `Hangs` where the block takes more than `SECONDS`."""

    def stop(number, frame):
        raise Hangs

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def one_line(call, *arguments):
    """Call a function that may refuse its input in one line; return None then, else what it returns."""
    with in_time():
        try:
            return call(*arguments)
        except InputError as error:
            assert_one_line(str(error))
            return None


def assert_one_line(message):
    assert message.strip(), "a refusal says what is wrong"
    assert "\n" not in message, message
    assert len(message) < 2000, message


@pytest.fixture(scope="module")
def blindbench():
    """`blindbench("methods")` returns (exit code, standard error); a refusal must be one line."""
    patch = pytest.MonkeyPatch()
    patch.setattr("benchmark.runs.machine.prepare", lambda threads: None)  # global switches of a process
    patch.setattr("benchmark.tools.new_method.checkout", lambda: None)  # `new-method` writes here, not there

    def call(*arguments):
        patch.setattr(sys, "argv", ["blindbench", *map(str, arguments)])
        errors = Lines()
        with in_time(), pytest.MonkeyPatch.context() as streams, pytest.raises(SystemExit) as ended:
            streams.setattr(sys, "stderr", errors)
            streams.setattr(sys, "stdout", Lines())
            cli.main()
        code = ended.value.code or 0
        assert code in (0, 1, 2), code
        if code == 2:
            (line,) = [line for line in errors.text.splitlines() if line.startswith("blindbench: ")]
            assert_one_line(line)
            assert "Traceback" not in errors.text
        return code, errors.text

    yield call
    patch.undo()


class Lines:
    """A stream that keeps what is written."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False


class Content(bytes):
    """The content of a file. A report of a failure shows its ends."""

    def __repr__(self):
        return f"<{len(self)} bytes, {self[:20]!r} to {self[-20:]!r}>"


def damaged(content):
    """Draw damaged versions of a file: cut, with other bytes, with bytes added, or replaced altogether."""
    return st.one_of(
        st.integers(0, 2**32).map(lambda seed: Content(_damage(content, random.Random(seed)))),
        st.binary(max_size=64),
    )


def _damage(content, dice):
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 8))):
        place = dice.randrange(len(changed)) if changed else 0
        kind = dice.choice(("flip", "flip", "set", "cut", "insert", "repeat", "remove"))
        if kind == "flip" and changed:
            changed[place] ^= 1 << dice.randrange(8)
        elif kind == "set" and changed:
            changed[place] = dice.choice((0, 255, 127, 128, 10, 34, 45))
        elif kind == "cut":
            del changed[place:]
        elif kind == "insert":
            changed[place:place] = dice.randbytes(dice.randrange(1, 9))
        elif kind == "repeat":
            changed[place:place] = changed[place : place + dice.randrange(1, 64)]
        else:
            del changed[place : place + dice.randrange(1, 64)]
    return bytes(changed)


NAMES = st.sampled_from(
    [
        "",
        ".",
        "../x",
        "$(touch x)",
        "a b",
        "a,b",
        "x",
        "camera",
        "{x}",
        "%s",
        "é",
        "\n",
        "*",
        "[",
        "@",
        "1",
        "-1",
        "null",
    ]
)
NUMBERS = st.sampled_from(
    [0, 1, -1, 2, 3, 0.5, -0.0, 1e308, 10**30, 2**31, 2**63, -(2**63), float("nan"), float("inf"), 1e-320]
)
SCALARS = st.one_of(NAMES, NUMBERS, st.none(), st.booleans(), st.text(max_size=8))
VALUES = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(st.one_of(NAMES, st.integers(), st.none()), below, max_size=3),
    ),
    max_leaves=6,
)


@st.composite
def altered(draw, document):
    """Draw versions of a document in which one to three entries are others, gone or new."""
    changed = _copied(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(changed))
        if not places:
            return draw(VALUES)
        parent, key = draw(st.sampled_from(places))
        action = draw(st.sampled_from(["value", "value", "value", "remove", "add"]))
        if action == "value":
            parent[key] = draw(VALUES)
        elif action == "remove":
            del parent[key]
        elif isinstance(parent, dict):
            parent[draw(NAMES)] = draw(VALUES)
        else:
            parent.append(draw(VALUES))
    return changed


def _copied(document):
    if isinstance(document, dict):
        return {key: _copied(value) for key, value in document.items()}
    return [_copied(value) for value in document] if isinstance(document, list | tuple) else document


def _places(document):
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(entries):
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)
