import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmark.core.types import NotSupportedError
from methods.parts.image_priors.skip import DeepImagePrior, NonLocalBlock, SkipNetwork


def reference_keys(prefix="", scale=0, scales=5):
    """Our state-dict prefixes to those of the reference network, for all scales from `scale` on."""
    ours = "levels." + scale * "coarser."
    non_local = scale >= 2
    shift = 1 if non_local else 0  # the non-local block pushes what follows one place further
    keys = {
        f"{ours}skip.0": f"{prefix}1.0.1.1",
        f"{ours}skip.1": f"{prefix}1.0.2",
        f"{ours}down.0": f"{prefix}1.1.1.1",
        f"{ours}down.1": f"{prefix}1.1.2",
        f"{ours}encode.0": f"{prefix}1.1.{4 + shift}.1",
        f"{ours}encode.1": f"{prefix}1.1.{5 + shift}",
        f"{ours}merge": f"{prefix}2",
        f"{ours}decode.0": f"{prefix}3.1",
        f"{ours}decode.1": f"{prefix}4",
        f"{ours}mix.0": f"{prefix}6.1",
        f"{ours}mix.1": f"{prefix}7",
    }
    if non_local:
        names = {"theta": "theta", "phi": "phi.0", "g": "g.0", "project": "W.0", "norm": "W.1"}
        keys |= {f"{ours}non_local.{name}": f"{prefix}1.1.4.{theirs}" for name, theirs in names.items()}
    if scale + 1 < scales:
        keys |= reference_keys(f"{prefix}1.1.{7 + shift}.", scale + 1, scales)
    return keys | ({"head": "9.1"} if scale == 0 else {})


def reference_key(name):
    module, _, leaf = name.rpartition(".")
    return f"{reference_keys()[module]}.{leaf}"


def load_reference(network, arrays, prefix):
    network.double().load_state_dict(
        {name: torch.from_numpy(arrays[prefix + reference_key(name)]) for name in network.state_dict()}
    )
    return network


@pytest.mark.parametrize(("tag", "channels"), [("a", (8, 1)), ("b", (3, 3))])
@pytest.mark.parametrize("size", ["even", "odd"])
def test_matches_the_reference_forward_and_backward(fixture, tag, channels, size):
    arrays = fixture("dip_skip")
    network = load_reference(SkipNetwork(*channels, channels=8, skip_channels=4), arrays, f"{tag}/sd/")
    code = torch.from_numpy(arrays[f"{tag}/{size}/input"]).requires_grad_()

    output = network(code)
    loss = (output * torch.from_numpy(arrays[f"{tag}/{size}/weights"])).sum()
    loss.backward()

    np.testing.assert_allclose(output.detach(), arrays[f"{tag}/{size}/output"], rtol=0, atol=1e-11)
    np.testing.assert_allclose(loss.item(), arrays[f"{tag}/{size}/loss"], rtol=0, atol=1e-9)
    gradient = arrays[f"{tag}/{size}/grad_input"]
    np.testing.assert_allclose(code.grad, gradient, rtol=0, atol=1e-11 * abs(gradient).max())
    for name, parameter in network.named_parameters():
        expected = arrays[f"{tag}/{size}/gradnorm/{reference_key(name)}"]
        # A convolution's bias in front of a batch norm has no gradient but rounding.
        np.testing.assert_allclose(parameter.grad.norm(), expected, rtol=1e-9, atol=1e-9, err_msg=name)
    for buffer in ("running_mean", "running_var"):
        ours = network.state_dict()[f"levels.merge.{buffer}"]
        np.testing.assert_allclose(ours, arrays[f"{tag}/{size}/after/2.{buffer}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("channels", "parameters"), [((8, 1), 2_365_521), ((8, 3), 2_365_779), ((3, 6), 2_360_326)]
)
def test_full_width_has_the_published_number_of_parameters(channels, parameters):
    assert sum(p.numel() for p in SkipNetwork(*channels).parameters()) == parameters


def test_non_local_block_equals_the_explicit_attention_matrix():
    torch.manual_seed(0)
    block = NonLocalBlock(8).double()
    nn.init.uniform_(block.norm.weight)
    x = torch.rand(1, 8, 7, 6, dtype=torch.float64)

    query = block.theta(x).flatten(2).transpose(1, 2)
    key = functional.max_pool2d(block.phi(x), 2).flatten(2)
    value = functional.max_pool2d(block.g(x), 2).flatten(2).transpose(1, 2)
    matrix = query @ key / key.shape[2]
    expected = x + block.norm(block.project((matrix @ value).transpose(1, 2).unflatten(2, (7, 6))))

    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-12)


def test_non_local_block_starts_as_the_identity():
    x = torch.rand(1, 8, 6, 6)
    torch.testing.assert_close(NonLocalBlock(8)(x), x, rtol=0, atol=0)


def test_output_has_the_size_of_the_input_down_to_the_smallest():
    network = SkipNetwork(8, 1, channels=4, skip_channels=2)
    assert network(torch.rand(1, 8, 33, 47)).shape == (1, 1, 33, 47)
    with pytest.raises(NotSupportedError, match="at least 33 pixels"):
        network(torch.rand(1, 8, 32, 47))


def test_perturbation_moves_the_code_and_the_read_out_does_not():
    network = nn.Identity()
    prior = DeepImagePrior(network, torch.zeros(1, 2, 5, 5), noise_scale=0.5)
    assert prior(None).abs().max() == 0
    torch.testing.assert_close(prior(torch.ones(1, 2, 5, 5)), torch.full((2, 5, 5), 0.5))
