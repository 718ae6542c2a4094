"""What each training minimises, and at which rates its optimisers step, written out a second time.

`tests/methods/defaults.yaml` pins the settings; here is what becomes of them on the way to a step.
"""

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from methods.glkm import weights
from methods.glkm.encoder import KernelEncoder
from methods.glkm.generator import Generator
from methods.training import registry
from methods.training.kernels import silent
from methods.training.loop import Materials, train

CPU = torch.device("cpu")
SMALL = {"kernel_size": 13, "kernels": 24, "batch": 8, "width": 4}
DIFFUSION = {"side": 16, "channels": 8, "multipliers": (1, 4), "norm_groups": 4, "batch": 2}
RESTORER = {"kernel_size": 7, "width": 4, "encoder": (1, 1), "decoder": (1, 1), "kernels": 50, "crop": 32}
MIMO = {"kernel_size": 7, "width": 8, "blocks": 1, "kernels": 50, "crop": 32}
ESTIMATOR = {"kernel_size": 7, "channels": (4, 4, 4), "kernels": 50, "crop": 32, "pixels": 512}
FLOW = {"kernel_size": 7, "hidden": 4, "kernels": 200}


@pytest.fixture(scope="module")
def materials(tmp_path_factory):
    """Photographs, and small networks for the trainings that start from others."""
    folder = tmp_path_factory.mktemp("weights")
    photographs = list(np.random.default_rng(0).integers(0, 256, (2, 3, 60, 64), dtype=np.uint8))
    for network in (Generator(13, 4), KernelEncoder(13)):
        weights.save(folder, network, 13, way="adversarial", steps=0)
    found = Materials(photographs, photographs, weights=folder)
    for name, small in (("ufpnet-flow", FLOW), ("ufpnet-kernels", ESTIMATOR)):
        trainee = start(name, found, **small)
        train(trainee, name, silent, saved=folder / f"{name}.pt", key="key", steps=1)
        trainee.save(folder, 1, "demo", half=False)
    return found


@pytest.fixture
def steps():
    """Every optimiser step from here on: (rate, Adam's betas, weight decay)."""
    seen = []

    def note(optimiser, *_):
        seen.extend((group["lr"], group["betas"], group["weight_decay"]) for group in optimiser.param_groups)

    handle = register_optimizer_step_pre_hook(note)
    yield seen
    handle.remove()


def start(name, materials, **settings):
    training = registry.find(name)
    return training.start(training.settings(**settings), materials, 0, CPU, silent)


def cosine(first, last, share):
    return last + (first - last) * (1 + np.cos(np.pi * share)) / 2


USUAL = (0.9, 0.999)
SHARES = (0.0, 0.3, 0.9)
# training, sizes that no rate depends on, the rate at a share of the training, betas, weight decay
RATES = [
    ("generator", SMALL, lambda share: 2e-4, (0.5, 0.999), 0),
    ("decoder", SMALL, lambda share: 1e-3 if share < 0.6 else 3e-4, USUAL, 0),
    ("ufpnet-flow", FLOW, lambda share: cosine(1e-3, 0, share), USUAL, 1e-6),
    ("ufpnet-kernels", ESTIMATOR, lambda share: cosine(5e-4, 1e-6, share), USUAL, 0),
    ("ufpnet", RESTORER, lambda share: cosine(1e-3, 1e-6, share), (0.9, 0.9), 1e-3),
    ("nafnet", RESTORER, lambda share: cosine(1e-3, 1e-6, share), (0.9, 0.9), 1e-3),
    ("mimo", MIMO, lambda share: 1e-3 / 2 ** np.floor(6 * share), USUAL, 0),
    ("diffusion-image", DIFFUSION, lambda share: cosine(1e-3, 1e-5, share), USUAL, 0),
    ("diffusion-kernel", DIFFUSION, lambda share: cosine(1e-3, 1e-5, share), USUAL, 0),
]


@pytest.mark.parametrize(("name", "sizes", "rate", "betas", "decay"), RATES, ids=[row[0] for row in RATES])
def test_optimisers_step_at_the_rates_of_the_sources(name, sizes, rate, betas, decay, materials, steps):
    trainee = start(name, materials, **sizes)
    optimisers = 2 if name == "generator" else 1  # the discriminator's, too
    for share in SHARES:
        steps.clear()
        trainee.step(1000, share)  # after any rise in the beginning
        assert len(steps) == optimisers
        for step in steps:
            assert step == (pytest.approx(rate(share), rel=1e-9), betas, decay)


@pytest.mark.parametrize("name", ["diffusion-image", "diffusion-kernel"])
def test_diffusion_models_rise_to_their_rate_in_a_hundred_steps(name, materials, steps):
    trainee = start(name, materials, **DIFFUSION)
    for number in (0, 49, 99):
        trainee.step(number, 0.0)
    assert [rate for rate, _, _ in steps] == pytest.approx([1e-5, 5e-4, 1e-3])


