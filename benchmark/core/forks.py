"""Call a function in a fork of this process: it may die or never end, and this one goes on."""

import faulthandler
import multiprocessing
from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")


class ForkError(Exception):
    """The process of a call ended before its function did, or was ended because it took too long."""


def in_a_fork(function: Callable[..., Value], *arguments: Any, seconds: float | None = None) -> Value:
    """Call a function in a fork of this process and return its value.

    Args:
        function: What to call. Its value, or the exception that it raises, must be one that can be pickled.
        arguments: Of the function.
        seconds: That it may take; None: as long as it wants.

    Raises:
        ForkError: It ended its process, or took too long.
        Exception: Whatever the function raises.

    >>> in_a_fork(divmod, 7, 2)
    (3, 1)
    """
    fork = multiprocessing.get_context("fork")
    receiving, sending = fork.Pipe(duplex=False)

    def work() -> None:
        faulthandler.disable()  # it would report a death here as one of this program
        try:
            outcome: tuple[bool, Any] = True, function(*arguments)
        except Exception as error:
            outcome = False, error
        sending.send(outcome)

    process = fork.Process(target=work, daemon=True)
    process.start()
    sending.close()
    try:
        if not receiving.poll(seconds):
            raise ForkError(f"it took longer than {seconds:g} s")
        has_worked, outcome = receiving.recv()
    except EOFError as error:
        raise ForkError("its process died") from error
    finally:
        process.kill()
        process.join()
    if not has_worked:
        raise outcome
    value: Value = outcome
    return value
