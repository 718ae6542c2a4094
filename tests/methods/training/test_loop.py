"""The loop that drives trainings, and the trainings in it, at the size of seconds."""

import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError
from methods.glkm import weights
from methods.glkm.encoder import KernelEncoder
from methods.glkm.generator import Generator
from methods.training import diffusion_image, diffusion_kernel, registry
from methods.training.decoder import Decoder
from methods.training.decoder import Settings as DecoderSettings
from methods.training.generator import Adversaries
from methods.training.generator import Settings as GeneratorSettings
from methods.training.initializer import InitializerTraining
from methods.training.initializer import Settings as InitializerSettings
from methods.training.kernels import silent
from methods.training.loop import Materials, epoch_batch, train
from tests.conftest import ROOT

CPU = torch.device("cpu")
DIFFUSION = {"channels": 8, "multipliers": (1, 4), "norm_groups": 4, "steps": 5, "batch": 2}
TINY = {"kernel_size": 13, "kernels": 24, "batch": 8, "width": 4}


class Falling:
    """Remembers what it is asked; its loss is 1 / (step + 1), or nan at `broken`."""

    label = "falling"

    def __init__(self, steps, broken=None):
        self.steps, self.broken, self.shares = steps, broken, []

    def step(self, number, share):
        assert number == len(self.shares)
        self.shares.append(share)
        value = torch.tensor(1 / (number + 1))
        return {"first": value + 1, "loss": value * torch.nan if number == self.broken else value}

    def state_dict(self):
        return {"shares": self.shares}

    def load_state_dict(self, state):
        self.shares = list(state["shares"])


def ticking(seconds):
    """A clock on which this much passes between two looks."""
    now = iter(range(10**6))
    return lambda: seconds * next(now)


def test_a_training_ends_with_its_steps_and_reports_all_losses(tmp_path):
    trainee, reports = Falling(7), []
    history = train(trainee, "x-1", reports.append, saved=tmp_path / "c.pt", key="k")
    assert history.step == 7
    np.testing.assert_allclose(trainee.shares, np.arange(7) / 7)
    assert [row["step"] for row in history.rows] == [1, 7]
    assert (reports[-1].iteration, reports[-1].iterations) == (7, 7)
    assert reports[-1].stage == "first 1.14, loss"
    assert reports[-1].loss == pytest.approx(1 / 7)


def test_minutes_end_the_schedule_with_the_training(tmp_path):
    trainee = Falling(1000)
    clock = ticking(6.0)
    train(trainee, "x", silent, saved=tmp_path / "c.pt", key="k", max_minutes=1, clock=clock)
    np.testing.assert_allclose(trainee.shares, np.arange(10) / 10)


def test_minutes_spent_before_a_kill_count(tmp_path):
    first, saved = Falling(5), tmp_path / "c.pt"
    train(first, "x", silent, saved=saved, key="k", max_minutes=2, clock=ticking(12.0))  # 60 s of 120
    second = Falling(5)
    train(second, "x", silent, saved=saved, key="k", steps=1000, max_minutes=2, clock=ticking(12.0))
    np.testing.assert_allclose(second.shares[5:], [0.5, 0.6, 0.7, 0.8, 0.9])


def test_another_key_starts_again(tmp_path):
    train(Falling(3), "x", silent, saved=tmp_path / "c.pt", key="k")
    other = Falling(3)
    train(other, "x", silent, saved=tmp_path / "c.pt", key="other")
    assert other.shares[0] == 0


def test_a_loss_that_is_not_finite_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="step 1: the loss 'loss' is nan; train at a lower rate"):
        train(Falling(3, broken=0), "x", silent, saved=tmp_path / "c.pt", key="k")


def test_trainings_are_found_by_being_there():
    files = (ROOT / "methods" / "training").glob("*.py")
    registering = [file for file in files if "\nTRAINING = " in file.read_text()]
    assert len(registry.built_in()) == len(registering) >= 9
    with pytest.raises(InputError, match="Did you mean 'decoder'"):
        registry.find("decodr")


@pytest.fixture
def materials(tmp_path):
    """Photographs, and the weights of a generator that was not trained."""
    photographs = np.random.default_rng(0).integers(0, 256, (3, 1, 40, 44), dtype=np.uint8)
    for network in (Generator(13, 4, 1e-5), KernelEncoder(13)):
        weights.save(tmp_path, network, 13, way="GLKM-fast", steps=0)
    return Materials(list(photographs[:2]), list(photographs[2:]), weights=tmp_path)


TRAININGS = [
    (Decoder, DecoderSettings(**TINY, steps=4)),
    (Adversaries, GeneratorSettings(**TINY | {"kernels": 20}, epochs=2)),
    (InitializerTraining, InitializerSettings(**TINY, epochs=2, crop=24, inner_steps=2)),
    (InitializerTraining, InitializerSettings(
        **TINY, epochs=2, crop=24, targets="none", borders="valid", noise=0.01, gamma=0.2,
        kernel_loss="kl", schedule="cosine",
    )),
    (InitializerTraining, InitializerSettings(
        **TINY, network="fast", epochs=2, crop=24, richest_of=2, targets="encoder",
    )),
    (diffusion_image.start, diffusion_image.Settings(**DIFFUSION, side=16)),
    (diffusion_image.start, diffusion_image.Settings(**DIFFUSION, side=32, parts="crops")),
    (diffusion_kernel.start, diffusion_kernel.Settings(**DIFFUSION, side=64)),
]  # fmt: skip


