"""Several images through one network in one pass, and in bfloat16."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.core.types import Status
from benchmark.tools.conformance import CPU, observe
from methods.parts.solver import solve
from methods.ufp import restoration
from methods.ufp.network import Shape, UfpNet, mimo_shape
from methods.ufp.restoration import KernelSettings, NetworkRestoration
from tests.methods.tiny import METHODS, save_weights, settings_of, task

SIZES = {"width": 4, "encoder": (1, 1), "decoder": (1, 1), "attending": 2, "estimator": (4, 4, 4)}
UFPNET = Shape(kernel_size=7, flow_hidden=4, trained_on=16, **SIZES)
SHAPES = {"ufpnet": UFPNET, "nafnet": replace(UFPNET, kernel_size=0), "mimo-ufp": mimo_shape(8, 1, UFPNET)}


def images():
    """Two colour images and a grey one of 40 x 36."""
    rng = np.random.default_rng(3)
    return [rng.uniform(size=(channels, 40, 36)).astype(np.float32) for channels in (3, 1, 3)]


@pytest.fixture(params=SHAPES)
def network(request):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        built = UfpNet(SHAPES[request.param]).eval().requires_grad_(False)
        for parameter in built.parameters():
            parameter.normal_(0, 0.1)
    return built


def restorations(network, noise, bfloat16=False):
    """A restoration of each image, in the type of the network."""
    made = []
    for seed, image in enumerate(images()):
        generators = KernelSettings(noise=noise, samples=3).generators(
            torch.Generator().manual_seed(seed), CPU
        )
        observation = replace(observe(image.shape), blurry=image)
        made.append(NetworkRestoration(observation, network, CPU, 2, generators, "", bfloat16))
        made[-1].blurry = made[-1].blurry.to(next(network.parameters()).dtype)
    return made


@pytest.mark.parametrize("noise", ["sample", "zero", "mean"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_an_image_is_restored_in_a_pass_with_others_as_alone(network, noise, dtype, tolerance):
    network = network.to(dtype)
    alone = [one.estimate() for one in restorations(network, noise)]
    first, *others = restorations(network, noise)
    assert len({first.kind, *(other.kind for other in others)}) == 1
    together = first.estimates(others)
    assert [result.image.shape[0] for result in together] == [3, 1, 3]
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one.image, other.image, rtol=0, atol=tolerance)
        if one.kernels is not None:
            torch.testing.assert_close(one.kernels, other.kernels, rtol=0, atol=tolerance)
            torch.testing.assert_close(one.kernel_field, other.kernel_field, rtol=0, atol=tolerance)
    if noise != "zero" and first.network.estimator is not None:
        again = restorations(network, "zero")[0].estimate()
        assert not torch.equal(again.kernel_field, alone[0].kernel_field)


def test_bfloat16_moves_an_image_a_little_and_kernels_not_at_all(network):
    full, half = (restorations(network, "sample", on)[0].estimate() for on in (False, True))
    assert half.image.dtype == torch.float32
    assert 0 < (full.image - half.image).abs().mean() < 0.01
    if full.kernels is not None:
        assert torch.equal(full.kernel_field, half.kernel_field)


def test_a_job_reads_a_network_once_and_runs_it_once_for_images_of_a_size(tmp_path, monkeypatch):
    save_weights(tmp_path)
    reads, passes = [], []
    load, forward = restoration.weights.load_network, UfpNet.forward
    monkeypatch.setattr(
        restoration.weights, "load_network", lambda *which: reads.append(which) or load(*which)
    )
    monkeypatch.setattr(
        UfpNet,
        "forward",
        lambda own, images, *more: passes.append(len(images)) or forward(own, images, *more),
    )
    method = METHODS["ufpnet"]
    settings = settings_of(method, weights=str(tmp_path))
    shapes = [(3, 40, 36), (3, 36, 40), (1, 40, 36)]
    tasks = [replace(task(method, observe(shape), settings), name=str(shape)) for shape in shapes]
    ended = dict(solve(tasks, batch=3))
    assert {restoration.status for restoration in ended.values()} == {Status.OK}
    assert [ended[str(shape)].image.shape for shape in shapes] == shapes
    assert (len(reads), sorted(passes)) == (1, [1, 2])
    save_weights(tmp_path)  # other files of the same names
    assert dict(solve(tasks[:1]))[str(shapes[0])].status is Status.OK
    assert len(reads) == 2
