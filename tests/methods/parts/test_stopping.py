import numpy as np
import pytest
import torch

from benchmark.core.types import Observation, Status
from methods import joint_fit
from methods.parts import stopping
from methods.parts.settings import change, compose
from methods.parts.solver import LOG_EVERY, Task, solve
from methods.parts.stopping import LEVELS, StopSettings, WindowedVariance

KERNELS = torch.ones(1, 1, 1)


def scaled(arrays):
    """The reference sequence in [0, 1], float64 (700, 2, 6, 7)."""
    sequence = torch.from_numpy(arrays["seq"]).double()
    return (sequence - sequence.min()) / (sequence.max() - sequence.min())


def variances(sequence, window):
    """The definition, NaN until the window is full."""
    values = torch.full((len(sequence),), torch.nan, dtype=torch.float64)
    for end in range(window, len(sequence) + 1):
        values[end - 1] = sequence[end - window : end].var(0, correction=0).mean()
    return values


def test_the_reference_variances_are_the_definitions(fixture):
    arrays = fixture("robust_wmv")
    sequence = torch.from_numpy(arrays["seq"]).double()
    for window in (20, 100):
        np.testing.assert_allclose(variances(sequence, window), arrays[f"var_W{window}"], rtol=1e-6)


@pytest.mark.parametrize("window", [20, 100])
def test_running_sums_of_whole_numbers_are_the_definition_on_them(fixture, window):
    sequence = (scaled(fixture("robust_wmv")) * LEVELS).round() / LEVELS
    watch, running = WindowedVariance(window, 10**6), []
    for pushed, image in enumerate(sequence, 1):
        watch.push(image, KERNELS)
        running.append(float(watch._variance()) if pushed >= window else np.nan)
    np.testing.assert_allclose(running, variances(sequence, window), rtol=1e-9)


def test_whole_numbers_change_the_variance_little(fixture):
    sequence = scaled(fixture("robust_wmv"))
    whole = (sequence * LEVELS).round() / LEVELS
    np.testing.assert_allclose(variances(whole, 100), variances(sequence, 100), rtol=1e-3)


def test_it_stops_where_the_reference_stops(fixture):
    arrays = fixture("robust_wmv")
    sequence = scaled(arrays)
    for window, patience, best, stop in arrays["cases_W_P_best_stop"].astype(int):
        watch, ended = WindowedVariance(window, patience), 0
        for iteration, image in enumerate(sequence, 1):
            if watch.push(image, torch.full((1, 1, 1), float(iteration))) and not ended:
                ended = iteration
        assert ended == stop
        kept = watch.best(len(sequence))
        assert kept.kernels.item() == kept.iteration == best
        assert torch.equal(kept.image, sequence[best - 1])


def test_no_result_before_the_end_nor_from_less_than_a_window():
    watch = WindowedVariance(4, 100)
    for _ in range(3):
        assert not watch.push(torch.rand(1, 2, 2), KERNELS)
    assert watch.best(3) is None
    watch.push(torch.rand(1, 2, 2), KERNELS)
    assert watch.best(5) is None
    assert watch.best(4) is not None


def test_large_images_are_sampled(monkeypatch):
    monkeypatch.setattr(stopping, "MOST_VALUES", 1000)
    monkeypatch.setattr(stopping, "SAMPLE", 900)
    rng = torch.Generator().manual_seed(0)
    watch = WindowedVariance(5, 10)
    for _ in range(5):
        watch.push(0.5 + 0.1 * (torch.rand(1, 50, 50, generator=rng) - 0.5), KERNELS)
    assert watch.state["ring"].shape == (5, 900)
    expected = 0.1**2 / 12 * 4 / 5  # of a uniform distribution, about the mean of five
    assert float(watch._variance()) == pytest.approx(expected, rel=0.1)


def observe():
    blurry = np.random.default_rng(0).random((1, 36, 38), dtype=np.float32)
    return Observation("test", "case", blurry, (5, 5))


