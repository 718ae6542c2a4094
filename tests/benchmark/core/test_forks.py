"""Calls in a fork of the process."""

import os
import time

import pytest

from benchmark.core.forks import ForkError, in_a_fork


def test_a_function_that_fails_raises_the_same_here():
    with pytest.raises(ZeroDivisionError):
        in_a_fork(divmod, 1, 0)


def test_a_function_that_ends_its_process_ends_this_one_not():
    with pytest.raises(ForkError, match="its process died"):
        in_a_fork(os.abort)


def test_a_function_that_never_ends_is_ended():
    with pytest.raises(ForkError, match=r"it took longer than 0\.2 s"):
        in_a_fork(time.sleep, 600, seconds=0.2)
