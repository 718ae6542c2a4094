"""Errors whose message a user reads: bad input, a case that a method cannot treat, missing weights."""

LONGEST_MESSAGE = 1000  # characters; a message may quote what a user gave


class InputError(ValueError):
    """Something that the user gave is wrong. The message is one line: where, what, and what to do instead.

    >>> str(InputError("config.yaml: unknown key 'a\\nb'"))
    "config.yaml: unknown key 'a b'"
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.splitlines())
        super().__init__(line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}...")


class NotSupportedError(Exception):
    """A method cannot treat a case. The message is the reason, for the user."""


class WeightsMissingError(Exception):
    """The weights of a pre-trained network are not here. The message says which."""
