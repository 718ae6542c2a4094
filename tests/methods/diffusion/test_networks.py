"""The UNets against the published code's numbers, and their files."""

import ast
import pickle

import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError, WeightsMissingError
from methods.diffusion import adm, ddpm, prior
from methods.diffusion.adm import AdmLayers, AdmUNet
from methods.diffusion.ddpm import DdpmLayers, DdpmUNet
from methods.diffusion.prior import PUBLISHED, build
from methods.diffusion.schedule import Chain

TINY = AdmLayers(8, (1, 2), 1, (2,), out_channels=3, head_channels=8, norm_groups=4)


def adm_layers(config):
    """Those of the published code's arguments."""
    return AdmLayers(
        channels=config["model_channels"],
        multipliers=config["channel_mult"],
        blocks=config["num_res_blocks"],
        attention=config["attention_resolutions"],
        in_channels=config["in_channels"],
        out_channels=config["out_channels"],
        head_channels=config["num_head_channels"],
        heads=config["num_heads"],
        up_heads=config["num_heads_upsample"],
        scale_shift=config["use_scale_shift_norm"],
        block_resampling=config["resblock_updown"],
        new_attention=config["use_new_attention_order"],
    )


def tensors(numbers, prefix, dtype):
    return {
        name.removeprefix(prefix): torch.from_numpy(value).to(dtype)
        for name, value in numbers.items()
        if name.startswith(prefix)
    }


def tiny_networks(fixture):
    """(network, its numbers) for each network of the fixtures."""
    numbers = fixture("diffusion_adm_unet")
    for name in "ab":
        own = {key.removeprefix(f"{name}/"): value for key, value in numbers.items()}
        yield AdmUNet(adm_layers(ast.literal_eval(str(own["config"])))), own
    numbers = fixture("diffusion_ddpm_unet")
    yield DdpmUNet(DdpmLayers(32, (1, 2), 1, (2,))), numbers


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(
    ("dtype", "of_output", "of_gradient"), [(torch.float64, 1e-9, 1e-8), (torch.float32, 2e-4, 2e-4)]
)
def test_networks_give_the_published_codes_outputs_and_gradients(
    fixture, dtype, of_output, of_gradient, checkpointing
):
    for network, numbers in tiny_networks(fixture):
        network.to(dtype).load_state_dict(tensors(numbers, "sd/", dtype))
        network.checkpointing = checkpointing
        images = torch.from_numpy(numbers["x"]).to(dtype).requires_grad_()
        output = network(images, torch.from_numpy(numbers["t"]))
        np.testing.assert_allclose(output.detach(), numbers["y"], rtol=0, atol=of_output)
        (gradient,) = torch.autograd.grad(output, images, torch.from_numpy(numbers["v"]).to(dtype))
        np.testing.assert_allclose(gradient, numbers["grad_x"], rtol=0, atol=of_gradient)


@pytest.mark.parametrize("module", [adm, ddpm])
@pytest.mark.parametrize("width", [32, 33])
def test_steps_are_embedded_as_published(fixture, module, width):
    name = module.__name__.rpartition(".")[2]
    numbers = fixture(f"diffusion_{name}_unet")
    steps = torch.from_numpy(numbers[f"timestep_embedding_{name}/t"])
    embedding = module.step_embedding(steps, width, torch.float64)
    np.testing.assert_allclose(embedding, numbers[f"timestep_embedding_{name}/dim{width}"], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("adm-128", "adm_128ch_256px"),
        ("adm-256", "adm_imagenet256_uncond"),
        ("adm-kernel", "blinddps_kernel"),
        ("ddpm-128", "celebahq_ddpm_legacy"),
    ],
)
def test_published_networks_have_the_names_shapes_and_numbers_of_their_files(fixture, name, published):
    numbers = fixture("diffusion_state_dict_layouts")
    with torch.device("meta"):
        state = build(PUBLISHED[name][0]).state_dict()
    shapes = {key: "x".join(map(str, tensor.shape)) for key, tensor in state.items()}
    expected = dict(zip(numbers[f"{published}/keys"], numbers[f"{published}/shapes"], strict=True))
    assert shapes == expected
    assert sum(tensor.numel() for tensor in state.values()) == numbers[f"{published}/n_params"]