@pytest.mark.parametrize("turned", [False, True])
def test_the_initializer_sees_kernels_as_drawn_unless_they_are_to_be_turned(turned, materials, monkeypatch):
    trainee = start("initializer", materials, **SMALL, crop=32, inner_steps=1, turned=turned)
    drawn = {kernel.numpy().tobytes() for kernel in trainee.kernels}
    seen = []
    blurry = trainee.blurry
    monkeypatch.setattr(trainee, "blurry", lambda kernels, rng: seen.extend(kernels) or blurry(kernels, rng))
    for number in range(3):
        trainee.step(number, 0.0)
    assert len(seen) == len(drawn) == 24
    assert all(kernel.numpy().tobytes() in drawn for kernel in seen) == (not turned)


def test_the_initializer_takes_a_hundred_inner_steps_and_falls_twice_by_ten(materials, steps):
    trainee = start("initializer", materials, **SMALL, crop=24)
    for share, rate in ((0.0, 1e-4), (39 / 60, 1e-4), (40 / 60, 1e-5), (49 / 60, 1e-5), (50 / 60, 1e-6)):
        steps.clear()
        trainee.step(0, share)
        rates = [step[0] for step in steps]
        assert rates[:-1] == [1e-2] * 100
        assert rates[-1] == pytest.approx(rate)


def test_the_generator_minimises_cross_entropies_of_kernels_times_their_size(materials):
    trainee = start("generator", materials, **SMALL | {"batch": SMALL["kernels"]})
    rng = np.random.default_rng((trainee.seed, 0))  # of step 0, whose batch holds all kernels
    codes = torch.from_numpy(rng.standard_normal((SMALL["kernels"], 100, 1, 1), np.float32))
    with torch.no_grad():
        fake = trainee.generator.train()(codes)
        truth, lie = (
            torch.sigmoid(trainee.discriminator.logits(13 * kernels)).double()
            for kernels in (trainee.kernels, fake)
        )
    expected = -(truth.log().mean() + (1 - lie).log().mean())
    terms = {name: value.item() for name, value in trainee.step(0, 0.0).items()}
    with torch.no_grad():  # after its own step, the discriminator judges the same kernels for the generator
        belief = torch.sigmoid(trainee.discriminator.logits(13 * fake)).double()
    assert terms == {
        "D(real)": pytest.approx(truth.mean().item(), rel=1e-5),
        "D(fake)": pytest.approx(lie.mean().item(), rel=1e-5),
        "D loss": pytest.approx(expected.item(), rel=1e-5),
        "G loss": pytest.approx(-belief.log().mean().item(), rel=1e-5),
    }


def test_the_generator_starts_at_the_weights_of_dcgan(materials):
    trainee = start("generator", materials, **SMALL | {"width": 32})
    for network in (trainee.generator, trainee.discriminator):
        for module in network.modules():
            weight = getattr(module, "weight", None)
            if weight is None or weight.numel() < 500:
                continue
            assert weight.std().item() == pytest.approx(0.02, rel=0.1)
            assert weight.mean().item() == pytest.approx(0, abs=0.002)
        norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        gains = torch.cat([norm.weight.detach() for norm in norms])
        assert gains.mean().item() == pytest.approx(1, abs=0.01)
        assert 0.012 < gains.std().item() < 0.03
        assert all((norm.bias == 0).all() for norm in norms)


@pytest.mark.parametrize(
    ("name", "sizes", "total"),
    [
        ("decoder", SMALL, lambda terms: terms["kernel KL"] + 1e-3 * terms["code KL"]),
        ("initializer", {**SMALL, "crop": 24}, lambda terms: terms["kernel"] + 0.1 * terms["latent"]),
        ("ufpnet", RESTORER, lambda terms: terms["negative PSNR"] + 0.01 * terms["reblur"]),
    ],
)
def test_terms_are_added_with_the_weights_of_the_sources(name, sizes, total, materials, monkeypatch):
    minimised, backward = [], torch.Tensor.backward
    trainee = start(name, materials, **sizes)
    monkeypatch.setattr(
        torch.Tensor, "backward", lambda loss: minimised.append(loss.item()) or backward(loss)
    )
    terms = {term: value.item() for term, value in trainee.step(0, 0.0).items()}
    assert minimised[-1] == pytest.approx(total(terms), rel=1e-6)


def test_a_generator_is_examined_by_how_closely_it_reproduces_held_out_kernels(materials, monkeypatch):
    monkeypatch.setattr("methods.training.generator.INVERSION_STEPS", 20)
    reports = []
    evidence = start("generator", materials, **SMALL).examine(5, reports.append)
    assert [(progress.iteration, progress.iterations) for progress in reports] == [
        (0, 3),
        (1, 3),
        (2, 3),
        (3, 3),
    ]
    assert evidence.pictured == ("inversion, codes", "inversion, features")
    missed = {name: np.abs(kernels - evidence.truth).sum() for name, kernels in evidence.estimates.items()}
    for kernels in evidence.estimates.values():
        assert kernels.shape == evidence.truth.shape == (5, 13, 13)
        np.testing.assert_allclose(kernels.sum((1, 2)), 1, rtol=1e-4)
    assert missed["inversion, features"] < missed["inversion, codes"] < missed["random code"]
    assert len(evidence.samples["generated"]) == 128
