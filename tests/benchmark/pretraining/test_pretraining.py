"""From an order to weights and what is said of them, with photographs of scikit-image."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from skimage import data

from benchmark.core.errors import InputError
from benchmark.pretraining import job as pretraining
from benchmark.pretraining import photographs as training_photographs
from benchmark.pretraining import quality as training_quality
from benchmark.pretraining import sheet as training_sheet
from benchmark.pretraining.job import Job, Order, jobs, pretrain
from benchmark.pretraining.photographs import collect, read
from methods.glkm import weights
from methods.parts.resume import DIGEST_BYTES
from methods.parts.weight_files import read_network
from methods.training import generator as generator_module
from methods.training import held_out
from methods.training.kernels import silent
from tests.conftest import ROOT

CPU = torch.device("cpu")
DECODER = {"kernel_size": 13, "kernels": 200, "width": 8, "batch": 32, "rate": 3e-3}
INITIALIZER = {
    **{"kernel_size": 13, "kernels": 200, "width": 8, "batch": 16, "crop": 64, "rate": 3e-3},
    **{"borders": "valid", "targets": "encoder", "kernel_loss": "kl", "schedule": "cosine"},
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of four photographs and a text."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("astronaut", "camera", "coffee", "rocket"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")
    (folder / "ORIGIN.txt").write_text("scikit-image")
    return folder


@pytest.fixture
def quick(monkeypatch):
    """Few held-out items."""
    monkeypatch.setattr(pretraining, "HELD_OUT", 20)
    monkeypatch.setattr(training_quality, "RATIOS", 2)
    monkeypatch.setattr(training_sheet, "MOST", 3)
    monkeypatch.setattr(generator_module, "INVERSION_STEPS", 20)


def quality(folder, stem):
    return json.loads((folder / f"{stem}.json").read_text())["quality"]


def test_training_pays_and_everything_is_written(quick, photographs, tmp_path):
    images = (str(photographs),)
    found = {}
    for steps in (1, 80):
        folder = tmp_path / str(steps)
        decoder = Job.checked(Order("decoder", DECODER, steps=steps, remark="tiny"), folder)
        assert pretrain(decoder, CPU, 1, silent)
        order = Order("initializer", INITIALIZER, images, terms="CC0", steps=steps, remark="tiny", half=True)
        initializer = Job.checked(order, folder)
        assert pretrain(initializer, CPU, 1, silent)
        assert not pretrain(initializer, CPU, 1, silent)  # finished
        found[steps] = quality(folder, "decoder-13"), quality(folder, "initializer-13")
    before, after = found[1], found[80]
    for name in ("encoder", "random code"):
        assert after[0][name]["similarity"] > before[0][name]["similarity"] + 0.1
    assert after[1]["initializer"]["similarity"] > before[1]["initializer"]["similarity"] + 0.1
    assert set(after[1]["initializer"]) >= {"similarity_low", "misplaced", "ratio", "success"}
    assert after[0]["generated"]["correlation"] > after[0]["real"]["correlation"]  # soon after the start
    for stem in ("decoder-13", "initializer-13"):
        assert Image.open(folder / f"{stem}.png").size[0] > 300
        assert list(pd.read_csv(folder / f"{stem}.csv").step) == [1, 50, 80]
    network, origin = weights.load_initializer(folder, 13)
    assert weights.label(origin) == "glkm-fast-13 tiny"
    assert network.width == 8
    card = (folder / "initializer-13.md").read_text()
    for said in ("`glkm-fast-13 tiny`", "CC0", "3 photographs", "1 more held out", "--steps 80", "float16"):
        assert said in card
    assert not list(folder.glob("*checkpoint*"))


def test_one_network_for_all_sizes_is_judged_at_each(quick, photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(generator_module, "INVERSION_STEPS", 1)
    monkeypatch.setattr(held_out, "YARDSTICK", 2)
    monkeypatch.setattr(pretraining, "HELD_OUT", 9)
    few = {"kernel_size": "any", "kernels": 8, "batch": 4, "width": 2, "bfloat16": True}
    decoder = Job.checked(Order("decoder", few, steps=1), tmp_path)
    assert pretrain(decoder, CPU, 1, silent)
    settings = {**few, "crop": 80, "targets": "encoder", "network": "fast"}
    initializer = Order("initializer", settings, (str(photographs),), terms="CC0", steps=1)
    assert pretrain(Job.checked(initializer, tmp_path), CPU, 1, silent)
    for stem, judged in (("decoder-any", "inversion, features"), ("initializer-any", "initializer")):
        rows = quality(tmp_path, stem)
        assert rows[judged]["cases"] == 9
        assert {size: rows[f"{judged}, {size} px"]["cases"] for size in held_out.EXAMINED} == {
            size: 1 + (size == 13) for size in held_out.EXAMINED
        }
        assert rows["mean kernel, 75 px"]["similarity"] > 0
    network, origin = weights.load_generator(tmp_path, 55)
    assert (network.size, weights.label(origin)) == (75, "glkm-fast-any")
    weights.load_initializer(tmp_path, 55, network)  # belongs to it


def test_another_order_trains_again(quick, tmp_path):
    for steps in (1, 2):
        order = Order("generator", DECODER | {"kernels": 40}, steps=steps)
        assert pretrain(Job.checked(order, tmp_path), CPU, 1, silent)
    assert json.loads((tmp_path / "generator-13.json").read_text())["steps"] == 2


def test_a_training_goes_on_from_the_weights_of_another(quick, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert pretrain(Job.checked(Order("decoder", DECODER, steps=3), first), CPU, 1, silent)
    order = Order("decoder", DECODER, steps=2, start=str(first))
    assert pretrain(Job.checked(order, second), CPU, 1, silent)
    assert not pretrain(Job.checked(order, second), CPU, 1, silent)  # finished
    assert weights.load_generator(second, 13)[0].state_dict().keys()
    card = (second / "decoder-13.md").read_text()
    assert "2 steps" in card
    assert "begun with weights of 3 steps" in card
    assert f"--start {first}" in card
    assert read_network(second / "encoder-13.safetensors").metadata["steps"] == "5"
    assert pretrain(Job.checked(Order("decoder", DECODER, steps=4), first), CPU, 1, silent)
    assert pretrain(Job.checked(order, second), CPU, 1, silent)  # its start is another one


def test_a_start_that_cannot_be_is_one_line(tmp_path):
    with pytest.raises(
        InputError, match=r"start: .*encoder-13\.safetensors is missing|start: .*generator-13"
    ):
        pretrain(Job.checked(Order("decoder", DECODER, start=str(tmp_path / "no")), tmp_path), CPU, 1, silent)
    with pytest.raises(InputError, match="start: earlier weights have no discriminator"):
        Job.checked(Order("generator", DECODER | {"kernels": 40}, start=str(tmp_path / "no")), tmp_path)
    with pytest.raises(InputError, match="is where the results go"):
        Job.checked(Order("decoder", DECODER, start=str(tmp_path)), tmp_path)


def test_a_killed_process_is_continued_to_the_same_weights(tmp_path):
    overrides = DECODER | {"kernels": 40, "batch": 8}
    settings = [word for key, value in overrides.items() for word in ("--set", f"{key}={value}")]
    program = (
        "import sys; from benchmark.cli import main; from benchmark.pretraining import job;"
        "from methods.training import generator, loop;"
        "loop.SAVE_EVERY = 0.0; job.HELD_OUT = 4; generator.INVERSION_STEPS = 2;"
        "sys.argv = ['blindbench', *sys.argv[1:]]; main.main()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def command(folder):
        arguments = ("pretrain", "decoder", *settings, "--steps", "100", "--threads", "1")
        return [sys.executable, "-c", program, *arguments, "--out", str(folder)]

    halved, whole = tmp_path / "halved", tmp_path / "whole"
    killed = subprocess.Popen(command(halved), env=environment, stderr=subprocess.DEVNULL)
    checkpoint = halved / ".decoder-13.checkpoint.pt"
    while not checkpoint.exists():
        assert killed.poll() is None
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    content = io.BytesIO(checkpoint.read_bytes()[DIGEST_BYTES:])
    assert torch.load(content, weights_only=True)["state"]["history"]["step"] < 100
    for folder in (halved, whole):
        subprocess.run(command(folder), env=environment, stderr=subprocess.DEVNULL, check=True)
    for name in ("generator-13.safetensors", "encoder-13.safetensors"):
        assert (halved / name).read_bytes() == (whole / name).read_bytes()


def test_every_tenth_photograph_is_held_out_and_large_ones_are_cropped(photographs, monkeypatch):
    found = collect([str(photographs)])
    training, held_out = found.split()
    assert [path.stem for path in held_out] == ["astronaut"]
    assert [path.stem for path in training] == ["camera", "coffee", "rocket"]
    assert "not stated" in found.terms
    assert [image.shape for image in read(training)] == [(1, 512, 512), (3, 400, 512), (3, 427, 512)]
    colour = data.coffee().transpose(2, 0, 1)
    assert np.array_equal(read(training)[1], colour[:, :, 44:556])
    monkeypatch.setattr(training_photographs, "MOST", 3)
    assert [path.stem for path in collect([str(photographs)]).files] == ["astronaut", "coffee", "rocket"]


def test_the_terms_of_a_source_are_known(tmp_path, monkeypatch, photographs):
    monkeypatch.setenv("BLINDBENCH_MIRROR", str(tmp_path))
    folder = tmp_path / "data" / "bsds500" / "train"
    folder.mkdir(parents=True)
    for path in photographs.glob("*.png"):
        (folder / path.name).symlink_to(path)
    assert "non-commercial" in collect(["bsds500/train"]).terms


def test_pairs_are_found_as_gopro_and_realblur_have_them(tmp_path, photographs):
    picture = (photographs / "coffee.png").read_bytes()
    for path in (
        "train/GOPR1/blur/1.png", "train/GOPR1/sharp/1.png", "train/GOPR1/blur_gamma/1.png",
        "train/GOPR1/blur/2.png", "scene1/blur/blur_3.png", "scene1/gt/gt_3.png",
    ):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(picture)
    found = training_photographs.collect_pairs([str(tmp_path)], "mine")
    names = [str(path.relative_to(tmp_path)) for path in found.files]
    assert names == ["scene1/blur/blur_3.png", "train/GOPR1/blur/1.png"]
    (blurry, sharp), _ = training_photographs.read_pairs(found.files)
    np.testing.assert_array_equal(blurry, sharp)
    Image.fromarray(data.camera()).save(tmp_path / "train/GOPR1/sharp/1.png")
    with pytest.raises(InputError, match="another size or number of channels"):
        training_photographs.read_pairs(found.files)


def test_folders_without_pairs_are_one_line(tmp_path, photographs):
    with pytest.raises(InputError, match="no pairs in this folder"):
        training_photographs.collect_pairs([str(photographs)])
    order = Order("decoder", pairs=(str(photographs),))
    with pytest.raises(InputError, match="learns from no pairs"):
        Job.checked(order, tmp_path)
    order = Order("nafnet", images=(str(photographs),), pairs=(str(photographs),))
    with pytest.raises(InputError, match="both given"):
        Job.checked(order, tmp_path)


def test_the_identity_follows_names_and_contents(photographs, tmp_path):
    for path in photographs.glob("*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert collect([str(tmp_path)]).identity == collect([str(photographs)]).identity
    (tmp_path / "rocket.png").write_bytes((tmp_path / "coffee.png").read_bytes())
    assert collect([str(tmp_path)]).identity != collect([str(photographs)]).identity


def test_a_collapsed_generator_shows_in_the_correlation():
    rng = np.random.default_rng(0)
    apart = rng.random((20, 5, 5), np.float32)
    assert abs(training_quality._correlation(apart)) < 0.1
    assert training_quality._correlation(apart[:1] + 0.01 * apart) > 0.99


def test_jobs_of_a_config_must_not_write_the_same_weights(tmp_path):
    assert list(jobs([{"training": "decoder", "threads": 2}], tmp_path)) == ["decoder-31"]
    with pytest.raises(InputError, match=r"decoder-31 and generator-31 both write generator-31\.safetensors"):
        jobs([{"training": "decoder"}, {"training": "generator"}], tmp_path)
    with pytest.raises(InputError, match=r"pretrain\[0\]: unknown training 'x'"):
        jobs([{"training": "x"}], tmp_path)


def test_the_command_of_the_card_gives_the_same_order(tmp_path):
    order = Order("decoder", {"width": 8}, steps=3, minutes=0.5, seed=2, remark="demo", half=True)
    command = Job.checked(order, tmp_path).command
    assert command == (
        "blindbench pretrain decoder --set width=8 --max-minutes 0.5 --steps 3 --seed 2 --remark demo --half"
    )
