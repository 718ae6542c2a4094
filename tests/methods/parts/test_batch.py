"""Several cases on their way at once."""

import itertools
import logging
import weakref
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from benchmark.core import stop
from benchmark.core.types import Status
from methods.parts import resume
from methods.parts.direct import Direct
from methods.parts.solver import CHECKPOINT_EVERY, LOG_EVERY, Joint, Result, Step, Task, drive, solve
from tests.methods.parts.test_solver import Asked, Descent, Killed, listening  # noqa: F401 (a fixture)

SEEDS = range(5)
KEPT = (1, 99, 150)


def tasks(folder=None, kind=Descent, **given):
    """Five cases of different lengths, each with its own seed."""
    return [
        Task(
            str(seed),
            lambda seed=seed: kind(iterations=230 + 7 * seed, seed=seed, **given),
            None if folder is None else folder / f"{seed}.pt",
            snapshots=KEPT,
        )
        for seed in SEEDS
    ]


def content(restoration):
    """What may not depend on the others: all but times and memory."""
    kept = [(kept.iteration, kept.image.tobytes()) for kept in restoration.snapshots]
    image = None if restoration.image is None else restoration.image.tobytes()
    return restoration.status, restoration.reason, image, restoration.trace, restoration.returned, kept


def contents(restorations):
    return {name: content(restoration) for name, restoration in restorations}


ALONE = contents(solve(tasks()))


@pytest.mark.parametrize("batch", [2, 3, 5, 8])
def test_each_result_is_that_of_the_case_alone(batch):
    assert len({image for _, _, image, *_ in ALONE.values()}) == len(SEEDS)
    assert contents(solve(tasks(), batch=batch)) == ALONE


def test_cases_take_turns_and_no_more_than_asked_for_are_on_their_way():
    order = []

    class Noted(Descent):
        def step(self, iteration):
            order.append(self.rng.initial_seed())
            return super().step(iteration)

    assert contents(solve(tasks(kind=Noted), batch=2)) == ALONE
    assert order[: 2 * 230] == [0, 1] * 230
    assert order[2 * 230 : 2 * 237] == [1, 2] * 7
    places = {seed: [place for place, other in enumerate(order) if other == seed] for seed in SEEDS}
    for seed in SEEDS[2:]:
        assert sum(min(its) <= min(places[seed]) <= max(its) for its in places.values()) <= 2


def test_a_case_begins_only_when_there_is_room_for_it():
    begun = []

    def noted():
        for task in tasks():
            begun.append(task.name)
            yield task

    solving = solve(noted(), batch=2)
    next(solving)
    assert begun == ["0", "1"]
    next(solving)
    assert begun == ["0", "1", "2"]


def test_a_diverging_and_a_crashing_case_leave_the_others_alone():
    class Crashing(Descent):
        def step(self, iteration):
            if iteration == 120:
                raise RuntimeError("boom")
            return super().step(iteration)

    own = tasks()
    own[1] = replace(own[1], build=lambda: Descent(230, breaks=(150,), breaks_when_slow=True))
    own[3] = replace(own[3], build=Crashing)
    ended = contents(solve(own, batch=5))
    assert (ended["1"][0], ended["3"][0]) == (Status.DIVERGED, Status.FAILED)
    assert {name: ended[name] for name in "024"} == {name: ALONE[name] for name in "024"}


def test_one_that_diverges_once_slows_down_alone():
    broken = [Descent(breaks=(150,), seed=seed) for seed in range(2)]
    alone = content(drive(Task("a", lambda: Descent(breaks=(150,)))))
    own = [*tasks(), Task("a", lambda: broken[0])]
    ended = contents(solve(own, batch=6))
    assert broken[0].rate == 0.005
    assert ended == ALONE | {"a": alone}


@pytest.mark.parametrize("at", [0, 57, 100, 233])
def test_a_killed_batch_continues_to_the_same_bytes(tmp_path, at):
    class Dying(Descent):
        def step(self, iteration):
            if iteration == at and self.rng.initial_seed() == 1:
                raise Killed
            return super().step(iteration)

    before = {}
    with pytest.raises(Killed):
        before.update(solve(tasks(tmp_path, Dying), batch=3))
    assert contents(solve(tasks(tmp_path), batch=3)) == ALONE


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("batch", [2, 5])
def test_a_request_to_stop_saves_every_case_that_is_on_its_way(tmp_path, batch):
    own = tasks(tmp_path)
    own[1] = replace(own[1], build=lambda: Asked(57, iterations=237, seed=1))
    with pytest.raises(KeyboardInterrupt):
        list(solve(own, batch=batch))
    saved = {path.stem: resume.load(path, "")["run"]["iteration"] for path in tmp_path.glob("*.pt")}
    assert saved == {str(seed): 58 for seed in range(batch)}
    stop.listen()
    assert contents(solve(tasks(tmp_path), batch=batch)) == ALONE


