"""Run candidates on one image, polish their kernels, and restore with the best: by energy, and by means.

Energies say which kernels are good (`benchmark.blur.kernel_energy`), but not exactly: estimates that go wrong
in different ways may have nearly the same. The best one is polished once more so that it keeps faint parts,
which is another candidate. The mean of the best, polished in its turn, is better than most of them, and often
has less energy than all. Where there is little noise, the kernel that counts is polished at last under a
smaller weight. Each candidate works on the luma of the image; of a large one, on a window. One that fails is
left out, and the record says why.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.blur.kernel_energy import energy_weight, kernel_energy
from benchmark.blur.noise_level import noise_sigma
from benchmark.blur.nonblind import Kernel
from benchmark.core.errors import NotSupportedError
from benchmark.core.faults import fault_behind
from benchmark.core.types import Observation, Status
from methods.parts.candidates import Candidate, with_sizes
from methods.parts.colour import luma
from methods.parts.ending import deconvolved
from methods.parts.kernel_steps import aligned_mean
from methods.parts.polish import EDGE, FAINT, PolishSettings, polish
from methods.parts.solver import Problem, Result, Step, is_lack_of_memory
from methods.parts.warm_start import resized
from methods.parts.window import richest_window

# Ours, chosen on the photographs of datasets/choose-tuning.yaml.
MERGES = (2, 3)  # each of the last steps merges so many kernels of least energy, earlier means among them
NEAR = 0.01  # how far the energy of a mean may lie above the least one, as a share of it
FINE = 1e-5  # weight of the gradients in the last polish
FINE_NOISE = 0.004  # the largest standard deviation with one: chosen at 0.003; with 0.01 kernels get worse
FINE_ROUNDS = 10
WINDOW_KERNELS = 5  # kernel sizes that a window has at least on each side


@dataclass(frozen=True)
class Outcome:
    """How a candidate ended."""

    label: str
    size: tuple[int, int]  # of the kernel that its method was asked for
    seconds: float  # of one core, which does not depend on what else the machine does
    energy: float = np.inf  # of the polished kernel, see `kernel_energy`; infinite if it failed
    kernel: Tensor | None = None  # polished, (h, w), float64; None if it failed
    weights: str = ""  # label of the pre-trained weights behind the kernel
    failure: str = ""  # why it failed
    merged: int = 0  # how many kernels it is the mean of; 0 for a candidate
    is_last: bool = False  # whether it is what the last polish made of the kernel that counted

    def described(self) -> dict[str, Any]:
        """Return what the record of a run says of it."""
        ending = {"failed": self.failure} if self.kernel is None else {"energy": self.energy}
        seconds = round(self.seconds, 2)
        return {"candidate": self.label, "size": list(self.size), "core_seconds": seconds, **ending}


class Choice:
    """A `Problem` of `methods.parts.solver`: parts of candidates, faint parts, means, the last polish.

    Its loss is the energy of the kernel that counts so far. All candidates run on the CPU, as most can do no
    other.
    """

    device = torch.device("cpu")

    def __init__(
        self,
        candidates: Sequence[Candidate],
        observation: Observation,
        rng: torch.Generator,
        window: int = 0,
    ) -> None:
        """Plan the steps; nothing runs yet.

        Args:
            candidates: In the order in which they run.
            observation: With a uniform blur.
            rng: Seeds all candidates: one draw.
            window: The side of the window in px that kernels are estimated from; WINDOW_KERNELS times the
                largest box of a kernel if that is more. 0: the whole image.
        """
        self.blurry = observation.blurry.astype(np.float64)
        grey = luma(torch.from_numpy(observation.blurry)).numpy()
        self.plan = with_sizes(candidates, observation)
        # Kernels are polished in the declared box, else in one of the size that their method was asked for.
        self.boxes = [observation.kernel_size or size for _, size in self.plan]
        # Energies are compared over the pixels that the largest box leaves.
        self.largest = max(h for h, _ in self.boxes), max(w for _, w in self.boxes)
        self.window: tuple[slice, slice] | None = None  # rows and columns; None: the whole image
        side = max(window, WINDOW_KERNELS * max(self.largest))
        if window and side < max(grey.shape[1:]):
            self.window = richest_window(grey[0], (side, side))
            grey = np.ascontiguousarray(grey[:, *self.window])
        self.observation, self.luma = replace(observation, blurry=grey), grey[0].astype(np.float64)
        self.weight = energy_weight(self.luma)
        self.turns = [
            (number, part) for number, (each, _) in enumerate(self.plan) for part in range(each.parts)
        ]
        self.iterations = len(self.turns) + len(MERGES) + 2
        self.first_seed = int(torch.randint(2**62, (), generator=rng))
        self.weights = ""  # of the kernel that counts
        self.outcomes: list[Outcome] = []  # of the candidates so far, in their order, and then of the means
        self.running: Problem | None = None  # the candidate that is between two of its parts
        self.seconds = 0.0  # of one core that it has taken

    def step(self, iteration: int) -> Step:
        """Run one part of a candidate, and after its last one polish its kernel; then improve and merge."""
        if iteration < len(self.turns):
            number, part = self.turns[iteration]
            label = self.plan[number][0].label
            if len(self.outcomes) == number:  # it has not failed in an earlier part
                self._run(number, part)
        elif iteration == len(self.turns):
            label = "faint parts"
            self._improve(label, FAINT)
        elif iteration + 1 < self.iterations:
            count = MERGES[iteration - len(self.turns) - 1]
            label = _mean_label(count)
            self._merge(count)
        else:
            label = "last polish"
            if noise_sigma(self.luma) <= FINE_NOISE:
                self._improve(label, replace(FAINT, weights=(FINE,) * FINE_ROUNDS), is_last=True)
        best = self._best()
        self.weights = "" if best is None else best.weights
        loss = 0.0 if best is None else best.energy
        return Step(label, torch.tensor(loss, dtype=torch.float64), milestone=True)

    def slow_down(self) -> None:
        """Halve the learning rates of the candidate that is running."""
        if self.running is not None:
            self.running.slow_down()

    def estimate(self) -> Result:
        """Restore the image with the best kernel; pixels outside the frame are unknown.

        Raises NotSupportedError where no candidate has given a kernel yet.
        """
        best = self._best()
        if best is None or best.kernel is None:
            reason = self.outcomes[0].failure if self.outcomes else "none has ended"
            raise NotSupportedError(f"no candidate gave a kernel: {reason}")
        result = deconvolved(self.blurry, best.kernel.numpy(), "hyper-laplacian")
        described = [outcome.described() for outcome in self.outcomes]
        notes = {"candidates": described, "chosen": best.label}
        if self.window is not None:
            notes["window"] = [[side.start, side.stop] for side in self.window]  # rows, columns
        return replace(result, notes=notes)

    def state_dict(self) -> dict[str, Any]:
        """Return the outcomes so far and the state of the candidate that is running."""
        return {
            "outcomes": [vars(outcome) for outcome in self.outcomes],
            "running": {} if self.running is None else self.running.state_dict(),
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.outcomes = [Outcome(**outcome) for outcome in state["outcomes"]]
        best = self._best()
        self.weights = "" if best is None else best.weights
        self.running, self.seconds = None, state["seconds"]
        if state["running"]:
            self.running = self._build(len(self.outcomes))
            self.running.load_state_dict(state["running"])

    @property
    def pixels_seen(self) -> int:
        """How many pixels the candidates work on."""
        return int(self.luma.size)

    def energy(self, kernel: Kernel) -> float:
        """Compute the energy of a kernel (h, w) of the luma; less is better."""
        return kernel_energy(self.luma, kernel, self.largest, EDGE, self.weight)

    def _ranked(self) -> list[Outcome]:
        """Return the outcomes with a kernel, the least energy first, of equal ones the earlier first."""
        ended = [outcome for outcome in self.outcomes if outcome.kernel is not None]
        return sorted(ended, key=lambda outcome: outcome.energy)

    def _best(self) -> Outcome | None:
        """Return the outcome whose kernel counts; None before there is one.

        It is the last mean whose energy is nearly the least, else the kernel of least energy; in the end what
        the last polish made of that.
        """
        ranked = self._ranked()
        if not ranked:
            return None
        if self.outcomes[-1].is_last:
            return self.outcomes[-1]
        near = [outcome for outcome in ranked if outcome.energy <= (1 + NEAR) * ranked[0].energy]
        last = max(near, key=lambda outcome: outcome.merged)
        return last if last.merged else ranked[0]

    def _merge(self, count: int) -> None:
        """Add the polished mean of the `count` kernels of least energy, if there are so many."""
        started = time.process_time()
        best = self._ranked()[:count]
        kernels = [outcome.kernel.numpy() for outcome in best if outcome.kernel is not None]
        if len(kernels) < count:
            return
        kernel = polish(self.luma, aligned_mean(kernels))
        outcome = Outcome(
            _mean_label(count),
            size=best[0].size,
            seconds=time.process_time() - started,
            energy=self.energy(kernel),
            kernel=torch.from_numpy(kernel),
            weights=", ".join(dict.fromkeys(filter(None, (outcome.weights for outcome in best)))),
            merged=count,
        )
        self.outcomes.append(outcome)

    def _improve(self, label: str, settings: PolishSettings, is_last: bool = False) -> None:
        """Polish the kernel that counts so far once more, if there is one."""
        best = self._best()
        if best is None or best.kernel is None:
            return
        started = time.process_time()
        kernel = polish(self.luma, best.kernel.numpy(), settings)
        self.outcomes.append(
            replace(
                best,
                label=f"{best.label}, {label}",
                seconds=time.process_time() - started,
                energy=self.energy(kernel),
                kernel=torch.from_numpy(kernel),
                is_last=is_last,
            )
        )

    def _build(self, number: int) -> Problem:
        candidate, size = self.plan[number]
        rng = torch.Generator().manual_seed((self.first_seed + candidate.seed) % 2**63)
        observation = replace(self.observation, kernel_size=size)
        return candidate.base.problem(observation, candidate.effective(), rng, self.device)

    def _run(self, number: int, part: int) -> None:
        """Run one part of a candidate; after the last one, or where it fails, add its outcome."""
        candidate, size = self.plan[number]
        started = time.process_time()
        ended: dict[str, Any] = {}
        try:
            if self.running is None:
                self.running = self._build(number)
            count, parts = self.running.iterations, candidate.parts
            for iteration in range(count * part // parts, count * (part + 1) // parts):
                self.running.step(iteration)
            if part + 1 == parts:
                kernel = polish(self.luma, _boxed(self.running.estimate(), self.boxes[number]))
                energy = self.energy(kernel)
                ended = {
                    "energy": energy,
                    "kernel": torch.from_numpy(kernel),
                    "weights": self.running.weights,
                }
        except Exception as error:
            if fault := fault_behind(error):
                raise fault from error
            if is_lack_of_memory(error):
                raise
            ended = {"failure": str(error).partition("\n")[0] or type(error).__name__}
        self.seconds += time.process_time() - started
        if ended:
            self.outcomes.append(Outcome(candidate.label, size, self.seconds, **ended))
            self.running, self.seconds = None, 0.0


def _mean_label(count: int) -> str:
    return f"mean of {count}"


def _boxed(result: Result, box: tuple[int, int]) -> Kernel:
    """Return the kernel of a result within a box (h, w). Raises NotSupportedError where there is none."""
    if result.kernels is None:
        raise NotSupportedError("it gave no kernel")
    if not result.kernels.isfinite().all():
        raise NotSupportedError(Status.DIVERGED.sentence)
    kernel = resized(result.kernels.detach().cpu().double(), box)[0]
    if not kernel.sum() > 0:
        raise NotSupportedError("its kernel lies outside the declared size")
    boxed: Kernel = (kernel / kernel.sum()).numpy()
    return boxed
