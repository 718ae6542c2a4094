"""Replays are steps: shown with `tests.methods.recorder` in place of a CUDA graph."""

from functools import partial

import pytest
import torch

from benchmark.tools.conformance import GRID, SHAKEN, observe
from methods.parts import capture, fit
from methods.parts.capture import EAGER, WARM_UP, Repeated, repeated
from tests.methods.recorder import record
from tests.methods.tiny import METHODS, build, places, settings_of

CPU = torch.device("cpu")


def problem_of(name, folder, observation, **changes):
    method = METHODS[name]
    return build(method, observation, settings_of(method, **places(method, folder, folder), **changes))


def run(problem, steps):
    """Losses and ends of the steps, and the state after them."""
    done = [problem.step(iteration) for iteration in range(steps)]
    return done, problem.state_dict()


def same(first, second):
    """Whether two states have the same bytes."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


@pytest.mark.parametrize(
    ("name", "observation", "changes"),
    [
        ("selfdeblur", observe(), {}),  # two stages, and rates that are halved on the way
        ("selfdeblur", observe(SHAKEN, grid=GRID), {}),
        ("robust-bid", observe(), {"window": 3, "patience": 4}),  # its stopper counts in every step
        ("vdip-sparse-glkm", observe(), {}),  # draws samples in every step
    ],
)
def test_replays_equal_eager_steps(name, observation, changes, weights, monkeypatch):
    make = partial(problem_of, name, weights, observation, iterations=20, **changes)
    steps = make().iterations
    eager, expected = run(make(), steps)
    recorded = []

    def replayed(work, device, rng):
        recorded.append(Repeated(work, record))
        return recorded[-1]

    monkeypatch.setattr(fit, "repeated", replayed)
    losses, problem = [], make()
    for iteration, step in enumerate(eager):
        replay = problem.step(iteration)  # read between the replays: the next one overwrites it
        losses.append(replay.loss.item())
        assert replay.stage == step.stage
        assert (replay.ended is None) == (step.ended is None)
    assert losses == [step.loss.item() for step in eager]
    assert same(problem.state_dict(), expected)
    assert any(stage.recorded is not None for stage in recorded)  # else nothing was replayed


def test_a_count_of_python_is_not_replayed():
    """The stand-in shows what a graph would get wrong."""
    counts = []

    def work():
        counts.append(1)
        return torch.full((), float(len(counts)))

    count = Repeated(work, record)
    assert [count().item() for _ in range(WARM_UP + 3)] == [1, 2, 3, 4, 4, 4]


def test_a_result_that_is_put_elsewhere_is_not_seen_by_replays():
    state = {"total": torch.zeros(())}

    def work():
        state["total"] = state["total"] + 1
        return state["total"]

    count = Repeated(work, record)
    assert [count().item() for _ in range(WARM_UP + 3)] == [1, 2, 3, 4, 4, 4]


def test_a_loaded_state_is_recorded_anew(weights, monkeypatch):
    monkeypatch.setattr(fit, "repeated", lambda work, device, rng: Repeated(work, record))
    problem = problem_of("robust-bid", weights, observe(), iterations=20, window=3, patience=4)
    run(problem, WARM_UP + 2)
    saved = problem.state_dict()
    other = problem_of("robust-bid", weights, observe(), iterations=20, window=3, patience=4)
    other.load_state_dict(torch.utils._pytree.tree_map_only(torch.Tensor, torch.clone, saved))
    problem.load_state_dict(torch.utils._pytree.tree_map_only(torch.Tensor, torch.clone, saved))
    for iteration in range(WARM_UP + 2, 2 * WARM_UP + 5):
        assert problem.step(iteration).loss.item() == other.step(iteration).loss.item()
    assert same(problem.state_dict(), other.state_dict())


def test_on_a_cpu_and_where_it_is_asked_for_steps_are_eager(monkeypatch):
    def work():
        return torch.zeros(())

    assert repeated(work, CPU, torch.Generator()) is work
    gpu = torch.device("cuda", 0)
    monkeypatch.setenv(EAGER, "1")
    assert repeated(work, gpu, torch.Generator()) is work
    monkeypatch.delenv(EAGER)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: None)
    assert isinstance(repeated(work, gpu, torch.Generator()), Repeated)


class Graph:
    """What the capture asks of a CUDA graph."""

    def __init__(self, log):
        self.log = log

    def register_generator_state(self, rng):
        self.log.append("generator")

    def replay(self):
        self.log.append("replay")


def test_a_graph_is_recorded_after_the_warm_up_with_the_generator(monkeypatch):
    log = []

    class Recording:
        def __init__(self, graph, stream):
            log.append("begin")

        def __enter__(self):
            pass

        def __exit__(self, *error):
            log.append("end")

    class Stream:
        device = torch.device("cuda", 0)

        def __init__(self, device=None):
            pass

        def wait_stream(self, other):
            log.append("wait")

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: capture.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: Graph(log))
    monkeypatch.setattr(torch.cuda, "graph", Recording)
    step = repeated(lambda: log.append("work"), torch.device("cuda", 0), torch.Generator())
    for _ in range(WARM_UP + 2):
        step()
    eager = ["wait", "work", "wait"] * WARM_UP
    assert log == [*eager, "generator", "begin", "work", "end", "replay", "replay"]
