import dataclasses
import os
import signal
from dataclasses import replace

import pytest
import torch

from benchmark.core import stop
from benchmark.core.errors import NotSupportedError, WeightsMissingError
from benchmark.core.types import Status
from methods.parts import resume as checkpoint
from methods.parts.direct import Direct
from methods.parts.solver import CHECKPOINT_EVERY, LOG_EVERY, Result, Step, Task, solve


class Descent:
    """A noisy gradient descent on one number; the loss is infinite at the iterations in `breaks`."""

    device = torch.device("cpu")
    weights = "nets-31"

    def __init__(self, iterations=250, breaks=(), breaks_when_slow=False, seed=0):
        self.iterations, self.breaks, self.breaks_when_slow = iterations, breaks, breaks_when_slow
        self.x, self.rate = torch.tensor(3.0), 0.01
        self.rng = torch.Generator().manual_seed(seed)
        self.steps = 0

    def step(self, iteration):
        self.steps += 1
        noise = 0.1 * torch.randn((), generator=self.rng)
        self.x = self.x - self.rate * (2 * self.x + noise)
        broken = iteration in self.breaks and (self.breaks_when_slow or self.rate == 0.01)
        if broken:
            self.x = self.x * torch.inf
        return Step("descent", self.x**2)

    def slow_down(self):
        self.rate /= 2

    def estimate(self):
        return Result(self.x.expand(1, 2, 2))

    def state_dict(self):
        return {"x": self.x, "rate": self.rate, "rng": self.rng.get_state()}

    def load_state_dict(self, state):
        self.x, self.rate = state["x"], state["rate"]
        self.rng.set_state(state["rng"])


def run(*tasks, report=lambda _: None):
    return dict(solve(tasks, report))


def task(name, build, path=None, key="key", snapshots=()):
    return Task(name, build, path, key, snapshots)


def test_trace_is_sparse_and_ends_with_the_last_iteration():
    restoration = run(task("a", lambda: Descent(iterations=25)))["a"]
    assert [row["iteration"] for row in restoration.trace] == [1, LOG_EVERY, 2 * LOG_EVERY, 25]
    assert {row["stage"] for row in restoration.trace} == {"descent"}
    assert restoration.iterations == 25


def test_a_restoration_names_the_weights_it_was_made_with():
    assert run(task("a", Descent))["a"].weights == "nets-31"


def test_the_device_is_read_only_for_the_trace(monkeypatch):
    reads = []
    item = torch.Tensor.item
    monkeypatch.setattr(torch.Tensor, "item", lambda tensor: reads.append(1) or item(tensor))
    trace = run(task("a", lambda: Descent(iterations=95)))["a"].trace
    assert len(reads) == len(trace)


def test_divergence_goes_back_once_at_half_the_rate():
    problem = Descent(breaks=(150,))
    restoration = run(task("a", lambda: problem))["a"]
    assert restoration.status is Status.OK
    assert problem.rate == 0.005
    assert problem.steps == 250 + 160 - CHECKPOINT_EVERY  # noticed at the next trace row
    assert restoration.trace[-1]["iteration"] == 250
    assert len({row["iteration"] for row in restoration.trace}) == len(restoration.trace)


def test_diverging_twice_is_a_status_and_the_others_go_on():
    alone = run(task("b", Descent))["b"]
    both = run(
        task("a", lambda: Descent(breaks=(150,), breaks_when_slow=True)),
        task("b", Descent),
    )
    assert both["a"].status is Status.DIVERGED
    assert both["a"].image is None
    assert "lower the learning rates" in both["a"].reason
    assert (both["b"].image == alone.image).all()


@pytest.mark.parametrize("always", [False, True])
def test_an_estimate_lost_in_a_named_way_ends_like_divergence_with_its_own_reason(always):
    class Losing(Descent):
        """Lost from iteration 12 on; for as long as the rate is high, or always."""

        def step(self, iteration):
            lost = iteration >= 12 and (always or self.rate == 0.01)
            return Step("descent", super().step(iteration).loss, {"It is lost.": torch.tensor(lost)})

    restoration = run(task("a", Losing))["a"]
    if always:
        assert (restoration.status, restoration.image) == (Status.DIVERGED, None)
        assert restoration.reason == f"It is lost. (iteration {2 * LOG_EVERY})"
        assert restoration.trace[-1]["iteration"] == LOG_EVERY
    else:
        assert restoration.status is Status.OK


