"""`blindbench check-method` notices a method that breaks a promise, and says what to do."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError, NotSupportedError, WeightsMissingError
from benchmark.tools.conformance import PROMISES, check_method
from methods.parts.direct import Direct
from methods.parts.limits import positive
from methods.parts.registry import Method
from methods.parts.solver import Result, Step


@dataclass(frozen=True)
class Settings:
    iterations: int = 6  # how many steps it takes
    rate: float = 0.1  # of each step

    def __post_init__(self):
        positive(self, "iterations", "rate")


class Shrinks:
    """A method with steps: each takes a share of the image away, and of a random image."""

    weights = ""

    def __init__(self, observation, settings, rng, device):
        self.iterations, self.rate, self.device = settings.iterations, settings.rate, device
        self.image = torch.from_numpy(observation.blurry).to(device).clone()
        self.noise = torch.rand(self.image.shape, generator=rng).to(device)
        self.kernels = torch.full((int(np.prod(observation.grid)), 5, 3), 1 / 15, device=device)

    def step(self, iteration):
        self.image = (1 - self.rate) * self.image + self.rate * self.noise
        return Step("stage", self.image.mean())

    def slow_down(self):
        self.rate /= 2

    def estimate(self):
        return Result(self.image, self.kernels)

    def state_dict(self):
        return {"image": self.image}

    def load_state_dict(self, state):
        self.image = state["image"].to(self.device)


GOOD = Method(
    name="mine",
    title="Mine",
    paper="none",
    licence="MIT",
    blur_models=("uniform", "nonuniform"),
    settings=Settings,
    problem=Shrinks,
)


def broken(method, **given):
    """The promises that a method does not keep, each with what was seen."""
    outcomes = list(check_method(method, given))
    return {outcome.promise.title: outcome.reason for outcome in outcomes if outcome.word == "FAIL"}


def test_a_good_method_keeps_all():
    outcomes = list(check_method(GOOD))
    assert {(outcome.word, outcome.reason) for outcome in outcomes} == {("pass", "")}
    assert len(outcomes) == len(PROMISES) - 1  # one is for methods without iterations


class Crops(Shrinks):
    def estimate(self):
        return Result(self.image[:, 1:], self.kernels)


class Reads(Shrinks):
    def step(self, iteration):
        self.rate *= 1 + 0 * self.image.mean().item()
        return super().step(iteration)


class Copies(Shrinks):
    def step(self, iteration):
        rate = torch.tensor(self.rate).to(self.device)
        self.image = (1 - rate) * self.image + rate * self.noise
        return Step("stage", self.image.mean())


class OneKernel(Shrinks):
    def estimate(self):
        return Result(self.image, self.kernels[:1])


class WrongSum(Shrinks):
    def estimate(self):
        return Result(self.image, self.kernels * 1.0005)  # within what the solver lets pass


class SmallKernels(Shrinks):
    def estimate(self):
        return Result(self.image, torch.full((len(self.kernels), 3, 3), 1 / 9, device=self.device))


class Endless(Shrinks):
    def __init__(self, observation, settings, rng, device):
        super().__init__(observation, settings, rng, device)
        self.iterations += 1


class Random(Shrinks):
    def __init__(self, observation, settings, rng, device):
        super().__init__(observation, settings, rng, device)
        self.noise = torch.rand(self.image.shape, generator=torch.Generator().manual_seed(Random.seed))
        Random.seed += 1

    seed = 0


CASES = {}


class Remembers(Shrinks):
    def __init__(self, observation, settings, rng, device):
        super().__init__(observation, settings, rng, device)
        CASES[observation.case] = True
        self.image = self.image * len(CASES)


class DrawsInEstimate(Shrinks):
    def estimate(self):
        self.image = self.image * 0.9
        return Result(self.image, self.kernels)


class Global(Shrinks):
    def step(self, iteration):
        torch.rand(1)
        return super().step(iteration)


class Numpy(Shrinks):
    def step(self, iteration):
        np.random.rand()
        return super().step(iteration)


class Forgets(Shrinks):
    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Crashes(Shrinks):
    def __init__(self, observation, settings, rng, device):
        super().__init__(observation, settings, rng, device)
        self.image[0, 20, 20]


class NeedsSize(Shrinks):
    def __init__(self, observation, settings, rng, device):
        observation.kernel_size[0]
        super().__init__(observation, settings, rng, device)


class DeclinesWithoutReason(Shrinks):
    def __init__(self, observation, settings, rng, device):
        if observation.kernel_size is None:
            raise NotSupportedError
        super().__init__(observation, settings, rng, device)


class OnTheCpu(Shrinks):
    def __init__(self, observation, settings, rng, device):
        super().__init__(observation, settings, rng, torch.device("cpu"))


@dataclass(frozen=True)
class Unchecked:
    iterations: int = 6  # how many steps it takes
    rate: float = 0.1  # of each step


@dataclass(frozen=True)
class Silent:
    iterations: int = 6
    rate: float = 0.1  # of each step

    def __post_init__(self):
        positive(self, "iterations", "rate")


@dataclass
class Thawed:
    iterations: int = 6  # how many steps it takes
    rate: float = 0.1  # of each step

    def __post_init__(self):
        positive(self, "iterations", "rate")


@pytest.mark.parametrize(
    ("changes", "promise", "reason"),
    [
        ({"problem": Crops}, "restores grey and colour", "the image is"),
        ({"problem": WrongSum}, "restores grey and colour", "divide each by its sum"),
        ({"problem": SmallKernels}, "restores grey and colour", "they have the declared size"),
        ({"problem": Endless}, "restores grey and colour", "obey the setting"),
        ({"problem": OneKernel}, "restores images of camera shake", "one for each node"),
        ({"problem": Random}, "gives the same bytes twice", "draw all random numbers"),
        ({"problem": Remembers}, "restores a case alone as among others", "keep no state outside"),
        ({"problem": DrawsInEstimate}, "gives the same result with snapshots", "write nothing"),
        ({"problem": Global}, "leaves the state of the process alone", "given generator alone"),
        ({"problem": Numpy}, "leaves the state of the process alone", "given generator alone"),
        ({"problem": Crashes}, "restores or declines images", "IndexError"),
        ({"problem": NeedsSize}, "finds out an undeclared kernel size", "raise NotSupportedError"),
        ({"problem": DeclinesWithoutReason}, "finds out an undeclared kernel size", "a sentence"),
        ({"problem": OnTheCpu}, "asks for a GPU exactly", "say gpu=False"),
        ({"gpu": False}, "asks for a GPU exactly", "say gpu=True"),
        ({"problem": Reads}, "computes its iterations without waiting", "iteration 0 waits for the device"),
        ({"problem": Copies}, "computes its iterations without waiting", "iteration 1 waits for the device"),
        ({"problem": Forgets}, "continues when killed", "must hold all that changes"),
        ({"needs_true_kernels": True}, "is given no true kernels", "only the ceiling"),
        ({"paper": ""}, "says where it comes from", "`paper` is empty"),
        ({"name": "Mine"}, "says where it comes from", "lower case"),
        ({"settings": Unchecked}, "refuses rates, weights and counts", "iterations may be -1"),
        ({"settings": Silent}, "explains each setting", "iterations has no comment"),
        ({"settings": Thawed}, "has frozen settings", "frozen=True"),
        ({"presets": {"same": {"rate": 0.1}}}, "has presets", "leave out rate"),
        ({"presets": {"odd": {"speed": 1}}}, "has presets", "unknown setting 'speed'"),
    ],
)
def test_a_broken_promise_is_named_with_what_to_do(changes, promise, reason):
    found = broken(replace(GOOD, **changes))
    (seen,) = [text for title, text in found.items() if title.startswith(promise)]
    assert reason in seen
    assert "\n" not in seen


def test_what_cannot_be_checked_says_why():
    def without_weights(observation, settings, rng, device):
        raise WeightsMissingError("net.safetensors is not here")

    outcomes = list(check_method(replace(GOOD, problem=without_weights)))
    (outcome,) = [each for each in outcomes if each.promise.title == "gives the same bytes twice"]
    assert outcome.word == "skip"
    assert outcome.reason == "not checked: weights_missing: net.safetensors is not here"
    assert not any(outcome.word == "FAIL" for outcome in outcomes)


def test_a_method_without_iterations_is_checked_beside_a_checkpoint():
    method = replace(GOOD, settings=NoSettings, problem=lambda o, s, r, d: grey(o), gpu=False)
    titles = {outcome.promise.title: outcome.word for outcome in check_method(method)}
    assert titles["gives the same beside a checkpoint"] == "pass"
    assert "continues when killed, and ends the same" not in titles


@dataclass(frozen=True)
class NoSettings:
    pass


def grey(observation):
    return Direct(lambda: Result(torch.from_numpy(observation.blurry) / 2))


def test_a_users_setting_comes_before_the_small_ones_and_a_wrong_one_is_refused():
    steps = []

    class Counts(Shrinks):
        def step(self, iteration):
            steps.append(iteration)
            return super().step(iteration)

    next(check_method(replace(GOOD, problem=Counts), {"iterations": 5}))
    assert max(steps) == 4
    with pytest.raises(InputError, match="rate must be positive"):
        next(check_method(GOOD, {"rate": -1.0}))
    with pytest.raises(InputError, match="unknown setting 'itertions'"):
        next(check_method(GOOD, {"itertions": 3}))