@pytest.mark.parametrize(("start", "settings"), TRAININGS)
def test_a_training_that_was_stopped_continues_to_the_same_weights(start, settings, materials, tmp_path):
    def trained(saved, *stops):
        for steps in stops:
            trainee = start(settings, materials, 3, CPU, silent)
            train(trainee, "x", silent, saved=saved, key="k", steps=steps)
        return trainee.state_dict()

    whole = trained(tmp_path / "whole.pt", 5)
    # Stopped by hand in the middle, where the schedule is not at its end.
    trainee = start(settings, materials, 3, CPU, silent)
    with pytest.raises(KeyboardInterrupt):
        stop_after(trainee, 2, tmp_path / "parts.pt")
    torch.testing.assert_close(trained(tmp_path / "parts.pt", 5), whole, rtol=0, atol=0)


@pytest.mark.parametrize(("start", "settings"), [case for case in TRAININGS if case[0] is not Adversaries])
def test_a_training_begins_with_the_weights_of_an_earlier_one(start, settings, materials, tmp_path):
    earlier = start(settings, materials, 3, CPU, silent)
    earlier.step(0, 0.0)
    earlier.save(tmp_path / "earlier", 7, "", half=False)
    trainee = start(settings, materials, 4, CPU, silent)
    assert trainee.begin_with(tmp_path / "earlier") == 7
    trainee.save(tmp_path / "now", 7, "", half=False)
    files = sorted((tmp_path / "earlier").iterdir())
    assert [file.name for file in files] == sorted(file.name for file in (tmp_path / "now").iterdir())
    for file in files:
        assert file.read_bytes() == (tmp_path / "now" / file.name).read_bytes()
    trainee.step(0, 0.0)  # the optimiser has the same weights
    trainee.save(tmp_path / "later", 8, "", half=False)
    assert all(file.read_bytes() != (tmp_path / "later" / file.name).read_bytes() for file in files)


def test_what_a_training_cannot_begin_with_is_one_line(materials, tmp_path):
    adversaries = Adversaries(GeneratorSettings(**TINY), materials, 0, CPU, silent)
    with pytest.raises(InputError, match=r"start: .*no discriminator.*`decoder`"):
        adversaries.begin_with(materials.weights)
    settings = InitializerSettings(**TINY, crop=24)
    InitializerTraining(settings, materials, 0, CPU, silent).save(tmp_path, 1, "", half=False)
    weights.save(tmp_path, Generator(13, 4, 1e-5), 13, way="GLKM-fast", steps=0)  # another one
    with pytest.raises(InputError, match="was trained with another generator"):
        InitializerTraining(settings, materials, 0, CPU, silent).begin_with(tmp_path)
    wide = Decoder(DecoderSettings(**TINY | {"width": 8}), materials, 0, CPU, silent)
    with pytest.raises(InputError, match="does not fit the network"):
        wide.begin_with(materials.weights)


def stop_after(trainee, steps, saved):
    """Train `trainee` with a checkpoint after each step, and stop as Ctrl-C does."""
    step = trainee.step

    def counted(number, share):
        if number == steps:
            raise KeyboardInterrupt
        return step(number, share)

    trainee.step = counted
    train(trainee, "x", silent, saved=saved, key="k", steps=5, clock=ticking(100.0))


def test_the_last_batch_of_an_epoch_may_be_smaller_and_every_kernel_is_seen():
    trainee = Adversaries(GeneratorSettings(**TINY | {"kernels": 20}), Materials(), 0, CPU, silent)
    assert trainee.per_epoch == 3
    batches = [epoch_batch(0, number, 20, 8, trainee.per_epoch) for number in range(6)]
    assert [len(batch) for batch in batches] == [8, 8, 4, 8, 8, 4]
    for epoch in (batches[:3], batches[3:]):
        assert sorted(np.concatenate(epoch).tolist()) == list(range(20))
    assert not np.array_equal(batches[0], batches[3])


def test_settings_that_cannot_be_are_refused():
    for wrong, message in [
        ({"kernel_size": 12}, "odd kernel size"),
        ({"supports": (14,)}, "supports must be odd"),
        ({"batch": 30}, "batch must lie between"),
        ({"rate": -1.0}, "rate must be at least 0"),
        ({"width": 0}, "width must be at least 1"),
        ({"intensities": (0.6, 0.5)}, "intensities must rise"),
        ({"intensities": (0.5, 1.5)}, "intensities must rise"),
    ]:
        with pytest.raises(ValueError, match=message):
            DecoderSettings(**TINY | wrong)
