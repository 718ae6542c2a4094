"""Every operator and every method on a GPU, against what they give on the CPU. Skipped without a GPU.

`make gpu` runs them in two minutes. What a GPU is not needed for, `tests/methods/test_devices.py` and
`tests/methods/parts/test_capture.py` show everywhere.
"""

import pytest
import torch

from benchmark.blur.convolution import blur, convolve_valid_direct, convolve_valid_fft, uniform_blur
from benchmark.blur.svola import svola
from benchmark.core.images import write_image
from benchmark.runs.machine import claimed_device
from benchmark.tools.conformance import CPU, GRID, SHAKEN, observe, with_true_kernels
from methods.parts.capture import EAGER, WARM_UP
from methods.parts.fit import Fit
from methods.parts.objectives import ssim_index
from methods.parts.precision import multiplying
from tests.methods.conftest import weights  # noqa: F401  (a fixture)
from tests.methods.tiny import METHODS, places, settings_of

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
EXACT = 1e-9  # relative, of float64
SINGLE = 1e-3  # relative, of losses and images in float32 after a few steps
ON_A_GPU = sorted(name for name, method in METHODS.items() if method.gpu)


@pytest.fixture
def gpu():
    with claimed_device("cuda") as device:
        yield device


@pytest.fixture
def build(tmp_path, weights, monkeypatch):  # noqa: F811
    """`build(name, observation, device, **changes)`: a problem at TINY size, its noise drawn on the CPU."""

    def drawn(self, like):
        self.own_noise = getattr(self, "own_noise", None) or torch.Generator().manual_seed(7)
        return torch.randn(like.shape, generator=self.own_noise, dtype=like.dtype).to(like.device)

    monkeypatch.setattr(Fit, "_noise_like", drawn)

    def make(name, observation, device, **changes):
        method = METHODS[name]
        write_image(tmp_path / f"{observation.case}.png", observation.blurry)
        settings = settings_of(method, **places(method, tmp_path, weights), **changes)
        given = with_true_kernels(observation) if method.needs_true_kernels else observation
        return method.problem(given, settings, torch.Generator().manual_seed(0), device)

    return make


OPERATORS = {
    "direct": lambda image, kernels: convolve_valid_direct(image, kernels[0]),
    "fft": lambda image, kernels: convolve_valid_fft(image, kernels[0]),
    "uniform": lambda image, kernels: uniform_blur(image, kernels[:1]),
    "zeros outside": lambda image, kernels: blur(image, kernels[0], "zero"),
    "svola": lambda image, kernels: svola(image, kernels, (2, 2)),
    "ssim": lambda image, kernels: ssim_index(image, image.flip(1)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_and_its_gradients_are_those_of_the_cpu(name, gpu):
    rng = torch.Generator().manual_seed(0)
    image, kernels = (torch.rand(size, generator=rng).double() for size in ((2, 40, 44), (4, 5, 7)))
    results = []
    for device in (CPU, gpu):
        given = [tensor.to(device).requires_grad_() for tensor in (image, kernels)]
        out = OPERATORS[name](*given)
        gradients = torch.autograd.grad(out.square().sum(), given, allow_unused=True)
        results.append([out, *(gradient for gradient in gradients if gradient is not None)])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found.cpu(), expected, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("name", ON_A_GPU)
def test_a_method_gives_what_it_gives_on_the_cpu(name, gpu, build):
    ends = []
    for device in (CPU, gpu):
        problem = build(name, observe(), device)
        losses = [problem.step(iteration).loss.item() for iteration in range(min(1, problem.iterations))]
        ends.append((losses, problem.estimate().image if not losses else None))
    (expected, image), (found, other) = ends
    assert found == pytest.approx(expected, rel=SINGLE)
    if image is not None:
        torch.testing.assert_close(other.cpu(), image, rtol=SINGLE, atol=SINGLE)


SHAKEN_TOO = [name for name in ON_A_GPU if "nonuniform" in METHODS[name].blur_models]


@pytest.mark.parametrize("name", SHAKEN_TOO)
def test_a_method_treats_camera_shake_as_on_the_cpu(name, gpu, build):
    losses = []
    for device in (CPU, gpu):
        problem = build(name, observe(SHAKEN, grid=GRID), device)
        losses.append(
            [problem.step(iteration).loss.item() for iteration in range(min(1, problem.iterations))]
        )
    assert losses[1] == pytest.approx(losses[0], rel=SINGLE)


@pytest.mark.parametrize("name", ON_A_GPU)
def test_no_step_waits_for_the_gpu(name, gpu, build):
    problem = build(name, observe(), gpu)
    if problem.iterations < 2:
        pytest.skip("it takes no steps")
    problem.step(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        problem.step(1)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def noise_of_the_gpu(build, monkeypatch):
    """`build`, but noise comes from the problem's own generator: a graph cannot hold a copy from the host."""
    monkeypatch.setattr(
        Fit,
        "_noise_like",
        lambda self, like: torch.randn(like.shape, generator=self.rng, dtype=like.dtype, device=like.device),
    )
    return build


@pytest.mark.parametrize("name", ["selfdeblur", "dip-glkm", "vdip-sparse", "vdip-extreme-glkm", "robust-bid"])
def test_a_captured_fit_is_the_eager_one(name, gpu, noise_of_the_gpu, monkeypatch):
    losses = []
    for eager in ("1", ""):
        monkeypatch.setenv(EAGER, eager)
        problem = noise_of_the_gpu(name, observe(), gpu, iterations=20)
        losses.append([problem.step(iteration).loss.item() for iteration in range(problem.iterations)])
    assert problem._repeated[1].recorded is not None
    assert len(losses[0]) > WARM_UP + 2
    assert losses[1] == pytest.approx(losses[0], rel=5e-2)  # rounding grows from step to step


def test_float32_is_exact_and_tf32_is_not(gpu):
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.rand(512, 512, generator=rng) for _ in range(2))
    expected = a.double() @ b.double()
    errors = []
    for precision in ("float32", "tf32"):
        with multiplying(precision, gpu):
            product = (a.to(gpu) @ b.to(gpu)).cpu().double()
        errors.append(((product - expected).abs().max() / expected.abs().max()).item())
    assert errors[0] < 1e-6 < errors[1] < 1e-2
