"""Kill commands at random moments, give the same command again, and compare with an undisturbed run."""

import os
import random
import resource
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.drill.field import SCENES, Field, Scene, Undisturbed, differences, session

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
VICTIMS = ("group", "main", "worker")  # all processes, the one that was started, any other of them
AT_WORK = 0.75  # of the kills come after the command has written its first file, the others at any time
ATTEMPTS = 3  # at half the time each, where the command had ended before its kill
STOPS_WITHIN = 5.0  # seconds after TERM or INT to the main process alone
REFUSED = "another run is working in "
SAME = "same bytes"


@dataclass(frozen=True)
class Kill:
    """What is killed, how and when."""

    number: int
    scene: Scene
    signal: signal.Signals
    victim: str
    is_at_work: bool
    share: float  # of the time until the command ends; of its work where `is_at_work`

    @classmethod
    def drawn(cls, seed: int, number: int) -> "Kill":
        """Draw a kill by the drill's seed and the kill's number."""
        dice = random.Random(f"{seed} {number}")
        (scene,) = dice.choices(SCENES, [scene.share for scene in SCENES])
        number_of_signal, victim = dice.choice(SIGNALS), dice.choice(VICTIMS)
        return cls(number, scene, number_of_signal, victim, dice.random() < AT_WORK, dice.random())

    def after(self, undisturbed: Undisturbed) -> float:
        """The seconds after the start at which it comes."""
        begin = undisturbed.first if self.is_at_work else 0.0
        return begin + self.share * (undisturbed.seconds - begin)


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    result: str  # SAME, or what went wrong
    hit: str  # what the signal was sent to; empty where the command had always ended before
    at: float  # seconds after the start
    stopped: float | None = None  # seconds until all its processes had ended, where that is promised
    computed: float | None = None  # seconds of a processor that they took for it
    load: float = 0.0  # of the machine over the last minute, at the kill
    refused: int = 0  # how often the same command was refused because the first was still at work


def carry_out(kill: Kill, field: Field, undisturbed: Undisturbed) -> Outcome:
    """Carry out one kill, from the scene's start to the comparison."""
    after, hit = kill.after(undisturbed), ""
    for _ in range(ATTEMPTS):
        field.reset(undisturbed.start)
        begun = time.monotonic()
        process = field.start(kill.scene.command)
        while process.poll() is None and time.monotonic() - begun < after:
            time.sleep(0.005)
        at = time.monotonic() - begun
        hit = _strike(process, kill) if process.poll() is None else ""
        if hit:
            break
        after /= 2
    struck, before = time.monotonic(), computed_by(process)
    stopped, computed, load = None, None, os.getloadavg()[0]
    if hit == "main" and kill.signal in kill.scene.stops_on:
        while session(process) and time.monotonic() - struck < 60:
            process.poll()
            time.sleep(0.02)
        stopped = time.monotonic() - struck
    process.wait(timeout=600)
    if stopped is not None:
        computed = computed_by(process) - before
    trouble = []
    if kill.signal != signal.SIGKILL and "Traceback" in field.output():
        trouble.append(f"a traceback: {field.output().strip().splitlines()[-1]}")
    refused = 0
    code, output = field.run(kill.scene.command)
    while code == 2 and REFUSED in output and session(process):
        refused += 1
        for other in session(process):
            with suppress(psutil.NoSuchProcess):
                other.wait(600)
        code, output = field.run(kill.scene.command)
    if code:
        trouble.append(f"exit code {code} of the same command: {output.strip().splitlines()[-1:]}")
    else:
        trouble += differences(undisturbed.end, field.compared())
    return Outcome("; ".join(trouble) or SAME, hit, at, stopped, computed, load, refused)


def computed_by(process: subprocess.Popen) -> float:
    """The seconds of a processor that a command and all that it started have taken so far.

    Those of its processes that have ended count once it has waited for them.
    """
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = waited.ru_utime + waited.ru_stime
    for other in session(process):
        with suppress(psutil.NoSuchProcess):
            seconds += sum(other.cpu_times()[:4])  # its own, and of children that it has waited for
    return seconds


def _strike(process: subprocess.Popen, kill: Kill) -> str:
    """Send the signal; return what it was sent to."""
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        if kill.victim == "group":
            os.killpg(process.pid, kill.signal)
            return "group"
        others = [other for other in session(process) if other.pid != process.pid]
        if kill.victim == "worker" and others:
            chosen = random.Random(kill.share).choice(sorted(others, key=lambda other: other.pid))
            chosen.send_signal(kill.signal)
            return "worker"
        process.send_signal(kill.signal)
        return "main"
    return ""


def kills(seed: int, count: int) -> list[Kill]:
    """Draw the kills of a drill."""
    return [Kill.drawn(seed, number) for number in range(count)]
