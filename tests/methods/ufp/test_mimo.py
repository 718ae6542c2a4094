"""MIMO-UNet+ against the released code, and the attention to kernels in it."""

import numpy as np
import pytest
import torch

from methods import mimo
from methods.ufp.counts import properties
from methods.ufp.mimo import MimoUnet, every_second, multi_scale_loss
from methods.ufp.network import Shape, UfpNet, mimo_shape
from methods.ufp.published import renamed_mimo
from tests.methods.ufp.rule import value


def parameters(**sizes):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in MimoUnet(**sizes).parameters())


def test_the_published_network_has_its_printed_size():
    assert mimo.METHODS[0].properties()["parameters-M"] == pytest.approx(16.1, abs=0.05)


def test_the_module_adds_what_its_formula_says():
    length = 19**2
    attention = sum(36 * c * c + 9 * length * c + 4 * c for c in (32, 64, 128))
    module = attention + 2 * (4 * length**2 + length)
    assert parameters(kernel_size=19) - parameters() == module
    kernels = 5_619_858 + 194_470  # of the estimator and the flow
    whole = properties(mimo_shape(kernels=Shape()), side=16)["parameters-M"]
    assert round(1e6 * whole) == parameters() + module + kernels


def released_names(blocks):
    """The names of the released code's convolutions."""
    names = [f"feat_extract.{number}" for number in range(6)]
    for scale in range(3):
        for block in range(blocks):
            names += [
                f"{kind}coder.{scale}.layers.{block}.main.{part}" for kind in ("En", "De") for part in (0, 1)
            ]
    for number in (0, 1):
        names += [f"Convs.{number}", f"ConvsOut.{number}", f"AFFs.{number}.conv.0", f"AFFs.{number}.conv.1"]
        names += [f"SCM{number + 1}.main.{part}" for part in range(4)]
        names += [f"SCM{number + 1}.conv", f"FAM{number + 1}.merge"]
    return names


def rule_network(width, blocks):
    """A float64 network whose weights come from the released code's names."""
    names = [f"{name}.main.0.{last}" for name in released_names(blocks) for last in ("weight", "bias")]
    ours = {
        next(iter(renamed_mimo({name: torch.empty(0)}))).removeprefix("restorer."): name for name in names
    }
    with torch.random.fork_rng():
        network = MimoUnet(width, blocks).double().eval()
    state = network.state_dict()
    assert ours.keys() == state.keys()
    network.load_state_dict(
        {
            name: torch.from_numpy(0.5 * value(ours[name], tuple(tensor.shape)))
            for name, tensor in state.items()
        }
    )
    return network


def test_the_network_and_its_loss_match_the_released_code(fixture):
    arrays = {name: torch.from_numpy(array) for name, array in fixture("mimo_unet").items()}
    with torch.no_grad():
        residuals = rule_network(8, 2).residuals(arrays["image"], [])
    for scale, name in enumerate(("full", "half", "quarter")):
        restored = every_second(arrays["image"], scale) + residuals[scale]
        torch.testing.assert_close(restored, arrays[name], rtol=0, atol=1e-12)
    loss = multi_scale_loss(arrays["image"], residuals, arrays["sharp"])
    torch.testing.assert_close(loss, arrays["loss"], rtol=0, atol=1e-12)


@pytest.fixture
def pair():
    rng = torch.Generator().manual_seed(0)
    sharp = torch.rand(1, 3, 24, 32, generator=rng)
    kernels = torch.rand(1, 9, 24, 32, generator=rng)
    return (sharp + sharp.roll(1, -1)) / 2, sharp, kernels / kernels.sum(1, keepdim=True)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MimoUnet(width=8, blocks=1, kernel_size=3)


def test_images_of_three_sizes_come_out_and_depend_on_the_kernels(network, pair):
    blurry, _, kernels = pair
    network.eval()
    with torch.no_grad():
        outputs, others = (
            network.residuals(blurry, network.kernel_features(field)) for field in (kernels, kernels.flip(1))
        )
    assert [tuple(output.shape) for output in outputs] == [(1, 3, 24, 32), (1, 3, 12, 16), (1, 3, 6, 8)]
    for output, other in zip(outputs, others, strict=True):
        assert not torch.equal(output, other)


def test_it_learns(network, pair):
    blurry, sharp, kernels = pair
    adam = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(40):
        loss = multi_scale_loss(blurry, network.residuals(blurry, network.kernel_features(kernels)), sharp)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name


def test_a_training_step_leaves_out_a_tenth_of_the_fused_channels(network):
    fused = torch.ones(1, 10_000, 1, 1)
    left_out = (network.train().dropout(fused) == 0).double().mean().item()
    assert left_out == pytest.approx(0.1, abs=0.02)
    assert torch.equal(network.eval().dropout(fused), fused)


def test_with_kernels_it_is_a_restoring_network_of_the_family():
    shape = mimo_shape(8, 1, Shape(kernel_size=5, estimator=(2, 3, 4), flow_hidden=3))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UfpNet(shape).eval()
    image = torch.rand(1, 3, 21, 30, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        restored, kernels = network(image)
        np.testing.assert_array_equal(restored, network(image)[0])
        shifted, _ = network(image.roll(4, -1))
    assert restored.shape == image.shape
    assert kernels.shape == (1, 25, 21, 30)
    assert not torch.equal(shifted, restored)