def test_non_finite_parameters_never_enter_a_checkpoint(tmp_path):
    # Broken in the very iteration before a checkpoint: the logged loss is that of the broken step.
    problem = Descent(breaks=(CHECKPOINT_EVERY - 1,))
    path = tmp_path / "checkpoint.pt"
    assert run(task("a", lambda: problem, path))["a"].status is Status.OK
    assert checkpoint.load(path, "key")["problem"]["x"].isfinite()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", [0, 1, 99, 100, 101, 249])
def test_a_killed_run_resumes_to_the_same_bytes(tmp_path, at):
    undisturbed = run(task("a", Descent))["a"]
    path = tmp_path / "checkpoint.pt"

    class Dying(Descent):
        def step(self, iteration):
            if iteration == at:
                raise Killed
            return super().step(iteration)

    with pytest.raises(Killed):
        run(task("a", Dying, path))
    second = Descent()
    resumed = run(task("a", lambda: second, path))["a"]

    assert second.steps == 250 - at // CHECKPOINT_EVERY * CHECKPOINT_EVERY
    assert resumed.image.tobytes() == undisturbed.image.tobytes()
    assert resumed.trace == undisturbed.trace


class Slow(Descent):
    """Its steps take seconds."""

    def step(self, iteration):
        return replace(super().step(iteration), milestone=True)


def test_a_run_of_long_steps_repeats_none_of_them(tmp_path):
    undisturbed = run(task("a", lambda: Slow(7)))["a"]
    path = tmp_path / "checkpoint.pt"

    class Dying(Slow):
        def step(self, iteration):
            if iteration == 3:
                raise Killed
            return super().step(iteration)

    with pytest.raises(Killed):
        run(task("a", lambda: Dying(7), path))
    second = Slow(7)
    resumed = run(task("a", lambda: second, path))["a"]

    assert second.steps == 7 - 3
    assert [row["iteration"] for row in resumed.trace] == [1, 2, 3, 4, 5, 6, 7]
    assert resumed.image.tobytes() == undisturbed.image.tobytes()


def test_what_a_method_notes_of_its_run_is_passed_on():
    noting = Direct(lambda: Result(torch.zeros(1, 2, 2), notes={"kept": 3}))
    assert run(task("a", lambda: noting))["a"].notes == {"kept": 3}


KEPT = (1, 99, 100, 155, 250)


@pytest.mark.parametrize("at", [0, 99, 101, 249])
def test_a_killed_run_ends_with_the_same_snapshots(tmp_path, at):
    undisturbed = run(task("a", Descent, snapshots=KEPT))["a"]
    path = tmp_path / "checkpoint.pt"

    class Dying(Descent):
        def step(self, iteration):
            if iteration == at:
                raise Killed
            return super().step(iteration)

    with pytest.raises(Killed):
        run(task("a", Dying, path, snapshots=KEPT))
    resumed = run(task("a", Descent, path, snapshots=KEPT))["a"]
    assert [snapshot.iteration for snapshot in resumed.snapshots] == list(KEPT)
    for one, other in zip(undisturbed.snapshots, resumed.snapshots, strict=True):
        assert (one.image == other.image).all()


def test_snapshots_of_diverged_iterations_are_taken_again():
    restoration = run(task("a", lambda: Descent(breaks=(150,)), snapshots=KEPT))["a"]
    assert [snapshot.iteration for snapshot in restoration.snapshots] == list(KEPT)


def set_clocks(monkeypatch, clock):
    """Let the wall clock read `clock`, and the processor work a quarter of that time."""
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("time.process_time", lambda: clock[0] / 4)


def test_taking_snapshots_takes_no_seconds(monkeypatch):
    clock = [0.0]
    set_clocks(monkeypatch, clock)

    class Timed(Descent):
        def step(self, iteration):
            clock[0] += 1
            return super().step(iteration)

        def estimate(self):
            clock[0] += 10
            return super().estimate()

    restoration = run(task("a", lambda: Timed(iterations=25), snapshots=(5, 20)))["a"]
    assert [snapshot.seconds for snapshot in restoration.snapshots] == [5, 20]
    assert restoration.seconds == 25 + 10  # the read-out counts
    assert restoration.core_seconds == (25 + 10) / 4


