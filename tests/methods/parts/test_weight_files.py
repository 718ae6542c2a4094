import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from benchmark.core.errors import InputError
from benchmark.core.faults import MachineError
from methods.parts.weight_files import Stored, fill, frozen_network, read_network, save_network


def network(features=3):
    """Two layers with every kind of state: weights, statistics, a counter."""
    net = nn.Sequential(nn.Linear(4, features), nn.BatchNorm1d(features))
    net(torch.rand(5, 4, generator=torch.Generator().manual_seed(0)))
    return net


class Bomb:
    """An object that writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("half", [False, True])
def test_what_is_saved_is_read_again(tmp_path, half):
    path, net = tmp_path / "new" / "net.safetensors", network()
    save_network(path, net, {"kind": "test", "width": "3"}, half=half)
    stored = read_network(path)
    assert stored.metadata == {"kind": "test", "width": "3"}
    assert stored.number("width") == 3
    other = network()
    fill(other, stored)
    for name, tensor in net.state_dict().items():
        expected = tensor.half().float() if half and tensor.is_floating_point() else tensor
        assert torch.equal(other.state_dict()[name], expected)
        assert other.state_dict()[name].dtype == tensor.dtype
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_same_network_gives_the_same_bytes(tmp_path):
    metadata, net = {letter: letter for letter in "abcdefgh"}, network()
    for name in ("one", "two"):
        save_network(tmp_path / f"{name}.safetensors", net, metadata)
    one, two = (tmp_path / f"{name}.safetensors" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("text", ["[1]", '{"width": 3}', "{"])
def test_metadata_of_another_form_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / "net.safetensors"
    path.write_bytes(safetensors.torch.save(network().state_dict(), {"blindbench": text}))
    with pytest.raises(InputError, match=r"net\.safetensors: .*get the file again"):
        read_network(path)


def test_half_precision_halves_the_file(tmp_path):
    net = nn.Linear(100, 100)
    sizes = []
    for half in (False, True):
        save_network(tmp_path / "net.safetensors", net, {}, half=half)
        sizes.append((tmp_path / "net.safetensors").stat().st_size)
    assert sizes[0] - sizes[1] == pytest.approx(2 * 100 * 101, abs=100)


def test_pytorch_files_are_read_by_name(tmp_path):
    torch.save(network().state_dict(), tmp_path / "net.pth")
    other = network()
    nn.init.zeros_(other[0].weight)
    fill(other, read_network(tmp_path / "net.pth"))
    assert other[0].weight.abs().sum() > 0


def test_nothing_in_a_file_is_run(tmp_path):
    path, written = tmp_path / "net.pth", tmp_path / "written"
    for write in (torch.save, lambda content, file: file.write_bytes(pickle.dumps(content, protocol=2))):
        write({"weight": Bomb(written)}, path)
        with pytest.raises(InputError, match=r"net\.pth: holds more than weights"):
            read_network(path)
        assert not written.exists()


@pytest.mark.parametrize("name", ["net.safetensors", "net.pth"])
@pytest.mark.parametrize("left", [0, 5, 0.5, 0.99])
def test_damaged_files_are_one_line(tmp_path, name, left):
    path = tmp_path / name
    if path.suffix == ".pth":
        torch.save(network().state_dict(), path)
    else:
        save_network(path, network(), {})
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content)) if left < 1 else left])
    with pytest.raises(InputError, match=rf"{name}: [^\n]+$"):
        read_network(path)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.ones(2)])
def test_files_without_named_weights_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(InputError, match="no weights by name"):
        read_network(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (network(features=2), "0.weight is 2 x 4, not 3 x 4"),
        (nn.Sequential(nn.Linear(4, 3)), "1.weight is missing"),
        (nn.Sequential(*network(), nn.Linear(3, 1)), "2.bias does not belong there"),
    ],
)
def test_another_network_is_refused_by_name(tmp_path, other, problem):
    save_network(tmp_path / "net.safetensors", other, {})
    with pytest.raises(InputError, match=problem):
        fill(network(), read_network(tmp_path / "net.safetensors"))


@pytest.mark.parametrize("metadata", [{}, {"width": "wide"}])
def test_a_missing_number_is_named(tmp_path, metadata):
    save_network(tmp_path / "net.safetensors", network(), metadata)
    with pytest.raises(InputError, match="no number 'width'"):
        read_network(tmp_path / "net.safetensors").number("width")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="cannot be written"):
        save_network(tmp_path / "file" / "net.safetensors", network(), {})


@dataclass(frozen=True)
class Shape:
    width: int
    blocks: tuple[int, ...] = ()


def stored(**metadata):
    return Stored(Path("net.safetensors"), {}, metadata)


def test_a_description_becomes_its_dataclass():
    assert stored(shape='{"width": 3, "blocks": [1, 2]}').described("shape", Shape) == Shape(3, (1, 2))


@pytest.mark.parametrize("metadata", [{}, {"shape": "{"}, {"shape": "[1]"}, {"shape": '{"depth": 3}'}])
def test_a_description_of_another_form_is_refused(metadata):
    with pytest.raises(InputError, match=r"net\.safetensors: its metadata have no valid 'shape'"):
        stored(**metadata).described("shape", Shape)


def test_another_kind_of_network_is_refused():
    stored(kind="generator").require("kind", "generator")
    with pytest.raises(InputError, match="holds generator, not encoder"):
        stored(kind="generator").require("kind", "encoder")
    with pytest.raises(InputError, match="holds no known network, not encoder"):
        stored().require("kind", "encoder")


def test_a_frozen_network_has_the_weights_and_draws_nothing(tmp_path):
    saved = network()
    save_network(tmp_path / "net.safetensors", saved, {})
    before = torch.random.get_rng_state()
    loaded = frozen_network(
        lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), read_network(tmp_path / "net.safetensors")
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    saved.eval()
    assert torch.equal(loaded(torch.ones(2, 4)), saved(torch.ones(2, 4)))


def test_a_part_has_its_own_names(tmp_path):
    save_network(
        tmp_path / "net.safetensors", nn.ModuleDict({"one": network(), "other": nn.Linear(1, 1)}), {}
    )
    fill(network(), read_network(tmp_path / "net.safetensors").part("one"))
