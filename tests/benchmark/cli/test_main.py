"""The command line as a whole."""

from tests.benchmark.cli.conftest import assert_refused


def test_an_unknown_verb_is_one_line(blindbench):
    assert_refused(blindbench("frobnicate"), "No such command 'frobnicate'")
