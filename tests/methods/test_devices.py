"""No method mixes devices or waits for one. Shown without a GPU: see `tests.methods.fake_cuda`."""

import pytest
import torch

from benchmark.core.images import write_image
from benchmark.tools.conformance import CPU, GRID, NOWHERE, SHAKEN, BrokenPromiseError, observe, promises_of
from benchmark.tools.device_reads import DeviceReadError, NoReads
from methods.parts.fit import Fit
from methods.parts.stopping import WindowedVariance
from tests.methods.fake_cuda import CUDA, fake_cuda, is_on_it
from tests.methods.tiny import METHODS, places, settings_of

ON_A_GPU = sorted(name for name, method in METHODS.items() if method.gpu)
SHAKEN_TOO = [name for name in ON_A_GPU if "nonuniform" in METHODS[name].blur_models]


@pytest.fixture
def build(tmp_path, weights):
    """`build(name, observation, device, **changes)`: the problem of a method at TINY size."""

    def make(name, observation, device, **changes):
        method = METHODS[name]
        write_image(tmp_path / f"{observation.case}.png", observation.blurry)
        settings = settings_of(method, **places(method, tmp_path, weights), **changes)
        return method.problem(observation, settings, torch.Generator().manual_seed(0), device)

    return make


@pytest.mark.parametrize(
    ("name", "is_shaken"),
    [*((name, False) for name in ON_A_GPU), *((name, True) for name in SHAKEN_TOO)],
)
def test_the_forward_pass_of_every_method_stays_on_the_device(name, is_shaken, build):
    observation = observe(SHAKEN, grid=GRID) if is_shaken else observe()
    with fake_cuda() as fake:
        problem = build(name, observation, CUDA)
        assert problem.device == CUDA
        with fake:
            steps = [problem.step(iteration) for iteration in range(problem.iterations)]
            assert all(is_on_it(step.loss) for step in steps)
            if not name.startswith(("robust", "dip-only")):  # these read at the end which image to keep
                assert is_on_it(problem.estimate().image)


def test_a_step_on_two_devices_is_found(build):
    with fake_cuda() as fake:
        problem = build("selfdeblur", observe(), CUDA)
        problem.kernel.code = torch.rand(problem.kernel.code.shape)
        with fake, pytest.raises(Exception, match=r"(?i)fake ?tensor|found two different devices"):
            problem.step(0)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning")
@pytest.mark.parametrize("name", ["robust-bid", "blinddps-glkm", "bird"])
def test_a_checkpoint_continues_on_the_device(name, build):
    """A checkpoint is read to the CPU. `meta`, where it goes here, mixes with it no more than a GPU."""
    ran, problem = build(name, observe(), CPU), build(name, observe(), NOWHERE)
    ran.step(0)
    state = ran.state_dict()
    for group in state.get("adam", {}).get("param_groups", ()):
        group["fused"] = False  # so that its count of steps stays where Adam without fusion has it
    problem.load_state_dict(state)
    assert problem.step(1).loss.device == NOWHERE


def test_adam_can_be_captured_on_a_gpu(build):
    with fake_cuda():
        problem = build("selfdeblur", observe(), CUDA)
    for group, rate in zip(problem.adam.param_groups, problem.current_rates, strict=True):
        assert group["lr"] is rate
        assert is_on_it(rate)
        assert rate.dtype is torch.float32  # what the fused Adam of CUDA takes
        assert group["fused"]
        assert group["capturable"]


def test_adam_keeps_its_own_rates_when_a_state_is_loaded(build):
    ran, problem = build("selfdeblur", observe(), CPU), build("selfdeblur", observe(), CPU)
    ran.step(0)
    state = ran.state_dict()
    for group in state["adam"]["param_groups"]:
        group["capturable"] = True  # as one that a GPU has saved
    problem.load_state_dict(state)
    for group, rate in zip(problem.adam.param_groups, problem.current_rates, strict=True):
        assert group["lr"] is rate
        assert not group["capturable"]
    problem.slow_down()
    problem.step(1)
    assert problem.adam.param_groups[0]["lr"] == 0.5 * problem.rates.at(1)[0]


@pytest.mark.parametrize(
    "read",
    [
        lambda values: values.sum().item(),
        lambda values: bool(values[0] > 0),
        lambda values: values.nonzero(),
        lambda values: values[values > 0],
        lambda values: values.unique(),
        lambda values: torch.equal(values, values),
    ],
    ids=["item", "bool", "nonzero", "mask", "unique", "equal"],
)
def test_a_read_is_found(read):
    values = torch.rand(4)
    with NoReads(torch.device("cpu")), pytest.raises(DeviceReadError, match="reads from the device cpu"):
        read(values)
    read(values)


@pytest.mark.parametrize("back", [False, True])
def test_a_copy_between_devices_is_found(back):
    values = torch.rand(4)
    there = values.to(NOWHERE)
    with NoReads(NOWHERE), pytest.raises(DeviceReadError, match=r"copies between cpu and meta"):
        there.copy_(values) if back else values.to(NOWHERE)


def test_what_lies_on_the_cpu_may_be_read_beside_another_device():
    with NoReads(NOWHERE):
        assert torch.ones(()).item() == 1


class Reading(Fit):
    """A fit that looks at its loss in every step."""

    def step(self, iteration):
        step = super().step(iteration)
        if step.loss > 0:  # reads the device
            return step
        raise ArithmeticError


def test_a_method_that_reads_its_loss_breaks_the_promise(subject, monkeypatch):
    (promise,) = [p for p in promises_of(METHODS["selfdeblur"]) if "waiting" in p.title]
    promise.check(subject(METHODS["selfdeblur"]))
    monkeypatch.setattr("methods.parts.fit.Fit", Reading)
    with pytest.raises(BrokenPromiseError, match=r"iteration 0 waits for the device"):
        promise.check(subject(METHODS["selfdeblur"]))


def test_an_iteration_makes_no_tensor_that_stays():
    """The state of the stopper lies where it lay: a CUDA graph writes to the same addresses again."""
    watch = WindowedVariance(window=2, patience=2)
    watch.push(torch.rand(1, 4, 4), torch.ones(1, 1, 1))
    places_before = {name: tensor.data_ptr() for name, tensor in watch.state.items()}
    for _ in range(5):
        watch.push(torch.rand(1, 4, 4), torch.ones(1, 1, 1))
    assert {name: tensor.data_ptr() for name, tensor in watch.state.items()} == places_before
    assert watch.state["iteration"] == 6