def test_seconds_count_the_build_once(tmp_path, monkeypatch):
    clock = [0.0]
    set_clocks(monkeypatch, clock)
    path = tmp_path / "checkpoint.pt"

    class Timed(Descent):
        dies = False

        def __init__(self):
            clock[0] += 7
            super().__init__(iterations=150)

        def step(self, iteration):
            if self.dies and iteration == CHECKPOINT_EVERY:
                raise Killed
            clock[0] += 1
            return super().step(iteration)

    class Dying(Timed):
        dies = True

    assert run(task("a", Timed))["a"].seconds == 7 + 150
    with pytest.raises(Killed):
        run(task("a", Dying, path))
    resumed = run(task("a", Timed, path))["a"]
    assert resumed.seconds == 7 + 150
    assert resumed.core_seconds == (7 + 150) / 4


def test_a_finished_checkpoint_is_read_out_without_another_step(tmp_path):
    path = tmp_path / "checkpoint.pt"
    first = run(task("a", Descent, path))["a"]
    second = Descent()
    assert run(task("a", lambda: second, path))["a"].image.tobytes() == first.image.tobytes()
    assert second.steps == 0


@pytest.mark.parametrize("damage", ["other key", "truncated", "not a checkpoint", "code"])
def test_a_checkpoint_that_does_not_fit_is_ignored(tmp_path, damage):
    path = tmp_path / "checkpoint.pt"
    run(task("a", Descent, path))
    if damage == "other key":
        checkpoint.save(path, "another", {"x": 1})
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "not a checkpoint":
        path.write_text("hello")
    else:
        torch.save({"key": "key", "state": Descent()}, path)  # needs code to load
    problem = Descent()
    assert run(task("a", lambda: problem, path))["a"].status is Status.OK
    assert problem.steps == 250


def test_a_checkpoint_with_any_byte_altered_is_ignored_with_a_line(tmp_path, caplog):
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, "key", {"x": torch.linspace(0, 1, 50)})
    whole = path.read_bytes()
    assert checkpoint.load(path, "key") is not None
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        caplog.clear()
        assert checkpoint.load(path, "key") is None, f"byte {place}"
        assert caplog.messages == [f"{path}: damaged or altered checkpoint, starting this case again"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotSupportedError("too small"), Status.NOT_SUPPORTED),
        (MemoryError("no room"), Status.OUT_OF_MEMORY),
        (torch.OutOfMemoryError("no room"), Status.OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), Status.OUT_OF_MEMORY),
        (WeightsMissingError("no generator"), Status.WEIGHTS_MISSING),
        (RuntimeError("boom\nand more"), Status.FAILED),
    ],
)
def test_errors_become_statuses_of_one_line(error, status):
    def build():
        raise error

    restoration = run(task("a", build))["a"]
    assert restoration.status is status
    assert restoration.reason
    assert "\n" not in restoration.reason


def test_progress_reaches_the_end():
    seen = []
    run(task("a", lambda: Descent(iterations=30)), report=seen.append)
    assert [step.iteration for step in seen] == [0, 1, 10, 20, 30]
    assert seen[-1].iterations == 30


IMAGE = torch.full((1, 4, 6), 0.5)
KERNEL = torch.full((1, 2, 2), 0.25)


