"""Models in the format of diffusers: as priors, and as a second opinion on our network."""

import json
import pickle
import re
import sys

import pytest
import torch

from benchmark.core.errors import InputError
from methods.diffusion import hub, prior
from methods.diffusion.ddpm import DdpmLayers, DdpmUNet
from methods.diffusion.view import memory_need
from methods.parts import registry
from methods.parts.settings import compose

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")

LAYERS = DdpmLayers(32, (1, 2), 1, (2,))  # of the published code's kind, small


@pytest.fixture(scope="module")
def model():
    """The library's network of `LAYERS`, as its conversion of the published code sets it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return diffusers.UNet2DModel(
            sample_size=16, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(32, 64),
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=None, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-6,
        ).eval()  # fmt: skip


@pytest.fixture
def folder(model, tmp_path):
    """What a pipeline with it saves."""
    scheduler = diffusers.DDPMScheduler(1000, 1e-4, 0.02, "linear")
    diffusers.DDPMPipeline(model, scheduler).save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def rewrite(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def ours(name, coarsest):
    """The library's name of a tensor in the published code's words."""
    name = re.sub(r"^time_embedding\.linear_([12])", lambda m: f"temb.dense.{int(m[1]) - 1}", name)
    name = re.sub(r"^down_blocks\.(\d+)", r"down.\1", name)
    name = re.sub(r"^up_blocks\.(\d+)", lambda m: f"up.{coarsest - int(m[1])}", name)
    name = re.sub(r"^mid_block\.resnets\.([01])", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("conv_norm_out", "norm_out")
    name = name.replace("attentions", "attn").replace("resnets", "block").replace("to_out.0", "proj_out")
    name = re.sub(r"(down|up)samplers\.0", r"\1sample", name)
    name = name.replace("time_emb_proj", "temb_proj").replace("conv_shortcut", "nin_shortcut")
    return name.replace("group_norm", "norm").replace("to_", "")


def test_our_ddpm_network_is_the_librarys(model):
    network = DdpmUNet(LAYERS).eval()
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    tensors = {ours(name, 1): tensor for name, tensor in model.state_dict().items()}
    # Its attention has linear layers where the published code has convolutions of one pixel.
    network.load_state_dict({name: tensor.reshape(shapes[name]) for name, tensor in tensors.items()})
    images, steps = (
        torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)),
        torch.tensor([3, 900]),
    )
    with torch.no_grad():
        torch.testing.assert_close(network(images, steps), model(images, steps).sample, rtol=1e-4, atol=1e-5)


def test_a_folder_of_the_hub_is_a_prior(model, folder):
    loaded = prior.load(folder, "diffusion-image")
    assert (loaded.side, loaded.label, loaded.predicts) == (16, "tiny hub", "noise")
    assert loaded.network.layers.factor == 2
    images = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(images, torch.tensor([7])).sample
        torch.testing.assert_close(loaded.output(images, 7), expected)
    assert {path.name for path in prior.files_of(folder)} == {
        "config.json", "diffusion_pytorch_model.safetensors", "scheduler_config.json",
    }  # fmt: skip
    assert memory_need(loaded, images.shape, True) > memory_need(loaded, images.shape, False)


def test_all_in_one_folder_will_do_and_a_velocity_becomes_noise(model, tmp_path):
    model.save_pretrained(tmp_path)
    diffusers.DDPMScheduler(1000, prediction_type="v_prediction").save_pretrained(tmp_path)
    loaded = prior.load(tmp_path, "diffusion-image")
    assert loaded.predicts == "velocity"
    assert len(prior.files_of(tmp_path)) == 3


def test_checkpointing_changes_no_gradient(folder):
    network = prior.load(folder, "diffusion-image").network
    gradients = []
    for wanted in (False, True):
        network.checkpointing = wanted
        assert network.checkpointing == wanted
        images = torch.ones(1, 3, 16, 16, requires_grad=True)
        gradients += torch.autograd.grad(network(images, torch.tensor([5])).square().sum(), images)
    torch.testing.assert_close(*gradients)


def test_a_method_names_its_folder_in_the_settings(folder):
    method = registry.find("bird")
    settings = compose(method.settings, prior=str(folder))
    assert len(method.files("case", settings)) == 3


def broken(folder, how):
    """One thing wrong with a good folder."""
    model, schedule = folder / "unet", folder / "scheduler" / "scheduler_config.json"
    weights = model / hub.WEIGHTS[0]
    match how:
        case "another chain":
            rewrite(schedule, beta_schedule="squaredcos_cap_v2")
        case "another range":
            rewrite(schedule, beta_end=0.012)
        case "no number":
            rewrite(schedule, beta_start="a")
        case "no widths":
            rewrite(model / "config.json", block_out_channels=2)
        case "no chain":
            schedule.unlink()
        case "no weights":
            weights.unlink()
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:1000])
        case "other weights":
            rewrite(model / "config.json", block_out_channels=[32, 96])
        case "conditional":
            rewrite(model / "config.json", _class_name="UNet2DConditionModel")
        case "no JSON":
            (model / "config.json").write_text("{")
        case "code":
            weights.unlink()
            (model / hub.WEIGHTS[1]).write_bytes(pickle.dumps(Bomb()))


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the file was executed",))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("another chain", "another chain than the linear one"),
        ("another range", "another chain than the linear one"),
        ("no number", "another chain than the linear one"),
        ("no widths", "describes no UNet2DModel"),
        ("no chain", "scheduler_config.json: cannot be read"),
        ("no weights", "has none of diffusion_pytorch_model.safetensors"),
        ("truncated", "cannot be read as a model"),
        ("other weights", "cannot be read as a model|do not fit each other"),
        ("conditional", "describes no UNet2DModel"),
        ("no JSON", "config.json: is no JSON"),
        ("code", "cannot be read as a model"),
    ],
)
def test_folders_that_cannot_be_used_are_refused_in_one_line(how, message, folder):
    broken(folder, how)
    with pytest.raises(InputError, match=message) as caught:
        prior.load(folder, "diffusion-image")
    assert "\n" not in str(caught.value)


def test_a_model_of_kernels_is_not_one_of_images(folder):
    with pytest.raises(InputError, match="a model with 3 channels, not one of kernels"):
        prior.load(folder, "diffusion-kernel")


def test_without_the_library_the_message_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(InputError, match=re.escape("pip install 'blindbench[hub]'")):
        prior.load(folder, "diffusion-image")
