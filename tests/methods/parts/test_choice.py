"""Several methods run, and the kernel with the least energy is kept: made-up methods with known kernels."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from benchmark.blur.kernel_energy import WEIGHT, energy_weight, kernel_energy
from benchmark.core.errors import NotSupportedError
from benchmark.core.faults import MachineError
from benchmark.core.types import Observation, Status
from methods.parts import choice, registry
from methods.parts.candidates import PARTS, Candidate, with_sizes
from methods.parts.choice import FINE, FINE_ROUNDS, MERGES, NEAR, Choice
from methods.parts.direct import Direct
from methods.parts.ending import deconvolved
from methods.parts.kernel_steps import aligned_mean
from methods.parts.polish import EDGE, FAINT, polish
from methods.parts.settings import flat
from methods.parts.solver import Result, Step, Task, solve
from tests.benchmark.blur.test_kernel_energy import blurred, motion

TRUE, OTHER = (kernel / kernel.sum() for kernel in (motion(1), motion(2)))
BLURRY = blurred("camera", TRUE).astype(np.float32)[None]


@dataclass(frozen=True)
class Settings:
    iterations: int = 0


class Killed(BaseException):
    pass


class Iterated(Direct):
    """A problem whose iterations are counted; it dies in one of them if asked to."""

    def __init__(self, kernel, iterations, dies_at=None):
        super().__init__(lambda: Result(torch.zeros(1, 1, 1), torch.from_numpy(kernel)[None]))
        self.iterations, self.dies_at, self.done = iterations, dies_at, 0

    def step(self, iteration):
        if self.dies_at is not None and iteration == self.dies_at:
            raise self.dies_with
        assert iteration == self.done, "each iteration once, in order"
        self.done += 1
        return Step("counting", torch.tensor(1.0))

    dies_with = Killed()

    def state_dict(self):
        return {"done": self.done}

    def load_state_dict(self, state):
        self.done = state["done"]


@pytest.fixture
def offer(monkeypatch):
    """`offer(name=build)` registers methods; `build` takes the observation."""
    found = registry.find

    def register(**builders):
        def method(name, build):
            return registry.Method(
                name=name,
                title=name,
                paper="none",
                licence="-",
                blur_models=("uniform",),
                settings=Settings,
                problem=lambda observation, settings, rng, device: build(observation),
            )

        methods = {name: method(name, build) for name, build in builders.items()}
        monkeypatch.setattr(registry, "find", lambda name: methods.get(name) or found(name))

    return register


def gives(kernel):
    """A method without iterations that estimates `kernel`."""
    return lambda observation: Direct(lambda: Result(torch.zeros(1, 1, 1), torch.from_numpy(kernel)[None]))


def fails(error):
    def build(observation):
        raise error

    return build


def choose(*names, blurry=BLURRY, size=TRUE.shape, path=None, **more):
    observation = Observation("test", "case", blurry, size)
    candidates = [name if isinstance(name, Candidate) else Candidate(name) for name in names]
    build = lambda: Choice(candidates, observation, torch.Generator().manual_seed(0))  # noqa: E731
    ((_, restoration),) = solve([Task("case", build, path, "key", **more)])
    return restoration


IMPROVE = Choice._improve


@pytest.fixture(autouse=True)
def without_more_polishing(monkeypatch):
    """Polish each kernel once, but where a test asks for more."""
    improve_only(monkeypatch, "nothing")


def improve_only(monkeypatch, step):
    """Let the one step of `Choice` polish once more that has this label."""

    def improve(self, label, *args, **more):
        if label == step:
            IMPROVE(self, label, *args, **more)

    monkeypatch.setattr(Choice, "_improve", improve)


LUMA = BLURRY[0].astype(np.float64)


def polished(kernel):
    """A kernel after polishing, and its energy."""
    better = polish(LUMA, kernel)
    return better, kernel_energy(LUMA, better, TRUE.shape, EDGE)


def check_image(restoration, kernel):
    np.testing.assert_allclose(restoration.kernels[0], kernel, atol=1e-7)
    image = deconvolved(BLURRY.astype(np.float64), kernel, "hyper-laplacian").image
    np.testing.assert_allclose(restoration.image, image.clamp(0, 1).numpy(), atol=1e-6)


MEANS = ["mean of 2", "mean of 3"]


@pytest.mark.parametrize("order", [("right", "other"), ("other", "right")])
def test_kernels_are_polished_ranked_by_energy_and_merged(offer, order):
    given = {"right": TRUE, "other": OTHER}
    offer(**{name: gives(kernel) for name, kernel in given.items()})
    restoration = choose(*order)
    ended = {name: polished(kernel) for name, kernel in given.items()}
    ranked = sorted(ended, key=lambda name: ended[name][1])
    for name in MEANS:
        ended[name] = polished(aligned_mean([ended[each][0] for each in ranked]))
        ranked = sorted(ended, key=lambda name: ended[name][1])
    noted = restoration.notes["candidates"]
    expected = [(name, ended[name][1]) for name in (*order, *MEANS)]
    assert [(each["candidate"], each["energy"]) for each in noted] == expected
    least = ended[ranked[0]][1]
    chosen = [name for name in MEANS if ended[name][1] <= (1 + NEAR) * least][-1:] or ranked[:1]
    assert restoration.notes["chosen"] == chosen[0]
    check_image(restoration, ended[chosen[0]][0])
    assert [row["stage"] for row in restoration.trace] == [*order, "faint parts", *MEANS, "last polish"]
    assert restoration.trace[-1]["loss"] == ended[chosen[0]][1]


def means_are(monkeypatch, *kernels):
    """Let the means be other kernels: the first one, then the second."""
    left = iter(kernels)
    monkeypatch.setattr("methods.parts.choice.aligned_mean", lambda merged: next(left))


@pytest.mark.parametrize(
    ("means", "chosen"),
    [((OTHER, OTHER), "right"), ((TRUE, OTHER), "mean of 2"), ((TRUE, TRUE), "mean of 3")],
)
def test_the_last_mean_counts_unless_it_has_more_energy(offer, monkeypatch, means, chosen):
    offer(right=gives(TRUE), same=gives(TRUE))
    means_are(monkeypatch, *means)
    assert polished(OTHER)[1] > (1 + NEAR) * polished(TRUE)[1]
    assert choose("right", "same").notes["chosen"] == chosen


def test_a_single_kernel_is_kept_as_it_is(offer):
    offer(right=gives(TRUE))
    restoration = choose("right")
    assert restoration.notes["chosen"] == "right"
    assert len(restoration.notes["candidates"]) == 1
    check_image(restoration, polished(TRUE)[0])


def test_the_kernel_that_counts_is_polished_once_more(offer, monkeypatch):
    improve_only(monkeypatch, "last polish")
    offer(right=gives(TRUE))
    restoration = choose("right")
    kernel = polish(LUMA, polished(TRUE)[0], replace(FAINT, weights=(FINE,) * FINE_ROUNDS))
    assert restoration.notes["chosen"] == "right, last polish"
    assert restoration.notes["candidates"][1]["energy"] == kernel_energy(LUMA, kernel, TRUE.shape, EDGE)
    check_image(restoration, kernel)


def test_the_best_kernel_with_its_faint_parts_is_another_candidate(offer, monkeypatch):
    improve_only(monkeypatch, "faint parts")
    offer(right=gives(TRUE), other=gives(OTHER))
    noted = choose("other", "right").notes["candidates"]
    kernel = polish(LUMA, polished(TRUE)[0], FAINT)
    assert [each["candidate"] for each in noted] == ["other", "right", "right, faint parts", *MEANS]
    assert noted[2]["energy"] == kernel_energy(LUMA, kernel, TRUE.shape, EDGE)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (fails(NotSupportedError("too dark")), "too dark"),
        (fails(ZeroDivisionError()), "ZeroDivisionError"),
        (gives(np.full(TRUE.shape, np.nan)), Status.DIVERGED.sentence),
        (gives(np.pad([[1.0]], ((0, 40), (0, 0)))), "its kernel lies outside the declared size"),
        (lambda observation: Direct(lambda: Result(torch.zeros(1, 1, 1))), "it gave no kernel"),
    ],
)
def test_a_candidate_that_fails_is_left_out_and_the_record_says_why(offer, bad, reason):
    offer(bad=bad, right=gives(TRUE))
    restoration = choose("bad", "right")
    assert restoration.notes["chosen"] == "right"
    assert restoration.notes["candidates"][0]["failed"] == reason
    assert "energy" not in restoration.notes["candidates"][0]


def test_where_all_fail_the_first_reason_is_given(offer):
    offer(a=fails(NotSupportedError("too dark")), b=fails(ValueError("other")))
    restoration = choose("a", "b")
    assert restoration.status is Status.NOT_SUPPORTED
    assert restoration.reason == "no candidate gave a kernel: too dark"


@pytest.mark.parametrize(
    ("error", "status"), [(MemoryError(), Status.OUT_OF_MEMORY), (MachineError("disk full"), None)]
)
def test_a_lack_of_memory_and_a_failing_machine_are_not_the_candidates_fault(offer, error, status):
    offer(a=fails(error), right=gives(TRUE))
    if status is None:
        with pytest.raises(MachineError):
            choose("a", "right")
    else:
        assert choose("a", "right").status is status


@pytest.mark.parametrize("dies_at", [0, 7, 24])
def test_a_killed_run_repeats_no_candidate_that_has_ended(offer, tmp_path, dies_at):
    ran = []

    def counted(observation):
        ran.append("first")
        return gives(TRUE)(observation)

    offer(first=counted, long=lambda observation: Iterated(TRUE, 25))
    long = Candidate("long", {"iterations": 25})
    whole = choose("first", long)
    assert whole.iterations == 1 + PARTS + 1 + len(MERGES) + 1
    ran.clear()
    offer(first=counted, long=lambda observation: Iterated(TRUE, 25, dies_at))
    with pytest.raises(Killed):
        choose("first", long, path=tmp_path / "checkpoint.pt")
    offer(first=counted, long=lambda observation: Iterated(TRUE, 25))
    resumed = choose("first", long, path=tmp_path / "checkpoint.pt")
    assert ran == ["first"]
    assert resumed.image.tobytes() == whole.image.tobytes()
    assert resumed.trace == whole.trace


def test_a_candidate_that_fails_between_its_parts_ends_there(offer):
    offer(right=gives(TRUE), long=lambda observation: Iterated(TRUE, 25, dies_at=12))
    Iterated.dies_with, kept = ValueError("lost"), Iterated.dies_with
    try:
        restoration = choose(Candidate("long", {"iterations": 25}), "right")
    finally:
        Iterated.dies_with = kept
    assert [each.get("failed") for each in restoration.notes["candidates"]] == ["lost", None]


def test_colour_images_are_estimated_from_their_luma_and_restored_in_colour(offer):
    seen = []

    def build(observation):
        seen.append(observation.blurry.shape)
        return gives(TRUE)(observation)

    offer(right=build)
    colour = np.concatenate([BLURRY, 0.5 * BLURRY, BLURRY])
    restoration = choose("right", blurry=colour)
    assert seen == [(1, 100, 100)]
    assert restoration.image.shape == (3, 100, 100)


@pytest.mark.parametrize(
    ("window", "seen"), [(0, (100, 100)), (120, (100, 100)), (80, (80, 80)), (9, (65, 65))]
)
def test_kernels_of_a_large_image_are_estimated_from_a_window(offer, window, seen):
    told = []

    def build(observation):
        told.append(observation.blurry[0])
        return gives(TRUE)(observation)

    offer(right=build)
    observation = Observation("test", "case", BLURRY, TRUE.shape)
    chosen = Choice([Candidate("right")], observation, torch.Generator().manual_seed(0), window)
    ((_, restoration),) = solve([Task("case", lambda: chosen)])
    assert told[0].shape == seen
    assert restoration.image.shape == BLURRY.shape  # all of the image is restored
    if seen == (100, 100):
        assert "window" not in restoration.notes
    else:
        rows, columns = (slice(*side) for side in restoration.notes["window"])
        np.testing.assert_array_equal(told[0], BLURRY[0, rows, columns])


def test_sizes_are_told_in_declared_sizes_and_kernels_come_back_in_the_declared_box(offer):
    told = []

    def build(observation):
        told.append(observation.kernel_size)
        h, w = observation.kernel_size
        kernel = np.zeros((h, w))
        kernel[h // 2, w // 2 - 1 : w // 2 + 2] = 1 / 3
        return gives(kernel)(observation)

    offer(some=build)
    restoration = choose(Candidate("some", size=0.6), Candidate("some", size=1.5), Candidate("some"))
    assert told == [(8, 8), (20, 20), (13, 13)]
    assert restoration.kernels.shape == (1, 13, 13)
    assert restoration.notes["candidates"][0]["candidate"] == "some, size x 0.6"


def test_where_no_size_is_declared_several_are_tried_and_compared_on_one_frame(offer):
    told = []

    def build(observation):
        told.append(observation.kernel_size)
        if observation.kernel_size != (21, 21):
            raise NotSupportedError("another size")
        return gives(np.pad(TRUE, 4))(observation)

    offer(right=build)
    restoration = choose("right", size=None)
    assert told == [(13, 13), (21, 21), (31, 31), (45, 45)]
    assert restoration.kernels.shape == (1, 21, 21)


@pytest.mark.parametrize(
    ("candidates", "run"),
    [
        (
            [{"method": "l0-grad"}, {"method": "l0-grad", "size": 2}, {"method": "selfdeblur@quick"}],
            [("l0-grad", (13, 13)), ("l0-grad", (21, 21)), ("l0-grad", (31, 31))],
        ),
        (
            [{"method": "l0-grad", "size": 2}],
            [("l0-grad", (26, 26)), ("l0-grad", (42, 42)), ("l0-grad", (62, 62))],
        ),
    ],
)
def test_where_no_size_is_declared_sizes_take_the_place_of_other_candidates(candidates, run):
    observation = Observation("test", "case", np.zeros((1, 70, 80), np.float32), None)
    planned = with_sizes([Candidate.read(each) for each in candidates], observation)
    assert [(candidate.method, size) for candidate, size in planned] == run


def test_candidates_with_one_seed_draw_alike_whatever_else_runs(offer, monkeypatch):
    draws = []
    offer(right=gives(TRUE))
    found = registry.find("right")

    def problem(observation, settings, rng, device):
        draws.append(int(torch.randint(1000, (), generator=rng)))
        return found.problem(observation, settings, rng, device)

    monkeypatch.setattr(registry, "find", lambda name: replace(found, problem=problem))
    choose("right", Candidate("right", seed=1), "right")
    assert draws[0] == draws[2] != draws[1]


def test_a_candidate_starts_from_its_preset():
    effective = flat(Candidate("selfdeblur@quick", {"iterations": 300}).effective())
    assert effective["channels"] == registry.find("selfdeblur").presets["quick"]["channels"]
    assert effective["iterations"] == 300


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"methd": "l0-grad"}, "unknown key 'methd'; there are method, settings, size, seed"),
        ({"size": 2}, "the key 'method' is missing"),
        ({"method": "l0-gard"}, "unknown method 'l0-gard'. Did you mean 'l0-grad'"),
        ({"method": "blurry"}, "'blurry' is a control and estimates no kernel"),
        ({"method": "l0-grad", "settings": {"gradient_wight": 1}}, "unknown setting 'gradient_wight'"),
        (
            {"method": "l0-grad", "settings": {"gradient_weight": -1}},
            "gradient_weight must be positive, not -1",
        ),
        ({"method": "l0-grad", "settings": {"gradient_weight": "x"}}, "settings of l0-grad: .*"),
        ({"method": "l0-grad@quick"}, "l0-grad has no preset 'quick'"),
        ({"method": "l0-grad", "settings": 3}, "settings must be a mapping, not 3"),
        ({"method": "l0-grad", "size": 0}, "size must be a positive number, not 0"),
        ({"method": "l0-grad", "size": "large"}, "size must be a positive number, not 'large'"),
        ({"method": "l0-grad", "seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"method": 7}, "method must be a name, not 7"),
    ],
)
def test_a_wrong_candidate_is_refused_in_one_line(description, message):
    with pytest.raises(ValueError, match=message) as caught:
        Candidate.read(description)
    assert "\n" not in str(caught.value)


def test_the_weight_of_its_energies_follows_the_noise():
    noisy = LUMA + 0.02 * np.random.default_rng(0).standard_normal(LUMA.shape)
    observation = Observation("test", "case", noisy[None].astype(np.float32), TRUE.shape)
    candidates = [Candidate.read({"method": "l0-fast"})]
    made = choice.Choice(candidates, observation, torch.Generator().manual_seed(0))
    weight = energy_weight(made.luma)
    assert weight > 5 * WEIGHT
    assert made.energy(TRUE) == kernel_energy(made.luma, TRUE, TRUE.shape, EDGE, weight)
