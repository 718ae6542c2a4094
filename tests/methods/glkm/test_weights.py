import pytest
import torch
from torch import nn

from benchmark.core.errors import InputError, WeightsMissingError
from methods.glkm.encoder import KernelEncoder
from methods.glkm.generator import LATENT, PUBLISHED_EPS, Generator
from methods.glkm.initializer import FastInitializer, Initializer
from methods.glkm.weights import (
    Origin,
    files,
    label,
    load_encoder,
    load_generator,
    load_initializer,
    save,
)
from methods.parts.weight_files import SHIPPED, save_network, weights_folder

CODES = torch.randn(2, LATENT, 1, 1, generator=torch.Generator().manual_seed(0))


def saved(weights, network, size=31, **more):
    return save(weights, network, size, **{"way": "GLKM-fast", "steps": 7, **more})


def test_a_generator_comes_back_frozen_with_its_origin(tmp_path):
    generator = Generator(31, width=4, bn_eps=1e-5).eval()
    path = saved(tmp_path, generator, remark="demo")
    assert path == tmp_path / "generator-31.safetensors"
    loaded, origin = load_generator(tmp_path, 31)
    assert origin == Origin("glkm-fast", 31, "demo")
    assert (loaded.size, loaded.width, loaded.bn_eps) == (31, 4, 1e-5)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert torch.equal(loaded(CODES), generator(CODES))


def test_an_initializer_and_an_encoder_come_back(tmp_path):
    initializer, encoder = Initializer(width=4).eval(), KernelEncoder(31).eval()
    saved(tmp_path, initializer, way="adversarial")
    saved(tmp_path, encoder)
    image = torch.rand(1, 1, 40, 36)
    loaded, origin = load_initializer(tmp_path, 31)
    assert torch.equal(loaded(image), initializer(image))
    assert origin == Origin("glkm", 31, "")
    kernels = torch.rand(2, 1, 31, 31)
    assert torch.equal(load_encoder(tmp_path, 31)[0](kernels)[0], encoder(kernels)[0])


def test_a_fast_initializer_comes_back_as_one(tmp_path):
    initializer = FastInitializer(31, width=4).eval()
    saved(tmp_path, initializer)
    loaded, _ = load_initializer(tmp_path, 31)
    image = torch.rand(1, 1, 40, 36)
    assert isinstance(loaded, FastInitializer)
    assert torch.equal(loaded(image), initializer(image))


def test_half_precision_hardly_moves_the_kernels(tmp_path):
    generator = Generator(31, width=4).eval()
    saved(tmp_path, generator, half=True)
    kernels = load_generator(tmp_path, 31)[0](CODES)
    # float16 keeps 11 bits of every weight, the logits are a few units large.
    torch.testing.assert_close(kernels, generator(CODES), rtol=1e-2, atol=0)


def test_the_published_files_load_by_their_names(tmp_path):
    generator, initializer = Generator(31).eval(), Initializer().eval()
    torch.save(generator.state_dict(), tmp_path / "netG_31.pth")
    torch.save(initializer.state_dict(), tmp_path / "netE_31.pth")
    loaded, origin = load_generator(tmp_path, 31)
    assert origin == Origin("glkm", 31, "official")
    assert loaded.bn_eps == PUBLISHED_EPS
    assert torch.equal(loaded(CODES), generator(CODES))
    assert load_initializer(tmp_path, 31)[1].remark == "official"
    assert [path.name for path in files(tmp_path)] == ["netE_31.pth", "netG_31.pth"]


def test_a_pair_for_any_size_serves_where_there_is_no_other(tmp_path):
    saved(tmp_path, Generator(75, width=2), size="any")
    loaded, origin = load_generator(tmp_path, 31)
    assert loaded.size == 75
    assert origin == Origin("glkm-fast", "any", "")
    saved(tmp_path, Generator(31, width=2))
    assert load_generator(tmp_path, 31)[0].size == 31


