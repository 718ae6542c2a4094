"""The watcher and its workers, as processes of their own."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

# Cases a, b and c; `dies` is what happens in b.
PROGRAM = """
import os, signal, sys, time
from benchmark.runs.watch import watched

with watched() as watch:
    for case in "abc":
        if case in watch.lost:
            print(case, watch.lost[case].status.value, watch.lost[case].reason, flush=True)
            continue
        watch.begin(case, {minutes})
        if case == "b":
            {dies}
        print(case, "done", flush=True)
        watch.end(case)
"""
# The same cases on their way together, unless one of them is suspected.
TOGETHER = """
import os, signal, sys, time
from benchmark.runs.watch import watched

with watched() as watch:
    tried = [case for case in "abc" if case in watch.suspects]
    for cases in [*tried, "".join(case for case in "abc" if case not in tried)]:
        for case in cases:
            watch.begin(case, {minutes})
        for case in cases:
            if case == "b" and case not in watch.lost:
                {dies}
        for case in cases:
            print(case, watch.lost[case].status.value if case in watch.lost else "done", flush=True)
            watch.end(case)
"""


def start(dies, minutes=None, program=PROGRAM):
    program = program.format(dies=dies, minutes=minutes)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("dies", "how"),
    [
        ("os.abort()", "signal 6: Aborted"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal 9: out of memory?"),
        ("os._exit(0)", "exit code 0"),
    ],
)
def test_a_case_that_kills_its_process_twice_has_failed_and_the_others_go_on(dies, how):
    process = start(dies)
    said, complaints = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said.splitlines()[-2:] == [f"b failed the process died ({how})", "c done"]
    assert complaints.splitlines() == [
        f"b: the process died ({how}); trying once more",
        f"b: the process died ({how}); going on with the other cases",
    ]


def test_of_cases_that_were_on_their_way_together_none_is_blamed_before_it_dies_alone():
    process = start("os.abort()", program=TOGETHER)
    said, complaints = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said.splitlines()[-3:] == ["a done", "b failed", "c done"]
    how = "the process died (signal 6: Aborted)"
    assert complaints.splitlines() == [
        f"a, b, c: {how}; each is tried alone",
        f"b: {how}; trying once more",
        f"b: {how}; going on with the other cases",
    ]


def test_cases_together_may_take_the_sum_of_their_times():
    """One of them never ends, which shows once it is alone."""
    process = start("time.sleep(600)", minutes=0.001, program=TOGETHER)
    said, complaints = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said.splitlines()[-3:] == ["a done", "b timed_out", "c done"]
    assert complaints.splitlines() == ["a, b, c: not finished within 0.003 minutes; each is tried alone"]


def test_one_death_is_forgiven(tmp_path):
    mark = tmp_path / "mark"
    process = start(f"os.path.exists({str(mark)!r}) or (open({str(mark)!r}, 'w').close(), os.abort())")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said.splitlines()[-2:] == ["b done", "c done"]


def test_a_case_that_never_ends_times_out():
    process = start("time.sleep(600)", minutes=0.001)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    reason = "not finished within 0.001 minutes; raise minutes_per_case to let it go on"
    assert said.splitlines()[-2:] == [f"b timed_out {reason}", "c done"]


@pytest.mark.parametrize(
    "dies", ["time.sleep(600)", "signal.pthread_sigmask(signal.SIG_BLOCK, {15}), time.sleep(600)"]
)
def test_a_request_to_stop_ends_both_processes_and_counts_as_no_death(dies):
    """Also where the worker is deaf to it, as in the middle of a long step."""
    process = start(dies)
    assert process.stdout.readline() == "a done\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    said, complaints = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert said == ""
    assert "the process died" not in complaints
