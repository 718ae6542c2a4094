import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.parts.image_priors.skip import (
    ConvBlock,
    DeepImagePrior,
    Level,
    NonLocalBlock,
    SkipNetwork,
    SkipSettings,
)
from methods.parts.precision import multiplying, processor_has_bfloat16
from methods.parts.settings import change
from methods.selfdeblur import METHOD

PRECISIONS = ("float32", "bfloat16")


def reference_keys(prefix="", scale=0, scales=5):
    """Our state-dict prefixes to those of the reference network, for all scales from `scale` on."""
    ours = "levels." + scale * "coarser."
    non_local = scale >= 2
    shift = 1 if non_local else 0  # the non-local block pushes what follows one place further
    keys = {
        f"{ours}skip.conv": f"{prefix}1.0.1.1",
        f"{ours}skip.norm": f"{prefix}1.0.2",
        f"{ours}down.conv": f"{prefix}1.1.1.1",
        f"{ours}down.norm": f"{prefix}1.1.2",
        f"{ours}encode.conv": f"{prefix}1.1.{4 + shift}.1",
        f"{ours}encode.norm": f"{prefix}1.1.{5 + shift}",
        f"{ours}merge": f"{prefix}2",
        f"{ours}decode.conv": f"{prefix}3.1",
        f"{ours}decode.norm": f"{prefix}4",
        f"{ours}mix.conv": f"{prefix}6.1",
        f"{ours}mix.norm": f"{prefix}7",
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
        np.testing.assert_allclose(parameter.grad.norm(), expected, rtol=1e-9, atol=1e-9, err_msg=name)
    for buffer in ("running_mean", "running_var"):
        ours = network.state_dict()[f"levels.merge.{buffer}"]
        np.testing.assert_allclose(ours, arrays[f"{tag}/{size}/after/2.{buffer}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("channels", "parameters"), [((8, 1), 2_365_521), ((8, 3), 2_365_779), ((3, 6), 2_360_326)]
)
def test_full_width_has_the_published_number_of_parameters(channels, parameters):
    network = SkipNetwork(*channels)
    # The published network has a bias in front of each batch norm but those of merged maps.
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    biases = sum(norm.num_features for norm in norms) - 5 * (16 + 128)
    assert sum(p.numel() for p in network.parameters()) + biases == parameters


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 1), (3, 2)])
def test_a_block_is_padding_convolution_batch_norm_and_leaky_relu(size, stride):
    torch.manual_seed(0)
    block = ConvBlock(3, 5, size, stride).double()
    nn.init.normal_(block.norm.weight)
    nn.init.normal_(block.norm.bias)
    x = torch.rand(1, 3, 7, 8, dtype=torch.float64, requires_grad=True)
    inputs = (x, *block.parameters())
    out = block(x)
    weights = torch.rand_like(out)

    padded = functional.pad(x, (size // 2,) * 4, mode="reflect") if size > 1 else x
    bias = torch.rand(5, dtype=torch.float64)  # the batch norm subtracts it
    mixed = functional.conv2d(padded, block.conv.weight, bias, stride)
    normed = functional.batch_norm(mixed, None, None, block.norm.weight, block.norm.bias, training=True)
    expected = functional.leaky_relu(normed, 0.2)

    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    gradients = torch.autograd.grad((weights * out).sum(), inputs)
    for ours, plain in zip(gradients, torch.autograd.grad((weights * expected).sum(), inputs), strict=True):
        torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)


def test_a_block_gives_no_gradient_to_an_input_that_needs_none():
    block, x = ConvBlock(3, 5, 3), torch.rand(1, 3, 7, 8)
    block(x).sum().backward()
    assert x.grad is None
    assert block.conv.weight.grad is not None


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


def test_bfloat16_rounds_the_maps_and_nothing_else():
    torch.manual_seed(0)
    exact, rounded = (SkipNetwork(8, 1, channels=8, skip_channels=4, precision=p) for p in PRECISIONS)
    rounded.load_state_dict(exact.state_dict())
    seen = []
    for block in (rounded.levels.down, rounded.levels.coarser.coarser.non_local, rounded.levels.mix):
        block.register_forward_hook(lambda _, inputs, out: seen.extend([inputs[0].dtype, out.dtype]))
    code = torch.rand(1, 8, 40, 44)
    image, less = exact(code), rounded(code)

    assert set(seen) == {torch.bfloat16}
    assert less.dtype == torch.float32
    assert 0 < (image - less).abs().max() < 0.05
    assert len(less.unique()) > 1500  # of 1760: the image itself is not rounded to 8 bits
    less.square().mean().backward()
    image.square().mean().backward()
    gradients = [[parameter.grad for parameter in network.parameters()] for network in (exact, rounded)]
    assert {gradient.dtype for gradient in gradients[1]} == {torch.float32}
    whole, near = (torch.cat([gradient.flatten() for gradient in own]) for own in gradients)
    assert (near - whole).norm() < 0.2 * whole.norm()


@pytest.mark.parametrize(
    ("precision", "here", "used"),
    [
        ("float32", True, "float32"),
        ("auto", True, "bfloat16"),
        ("auto", False, "float32"),
        ("bfloat16", True, "bfloat16"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_has_it(precision, here, used, monkeypatch):
    monkeypatch.setattr("methods.parts.precision.processor_has_bfloat16", lambda: here)
    settings = SkipSettings(channels=4, skip_channels=2, scales=2, precision=precision)
    assert settings.draw(1, (20, 24), (5, 5), torch.Generator().manual_seed(0)).precision == used


def test_bfloat16_is_refused_on_a_processor_without_it(monkeypatch):
    monkeypatch.setattr("methods.parts.precision.processor_has_bfloat16", lambda: False)
    with pytest.raises(ValueError, match=r"^precision: this processor has no bfloat16"):
        SkipSettings(precision="bfloat16")


class Gpu:
    """A GPU of some compute capability; none if that is None."""

    def __init__(self, monkeypatch, capability):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)


@pytest.mark.parametrize("capability", [None, (7, 5)])
def test_tf32_is_refused_without_a_gpu_that_has_it(capability, monkeypatch):
    Gpu(monkeypatch, capability)
    with pytest.raises(ValueError, match=r"^precision: tf32 needs an NVIDIA GPU from A100 on"):
        SkipSettings(precision="tf32")


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_what_only_the_gpu_has_is_refused_on_the_cpu_beside_it(precision, monkeypatch):
    Gpu(monkeypatch, (9, 0))
    monkeypatch.setattr("methods.parts.precision.processor_has_bfloat16", lambda: False)
    settings = change(METHOD.settings(), precision=precision)
    observation = Observation("test", "case", np.full((1, 40, 40), 0.5, np.float32), (5, 5))
    with pytest.raises(NotSupportedError, match=f"^precision: {precision} is for the GPU here"):
        METHOD.problem(observation, settings, torch.Generator().manual_seed(0), torch.device("cpu"))


def test_a_run_in_tf32_says_so():
    network = SkipNetwork(2, 1, channels=4, skip_channels=2, scales=2, precision="tf32")
    prior = DeepImagePrior(network, torch.rand(1, 2, 24, 24), 0.0)
    assert prior.precision == "tf32"
    assert prior().dtype == torch.float32


@pytest.mark.parametrize(
    ("precision", "inside"), [("float32", "ieee"), ("bfloat16", "ieee"), ("tf32", "tf32")]
)
def test_only_tf32_lets_a_gpu_round_products(precision, inside):
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    before = [switch.fp32_precision for switch in switches]
    with multiplying(precision, torch.device("cuda", 0)):
        assert [switch.fp32_precision for switch in switches] == [inside, inside]
    assert [switch.fp32_precision for switch in switches] == before
    with multiplying(precision, torch.device("cpu")):
        assert [switch.fp32_precision for switch in switches] == before


@pytest.mark.parametrize(
    ("features", "has"), [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx2": True}, False)]
)
def test_the_processor_is_asked_for_the_instructions(features, has, monkeypatch):
    processor_has_bfloat16.cache_clear()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert processor_has_bfloat16() is has
    processor_has_bfloat16.cache_clear()


def narrowing(number, entering, down, up, skip, coarser):
    """A `Level` whose width on the way up differs from that on the way down, as in the fixture."""
    level = Level(entering, down, skip, coarser, non_local=False)
    deep = down if coarser is None else coarser.mix.conv.out_channels
    level.merge = nn.BatchNorm2d(skip + deep)
    level.decode, level.mix = ConvBlock(skip + deep, up, 3), ConvBlock(up, up, 1)
    parts = {
        "skip.conv": "skip_conv", "skip.norm": "skip_bn", "down.conv": "down_conv1", "down.norm": "down_bn1",
        "encode.conv": "down_conv2", "encode.norm": "down_bn2", "merge": "cat_bn", "decode.conv": "up_conv1",
        "decode.norm": "up_bn1", "mix.conv": "up_conv2", "mix.norm": "up_bn2",
    }  # fmt: skip
    return level, {ours: f"s{number}_{theirs}" for ours, theirs in parts.items()}


def test_without_non_local_blocks_it_is_the_network_of_robust_bid(fixture):
    arrays = fixture("robust_dip")
    level, network = None, SkipNetwork(4, 3, channels=5, skip_channels=2, scales=3, non_local_from=3)
    for number, entering, down, up, skip in ((3, 7, 8, 7, 2), (2, 6, 7, 6, 3), (1, 4, 6, 5, 2)):
        level, parts = narrowing(number, entering, down, up, skip, level)
        modules = dict(level.named_modules())
        for ours, theirs in parts.items():
            gain = f"{theirs}_{'g' if 'bn' in theirs else 'w'}"
            modules[ours].weight = nn.Parameter(torch.from_numpy(arrays[gain]))
            if modules[ours].bias is not None:
                modules[ours].bias = nn.Parameter(torch.from_numpy(arrays[f"{theirs}_b"]))
    network.levels = level
    network.double()
    for name in ("weight", "bias"):
        setattr(network.head, name, nn.Parameter(torch.from_numpy(arrays[f"out_{name[0]}"])))
    output = network(torch.from_numpy(arrays["z"]))
    np.testing.assert_allclose(output.detach(), arrays["x"], rtol=0, atol=1e-12)
    (torch.from_numpy(arrays["T"]) * output).sum().backward()
    gradient = arrays["grad_s1_down_conv1_w"]
    np.testing.assert_allclose(level.down.conv.weight.grad, gradient, rtol=0, atol=1e-12)