def test_the_pair_for_any_size_is_read_by_that_name_too(tmp_path):
    generator, encoder = Generator(75, width=2).eval(), KernelEncoder(75).eval()
    saved(tmp_path, generator, size="any")
    saved(tmp_path, encoder, size="any")
    assert torch.equal(load_generator(tmp_path, "any")[0](CODES), generator(CODES))
    assert load_encoder(tmp_path, "any")[0].size == 75
    with pytest.raises(WeightsMissingError, match=r"no initializer for kernels of any size; looked for init"):
        load_initializer(tmp_path, "any")


def test_an_initializer_of_another_generator_is_refused(tmp_path):
    own, other = Generator(31, width=2).eval(), Generator(31, width=2).eval()
    saved(tmp_path, own, half=True)
    read, _ = load_generator(tmp_path, 31)
    saved(tmp_path, Initializer(width=2), generator=read)
    assert load_initializer(tmp_path, 31, read)[1].size == 31
    with pytest.raises(InputError, match=r"initializer-31\.safetensors: was trained with another generator"):
        load_initializer(tmp_path, 31, other)
    saved(tmp_path, Initializer(width=2))  # of before this was noted
    load_initializer(tmp_path, 31, other)


def test_missing_weights_say_what_was_looked_for_and_what_to_do(tmp_path):
    saved(tmp_path, Generator(31, width=2))
    with pytest.raises(WeightsMissingError, match="no generator for kernels of 55 x 55") as raised:
        load_generator(tmp_path, 55)
    message = str(raised.value)
    for part in (str(tmp_path), "generator-55.safetensors", "netG_55.pth", "blindbench pretrain"):
        assert part in message
    with pytest.raises(WeightsMissingError, match=r"encoder-31\.safetensors and encoder-any"):
        load_encoder(tmp_path / "none", 31)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"kind": "initializer"}, "holds initializer, not generator"),
        ({}, "holds no known network"),
        ({"kind": "generator", "kernel_size": "45", "width": "2", "bn_eps": "0.8"}, "45 x 45, not 31 x 31"),
        ({"kind": "generator", "kernel_size": "31", "width": "3", "bn_eps": "0.8"}, "does not fit"),
        ({"kind": "generator", "kernel_size": "31", "bn_eps": "0.8"}, "no number 'width'"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path, metadata, reason):
    save_network(tmp_path / "generator-31.safetensors", Generator(31, width=2), metadata)
    with pytest.raises(InputError, match=reason):
        load_generator(tmp_path, 31)


def test_a_published_file_of_another_size_is_refused(tmp_path):
    torch.save(Generator(45).state_dict(), tmp_path / "netG_31.pth")
    with pytest.raises(InputError, match=r"netG_31\.pth: does not fit the network: layer1\.0\.weight"):
        load_generator(tmp_path, 31)


def test_provenance_knows_all_files_but_the_encoders(tmp_path):
    for network in (Generator(31, width=2), Initializer(width=2), KernelEncoder(31)):
        saved(tmp_path, network)
    save_network(tmp_path / "other.safetensors", nn.Linear(1, 1), {})
    assert [path.name for path in files(tmp_path)] == [
        "generator-31.safetensors",
        "initializer-31.safetensors",
    ]
    assert files(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        ([Origin("glkm", 31, "")], "glkm-31"),
        ([Origin("glkm-fast", 31, "demo"), Origin("glkm-fast", 31, "demo")], "glkm-fast-31 demo"),
        ([Origin("glkm", 31, ""), Origin("glkm", 31, "demo")], "glkm-31 demo"),
        ([Origin("glkm", 31, "official"), Origin("glkm-fast", 31, "")], "glkm-31 glkm-fast-31 official"),
    ],
)
def test_labels_name_every_part_once(origins, expected):
    assert label(*origins) == expected


def test_no_folder_means_the_shipped_one():
    assert weights_folder("") == SHIPPED
    assert weights_folder("mine").name == "mine"