def test_attention_in_the_other_order_is_another_network(fixture):
    (network, numbers), *_ = tiny_networks(fixture)
    network.double().load_state_dict(tensors(numbers, "sd/", torch.float64))
    for module in network.modules():
        if isinstance(module, adm._Attention):
            module.new_order = True
            module.heads = 2  # of one head, both orders are the same
    output = network(torch.from_numpy(numbers["x"]), torch.from_numpy(numbers["t"]))
    assert np.abs(output.detach().numpy() - numbers["y"]).max() > 1e-3


def saved(folder, kind="diffusion-image", layers=TINY):
    network = AdmUNet(layers)
    return network, prior.save(folder, network, kind, 16, steps=3, remark="demo", half=False, data="none")


def test_our_files_become_the_network_that_was_saved(tmp_path):
    network, path = saved(tmp_path)
    state = torch.get_rng_state()
    found = prior.load(path, "diffusion-image")
    assert torch.equal(torch.get_rng_state(), state)
    assert (found.side, found.label, found.network.layers) == (16, "diffusion-image-16 demo", TINY)
    assert not found.network.training
    assert not any(parameter.requires_grad for parameter in found.network.parameters())
    images = torch.rand(1, 3, 16, 16)
    assert torch.equal(found.output(images, 5), network(images, torch.tensor([5])))


def test_a_network_that_tells_the_velocity_gives_the_noise(tmp_path):
    path = prior.save(
        tmp_path,
        AdmUNet(TINY),
        "diffusion-image",
        16,
        steps=0,
        remark="",
        half=False,
        data="",
        predicts="velocity",
    )
    found = prior.load(path, "diffusion-image")
    clean, noise = torch.rand(1, 3, 16, 16), torch.randn(1, 3, 16, 16)
    level = Chain().levels[300]
    found.network.forward = lambda images, steps: level**0.5 * noise - (1 - level) ** 0.5 * clean
    noisy = level**0.5 * clean + (1 - level) ** 0.5 * noise
    torch.testing.assert_close(found.output(noisy, 300), noise, check_dtype=False)


def test_a_published_file_is_recognised_by_its_tensors(tmp_path):
    path = tmp_path / "kernel_checkpoint.pt"
    network = build(PUBLISHED["adm-kernel"][0])
    torch.save(network.state_dict(), path)
    found = prior.load(path, "diffusion-kernel")
    assert (found.side, found.label) == (64, "kernel_checkpoint official")
    assert torch.equal(found.network.out[2].weight, network.out[2].weight)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(WeightsMissingError, match=r"no\.pt: .*pretrain diffusion-kernel.*sources"):
        prior.load(tmp_path / "no.pt", "diffusion-kernel")


class Bomb:
    """An object that writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_files_that_cannot_be_used_are_refused_in_one_line(tmp_path):
    _, path = saved(tmp_path)
    truncated = tmp_path / "truncated.safetensors"
    truncated.write_bytes(path.read_bytes()[:-100])
    other = tmp_path / "other.pt"
    torch.save({"weight": torch.zeros(3)}, other)
    code = tmp_path / "code.pt"
    with code.open("wb") as file:
        pickle.dump(Bomb(tmp_path / "harm"), file)
    cut = tmp_path / "cut.pt"
    torch.save(build(PUBLISHED["adm-kernel"][0]).state_dict(), cut)
    cut.write_bytes(cut.read_bytes()[:100_000])
    lacking = tmp_path / "lacking.pt"
    state = build(PUBLISHED["adm-kernel"][0]).state_dict()
    del state["out.2.bias"]
    torch.save(state, lacking)
    for file, kind, said in (
        (truncated, "diffusion-image", "cannot be read as weights"),
        (other, "diffusion-image", "no diffusion model that is known here"),
        (code, "diffusion-image", "nothing in it was run"),
        (cut, "diffusion-kernel", "cannot be read as weights"),
        (lacking, "diffusion-kernel", "out.2.bias is missing"),
        (path, "diffusion-kernel", "not one of kernels"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            prior.load(file, kind)
        assert "\n" not in str(caught.value)
        assert str(file) in str(caught.value)
    assert not (tmp_path / "harm").exists()