SETTINGS = compose(
    joint_fit.Settings,
    iterations=400,
    channels=4,
    skip_channels=2,
    scales=2,
    kernel_hidden=8,
    stop="wmv",
    window=5,
    patience=30,
)


def build(settings=SETTINGS):
    return joint_fit.METHOD.problem(
        observe(), settings, torch.Generator().manual_seed(0), torch.device("cpu")
    )


def run(settings=SETTINGS, checkpoint=None, build_one=build):
    ((_, restoration),) = solve([Task("case", lambda: build_one(settings), checkpoint)])
    assert restoration.status is Status.OK, restoration.reason
    return restoration


def test_a_run_ends_early_and_returns_what_was_remembered():
    problem, remembered = build(), None
    for iteration in range(400):
        if problem.step(iteration).ended is not None and problem.stopper.state["ended"]:
            break
        if problem.stopper.state:
            remembered = problem.stopper.state["image"].clone()
    assert 40 + 5 + 30 <= iteration + 1 < 400  # the MSE of the first 40 iterations is not watched
    restoration = run()
    assert 0 <= restoration.iterations - (iteration + 1) < LOG_EVERY
    margin = 2
    inside = remembered[:, margin:-margin, margin:-margin].clamp(0, 1).numpy()
    assert np.array_equal(restoration.image, inside)
    fixed = run(change(SETTINGS, stop="fixed"))
    assert fixed.iterations == 400


def test_a_watched_run_goes_on_and_returns_what_a_stopped_one_does():
    stopped, watched = run(), run(change(SETTINGS, stop="watched"))
    assert np.array_equal(stopped.image, watched.image)
    assert stopped.returned == watched.returned < stopped.iterations < watched.iterations == 400
    assert run(change(SETTINGS, stop="fixed")).returned == 400
    problem = build(change(SETTINGS, stop="watched"))
    ((_, kept),) = solve([Task("case", lambda: problem, snapshots=(380, 390))])
    assert not np.array_equal(kept.snapshots[0].image, kept.snapshots[1].image)


def test_a_killed_run_stops_at_the_same_iteration(tmp_path):
    class KilledError(BaseException):
        pass

    def killed(settings):
        problem = build(settings)
        step = problem.step

        def until(iteration):
            if iteration == 110:
                raise KilledError
            return step(iteration)

        problem.step = until
        return problem

    patient = change(SETTINGS, patience=60, window=20)
    undisturbed = run(patient)
    assert undisturbed.iterations > 110
    with pytest.raises(KilledError):
        run(patient, tmp_path / "checkpoint.pt", killed)
    resumed = run(patient, tmp_path / "checkpoint.pt")
    assert resumed.iterations == undisturbed.iterations
    assert np.array_equal(resumed.image, undisturbed.image)


def test_without_an_end_the_best_of_all_iterations_is_returned():
    settings = change(SETTINGS, iterations=60, patience=500, milestones=())
    problem = build(settings)
    for iteration in range(60):
        problem.step(iteration)
    result = problem.estimate()
    assert torch.equal(result.kernels, problem.stopper.state["kernels"])
    assert result.image.shape == (1, 36, 38)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 1}, "window must be at least 2, not 1"),
        ({"patience": 0}, "patience must be at least 1, not 0"),
        ({"window": 401}, "window must be at most the 400 iterations, not 401"),
    ],
)
def test_windows_and_patience_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        change(SETTINGS, **changes)


def test_a_fixed_stop_watches_nothing():
    assert StopSettings().stopper() is None


def test_values_beyond_the_range_count_as_its_ends():
    image = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(0))
    watches = WindowedVariance(2, 10), WindowedVariance(2, 10)
    for low, high in ((-3.0, 0.4), (0.2, 1.7)):
        for watch, ends in zip(watches, ((low, high), (max(low, 0), min(high, 1))), strict=True):
            values = image.clone()
            values[0, 0, 0], values[0, 1, 1] = ends
            watch.push(values, KERNELS)
    assert watches[0]._variance() == watches[1]._variance() > 0