def test_a_consumer_that_leaves_loses_nothing(tmp_path):
    solving = solve(tasks(tmp_path), batch=3)
    name, _ = next(solving)
    solving.close()
    saved = {path.stem: resume.load(path, "")["run"]["iteration"] for path in tmp_path.glob("*.pt")}
    assert (name, saved) == ("0", {"0": 230, "1": 230, "2": 230})


class Memory:
    """A device with room for some problems; one more step or build than fits is an error, as on a GPU."""

    def __init__(self, room, when):
        self.room, self.when, self.alive, self.most = room, when, weakref.WeakSet(), 0

    def problem(self, seed):
        memory = self

        class Large(Descent):
            def __init__(self, **given):
                super().__init__(**given)
                memory.alive.add(self)
                memory.most = max(memory.most, len(memory.alive))
                memory.check("build")

            def step(self, iteration):
                stepped = super().step(iteration)  # its generator and its number have changed before it fails
                if iteration == 123:
                    memory.check("step")
                return stepped

            def estimate(self):
                memory.check("estimate")
                return super().estimate()

        return Large(iterations=230 + 7 * seed, seed=seed)

    def check(self, when):
        if when == self.when and len(self.alive) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("when", ["build", "step", "estimate"])
@pytest.mark.parametrize("room", [1, 3])
def test_a_batch_that_does_not_fit_is_halved_and_results_stay(when, room):
    memory = Memory(room, when)
    own = [replace(task, build=lambda seed=seed: memory.problem(seed)) for seed, task in enumerate(tasks())]
    own = [replace(task, snapshots=()) for task in own]
    plain = contents(solve([replace(task, snapshots=()) for task in tasks()]))
    assert contents(solve(own, batch=5)) == plain
    assert memory.most > room


def test_it_is_halved_once_and_what_is_there_goes_on(caplog):
    caplog.set_level(logging.INFO)
    memory = Memory(3, "step")
    steps = []

    def build(seed):
        problem = memory.problem(seed)
        step = problem.step
        problem.step = lambda iteration: steps.append((seed, iteration)) or step(iteration)
        return problem

    own = [replace(task, build=lambda seed=seed: build(seed)) for seed, task in enumerate(tasks())]
    assert len(dict(solve(own, batch=5))) == 5
    assert [line for line in caplog.messages if "too little memory" in line] == [
        "0: too little memory beside 4 others; 2 at once from now on"
    ]
    # Only the case that failed goes back to its checkpoint.
    repeated = {seed for seed in SEEDS if len([own for own in steps if own[0] == seed]) > 230 + 7 * seed}
    assert repeated == {0}
    assert len([own for own in steps if own[0] == 0]) == 230 + 124 - CHECKPOINT_EVERY


def test_a_case_that_does_not_fit_alone_is_out_of_memory_and_the_others_go_on():
    def build():
        raise torch.OutOfMemoryError("CUDA out of memory")

    own = tasks()
    own[2] = replace(own[2], build=build)
    ended = contents(solve(own, batch=3))
    assert ended["2"][:2] == (Status.OUT_OF_MEMORY, "CUDA out of memory")
    assert {name: ended[name] for name in "0134"} == {name: ALONE[name] for name in "0134"}


class Network(Direct):
    """A trained network on some images; a pass over more than `room` of them fails, and so does a bad one."""

    def __init__(self, grey, kind="small", room=9, is_bad=False):
        super().__init__(lambda: self.estimates([])[0])
        self.grey, self.kind, self.room, self.is_bad, self.passes = grey, kind, room, is_bad, []

    def estimates(self, others):
        together = [self, *others]
        for one in together:
            one.passes.append(len(together))
        if len(together) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if any(one.is_bad for one in together):
            raise RuntimeError("boom")
        return [Result(torch.full((1, 2, 2), one.grey)) for one in together]


def greys(restorations):
    return {
        name: None if restoration.image is None else round(float(restoration.image[0, 0, 0]), 3)
        for name, restoration in restorations.items()
    }


def networks(*problems):
    return [Task(str(place), lambda problem=problem: problem) for place, problem in enumerate(problems)]


def test_trained_networks_of_one_kind_restore_their_images_in_one_pass():
    problems = [Network(0.1 * place, kind) for place, kind in enumerate(["a", "b", "a", "a", "b"])]
    ended = dict(solve(networks(*problems), batch=5))
    assert greys(ended) == {str(place): round(0.1 * place, 3) for place in range(5)}
    assert [problem.passes for problem in problems] == [[3], [2], [3], [3], [2]]
    assert isinstance(problems[0], Joint)
    assert not isinstance(Descent(), Joint)