@pytest.mark.parametrize(
    ("image", "kernels", "status", "reason"),
    [
        (IMAGE, KERNEL, "ok", ""),
        (IMAGE * torch.nan, KERNEL, "diverged", "the image that the method returned is not finite"),
        (IMAGE * torch.inf, None, "diverged", "the image that the method returned is not finite"),
        (IMAGE, KERNEL * torch.nan, "diverged", "the kernel that the method returned is not finite"),
        (IMAGE[..., 1:], None, "failed", "the method returned an image of shape (1, 4, 5), not (1, 4, 6)"),
        (IMAGE[0], None, "failed", "the method returned an image of shape (4, 6), not (1, 4, 6)"),
        (IMAGE, KERNEL[0], "failed", "the method returned kernels of shape (2, 2), not (P, h, w)"),
        (IMAGE, KERNEL[:, :0], "failed", "the method returned kernels of shape (1, 0, 2), not (P, h, w)"),
        (255 * IMAGE, None, "failed", "the method returned an image whose values reach 127.5, not 1"),
        (IMAGE.to(torch.uint8), None, "failed", "the method returned an image of torch.uint8, not of floats"),
        (None, None, "failed", "the method returned an image that is NoneType, not a torch.Tensor"),
        (IMAGE.numpy(), None, "failed", "the method returned an image that is ndarray, not a torch.Tensor"),
        (IMAGE, KERNEL.numpy(), "failed", "the method returned kernels that is ndarray, not a torch.Tensor"),
        (IMAGE[None], None, "failed", "the method returned an image of shape (1, 1, 4, 6), not (1, 4, 6)"),
        (IMAGE, 2 * KERNEL, "failed", "the method returned a kernel whose sum is 2, not 1"),
        (IMAGE, 0 * KERNEL, "failed", "the method returned a kernel whose sum is 0, not 1"),
        (
            IMAGE,
            KERNEL + torch.tensor([[-0.5, 0.5], [0, 0]]),
            "failed",
            "the method returned a kernel with a negative entry, -0.25",
        ),
    ],
)
def test_what_any_method_returns_is_checked(image, kernels, status, reason):
    direct = dataclasses.replace(
        task("a", lambda: Direct(lambda: Result(image, kernels))), shape=tuple(IMAGE.shape)
    )
    restoration = run(direct)["a"]
    assert (restoration.status.value, restoration.reason) == (status, reason)
    assert (restoration.image is None) == (status != "ok")


def test_what_is_no_result_at_all_is_named():
    restoration = run(task("a", lambda: Direct(lambda: IMAGE)))["a"]
    assert restoration.status is Status.FAILED
    assert restoration.reason == "the method returned Tensor, not a methods.parts.solver.Result"


def test_a_method_that_ends_the_process_has_failed_and_the_others_go_on():
    def leave():
        raise SystemExit(3)

    both = run(task("a", leave), task("b", Descent))
    assert (both["a"].status, both["b"].status) == (Status.FAILED, Status.OK)
    assert both["a"].reason == "the method ended the process by sys.exit(3)"


def test_a_case_that_takes_too_long_times_out_and_goes_on_once_it_may(tmp_path):
    path = tmp_path / "checkpoint.pt"
    ended = run(dataclasses.replace(task("a", Descent, path), seconds=0.0))["a"]
    assert (ended.status, ended.image, ended.iterations) == (Status.TIMED_OUT, None, 1)
    problem = Descent()
    whole = run(task("a", lambda: problem, path))["a"]
    assert problem.steps == 249
    assert (whole.image == run(task("a", Descent))["a"].image).all()


class Asked(Descent):
    """The process is asked to stop in the middle of an iteration."""

    def __init__(self, iteration, **given):
        super().__init__(**given)
        self.asked = iteration

    def step(self, iteration):
        if iteration == self.asked:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().step(iteration)


@pytest.fixture
def listening():
    before = {number: signal.getsignal(number) for number in stop.SIGNALS}
    stop.listen()
    yield
    stop.listen()  # forgets the request
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("breaks", [(), (170,)], ids=["converges", "diverges later"])
@pytest.mark.parametrize("iteration", [3, 157])
def test_a_request_to_stop_saves_the_state_and_changes_no_result(tmp_path, iteration, breaks):
    path = tmp_path / "checkpoint.pt"
    undisturbed = run(task("a", lambda: Descent(breaks=breaks)))["a"]
    with pytest.raises(KeyboardInterrupt):
        run(task("a", lambda: Asked(iteration, breaks=breaks), path))
    assert checkpoint.load(path, "key")["run"]["iteration"] == iteration + 1
    stop.listen()
    continued = run(task("a", lambda: Descent(breaks=breaks), path))["a"]
    assert continued.trace == undisturbed.trace
    assert (continued.image == undisturbed.image).all()
