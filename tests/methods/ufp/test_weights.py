"""Checkpoints of ours and of the authors: found, read, refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError, WeightsMissingError
from benchmark.core.types import Observation, Status
from benchmark.runs.settings import effective
from methods import nafnet, ufpnet
from methods.parts.settings import compose
from methods.parts.solver import Task, solve
from methods.ufp import weights
from methods.ufp.network import Shape, UfpNet, mimo_shape
from methods.ufp.published import renamed, renamed_mimo
from tests.methods.ufp.rule import manifest
from tests.methods.ufp.test_mimo import released_names

SMALL = Shape(
    width=4, encoder=(1, 1), decoder=(1, 1), kernel_size=5, attending=2, estimator=(2, 3, 4), flow_hidden=3,
    renormalised=True,
)  # fmt: skip


def random_network(shape, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = UfpNet(shape)
        for block in network.modules():
            for name in ("beta", "gamma"):
                parameter = getattr(block, name, None)
                if isinstance(parameter, torch.nn.Parameter) and parameter.ndim == 4:
                    torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


@pytest.fixture
def folder(tmp_path):
    for stage, shape in (("ufpnet", SMALL), ("nafnet", replace(SMALL, kernel_size=0))):
        weights.save(tmp_path, random_network(shape), stage, shape, 3, "demo", half=False)
    return tmp_path


def restored(method, blurry, folder, grid=(1, 1), seed=0, **settings):
    model = "uniform" if grid == (1, 1) else "nonuniform"
    observation = Observation("test", "case", blurry, (5, 5), model, grid=grid)

    def build():
        chosen = compose(method.Settings, weights=str(folder), **settings)
        rng = torch.Generator().manual_seed(seed)
        return method.problem(observation, chosen, rng, torch.device("cpu"))

    (_, restoration), *_ = solve([Task("case", build)])
    return restoration


def image(channels=3, height=40, width=52):
    return np.random.default_rng(0).random((channels, height, width), np.float32)


def test_a_network_comes_back_as_it_was(folder):
    network, label = weights.load_network(folder, "ufpnet")
    assert label == "ufpnet-5 demo (4 channels, 5 blocks, 3 steps)"
    assert network.shape == SMALL
    for name, tensor in random_network(SMALL).state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_authors_file_is_read_and_goes_first(folder, monkeypatch):
    shape = replace(SMALL, encoder=(1,), decoder=(1,), attending=1)
    monkeypatch.setitem(weights._PUBLISHED, "ufpnet", weights.Published("net_g_latest.pth", shape))
    network = random_network(shape, seed=1)
    state = network.state_dict()
    names = {ours: name for name in manifest() for ours in renamed({name: torch.empty(0)})}
    # The deepest decoder of the authors' four levels is number 0, ours is the last of one.
    published = {f"module.{names[ours]}": tensor for ours, tensor in state.items()}
    torch.save({"params": published}, folder / "net_g_latest.pth")
    found, label = weights.load_network(folder, "ufpnet")
    assert label == "ufpnet-5 official"
    for name, tensor in state.items():
        assert torch.equal(found.state_dict()[name], tensor)


def test_the_authors_mimo_unet_is_read(tmp_path, monkeypatch):
    shape = mimo_shape(8, 1)
    published = weights._PUBLISHED["mimo"]
    monkeypatch.setitem(weights._PUBLISHED, "mimo", replace(published, shape=shape))
    network = random_network(shape, seed=1)
    names = [f"{name}.main.0.{last}" for name in released_names(1) for last in ("weight", "bias")]
    ours = {next(iter(renamed_mimo({name: torch.empty(0)}))): name for name in names}
    state = {ours[name]: tensor for name, tensor in network.state_dict().items()}
    torch.save({"model": state, "epoch": 3000}, tmp_path / "MIMO-UNetPlus.pkl")
    found, label = weights.load_network(tmp_path, "mimo")
    assert label == "mimo official"
    for name, tensor in network.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)
    with pytest.raises(WeightsMissingError, match=r"no mimo-ufp\*\.safetensors; train it with"):
        weights.load_network(tmp_path, "mimo-ufp")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weights": {}}, "holds no weights by name"),
        ({"params": {"intro.weight": torch.zeros(1)}}, "does not fit the network"),
        ({"params": print}, "holds more than weights"),
    ],
)
def test_other_files_under_the_authors_name_are_one_line(tmp_path, content, message):
    torch.save(content, tmp_path / "net_g_latest.pth")
    with pytest.raises(InputError, match=message):
        weights.load_network(tmp_path, "ufpnet")


def test_missing_and_ambiguous_weights_are_one_line(folder, tmp_path):
    with pytest.raises(WeightsMissingError, match=r"neither net_g_latest\.pth nor a ufpnet"):
        weights.load_network(tmp_path / "none", "ufpnet")
    shape = replace(SMALL, kernel_size=7)
    weights.save(folder, random_network(shape), "ufpnet", shape, 3, "", half=False)
    with pytest.raises(InputError, match="leave one of them"):
        weights.load_network(folder, "ufpnet")


@pytest.mark.parametrize("channels", [1, 3])
def test_kernels_of_a_uniform_blur_are_the_means_of_the_field(folder, channels):
    restoration = restored(ufpnet, image(channels), folder, field_stride=1)
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.image.shape == (channels, 40, 52)
    assert restoration.kernels.shape == (1, 5, 5)
    assert restoration.kernel_field.shape == (40, 52, 5, 5)
    np.testing.assert_allclose(restoration.kernels[0], restoration.kernel_field.mean((0, 1)), atol=1e-6)
    assert restoration.weights.startswith("ufpnet-5 demo (")


def test_patches_of_a_non_uniform_blur_have_a_kernel_each(folder):
    restoration = restored(ufpnet, image(), folder, grid=(2, 3), field_stride=4)
    assert restoration.kernels.shape == (6, 5, 5)
    assert restoration.kernel_field.shape == (10, 13, 5, 5)


def test_the_codes_are_moved_once_by_default_as_in_the_authors_code(folder):
    moved, same = (restored(ufpnet, image(), folder).image for _ in range(2))
    np.testing.assert_array_equal(moved, same)
    np.testing.assert_array_equal(moved, restored(ufpnet, image(), folder, noise="sample").image)
    other = restored(ufpnet, image(), folder, seed=1).image
    assert not np.array_equal(other, moved)
    still, again = (restored(ufpnet, image(), folder, noise="zero", seed=seed).image for seed in (0, 1))
    np.testing.assert_array_equal(still, again)
    assert not np.array_equal(moved, still)
    mean = restored(ufpnet, image(), folder, noise="mean", samples=16).image
    assert np.abs(mean - still).mean() < np.abs(moved - still).mean()


def test_nafnet_estimates_no_kernels(folder):
    restoration = restored(nafnet, image(), folder)
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.kernels is None
    assert restoration.kernel_field is None
    assert restoration.weights == "nafnet demo (4 channels, 5 blocks, 3 steps)"


def test_tiny_images_are_declined_with_a_sentence(folder):
    restoration = restored(ufpnet, image(3, 5, 5), folder)
    assert restoration.status is Status.OK
    shape = replace(SMALL, encoder=(1, 1, 1, 1), decoder=(1, 1, 1, 1))
    for path in folder.glob("ufpnet*"):
        path.unlink()
    weights.save(folder, random_network(shape), "ufpnet", shape, 3, "", half=False)
    declined = restored(ufpnet, image(3, 6, 6), folder)
    assert declined.status is Status.NOT_SUPPORTED
    assert "multiples of 16 px a side, this one has 6 x 6" in declined.reason


def test_a_number_of_samples_is_refused_where_their_mean_is_not_taken():
    with pytest.raises(InputError, match="'samples' has no effect with noise: sample"):
        effective(ufpnet.Settings, {"samples": 4}, "ufpnet")
    assert effective(ufpnet.Settings, {"samples": 4, "noise": "mean"}, "ufpnet").kernels.samples == 4