@pytest.mark.parametrize(("room", "passes"), [(3, 3), (2, 2), (1, 1)])
def test_a_pass_that_does_not_fit_is_halved(room, passes):
    problems = [Network(0.1 * place, room=room) for place in range(6)]
    ended = dict(solve(networks(*problems), batch=6))
    assert greys(ended) == {str(place): round(0.1 * place, 3) for place in range(6)}
    assert {problem.passes[-1] for problem in problems} <= set(range(1, passes + 1))
    assert max(problem.passes[-1] for problem in problems) == passes


def test_an_image_on_which_a_network_fails_leaves_those_of_its_pass_alone():
    problems = [Network(0.1 * place, is_bad=place == 2) for place in range(4)]
    ended = dict(solve(networks(*problems), batch=4))
    assert ended["2"].reason == "RuntimeError: boom"
    assert greys(ended) == {"0": 0.0, "1": 0.1, "2": None, "3": 0.3}


class Timed(Descent):
    """By a clock that the tests set: a step takes `pace` seconds."""

    clock = 0.0

    def __init__(self, pace, **given):
        super().__init__(**given)
        self.pace = pace

    def step(self, iteration):
        Timed.clock += self.pace
        return super().step(iteration)


def test_seconds_and_time_limits_are_those_of_a_case_s_own_turns(monkeypatch):
    monkeypatch.setattr("time.perf_counter", lambda: Timed.clock)
    own = [
        Task(str(pace), lambda pace=pace: Timed(pace, iterations=100), seconds=150.0) for pace in (1, 2, 0.5)
    ]
    ended = dict(solve(own, batch=3))
    assert {name: restoration.seconds for name, restoration in ended.items()} == {
        "1": 100,
        "2": 160,  # noticed at the next row of the trace
        "0.5": 50,
    }
    assert [name for name, restoration in ended.items() if restoration.status is Status.TIMED_OUT] == ["2"]


def test_images_of_one_pass_share_its_seconds(monkeypatch):
    monkeypatch.setattr("time.perf_counter", lambda: Timed.clock)

    class Slow(Network):
        def estimates(self, others):
            Timed.clock += 12
            return super().estimates(others)

    ended = dict(solve(networks(*(Slow(0.5) for _ in range(4))), batch=4))
    assert [restoration.seconds for restoration in ended.values()] == [3] * 4


def test_an_early_stop_ends_one_case_alone():
    class Stopping(Descent):
        def step(self, iteration):
            return Step("descent", super().step(iteration).loss, ended=torch.tensor(iteration >= 100))

        def estimate(self):
            return Result(self.x.expand(1, 2, 2))

    own = [*tasks(), Task("early", Stopping)]
    ended = dict(solve(own, batch=6))
    assert ended["early"].iterations == 100 + LOG_EVERY
    assert contents((name, ended[name]) for name in ALONE) == ALONE


@pytest.fixture
def gpu(monkeypatch):
    """Stand-ins for a GPU. Returns the events: a synchronisation, or (stream, the case's seed) of a step."""
    events, entered = [], []

    @contextmanager
    def stream(number):
        entered.append(number)
        yield
        entered.pop()

    numbers = itertools.count()
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: next(numbers))
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: events.append("synchronised"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a stand-in")

    class OnGpu(Descent):
        device = torch.device("cuda", 0)

        def step(self, iteration):
            events.append((entered[-1] if entered else None, self.rng.initial_seed()))
            return Step("first" if iteration < 100 else "second", super().step(iteration).loss)

    return OnGpu, events


def test_on_a_gpu_each_case_has_a_stream_and_what_cases_share_is_made_before_others_use_it(gpu):
    kind, events = gpu
    own = [Task(str(seed), lambda seed=seed: kind(iterations=120, seed=seed)) for seed in range(2)]
    together = dict(solve(own, batch=2))
    assert events[:6] == ["synchronised"] * 2 + [(0, 0), "synchronised", (1, 1), "synchronised"]
    assert events[6:10] == [(0, 0), (1, 1)] * 2
    assert events.count("synchronised") == 2 + 2 * 2  # builds, and stages
    assert {event for event in events if event != "synchronised"} == {(0, 0), (1, 1)}
    events.clear()
    alone = dict(solve(own))
    assert set(events) == {(None, 0), (None, 1)}
    assert [together[name].image.tobytes() for name in "01"] == [alone[name].image.tobytes() for name in "01"]
