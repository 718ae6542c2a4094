import json

import numpy as np
import pytest
import torch

from benchmark.core.errors import InputError
from methods.glkm.generator import (
    LATENT,
    OFFICIAL,
    Discriminator,
    Generator,
    layers_for,
    served_by,
    serving,
)
from methods.parts.seeding import initialised_from
from tests.methods.glkm.rule import manifest, state_by_rule

PARAMETERS = {31: 1256896, 45: 1592768, 55: 1666496, 65: 2371008, 75: 2207168}
OF_DISCRIMINATORS = {31: 1028672, 45: 959040, 55: 1032768, 65: 1129024, 75: 965184}


def loaded(network, arrays, prefix):
    state = {name: torch.from_numpy(arrays[f"{prefix}.{name}"]) for name in names_of(arrays, prefix)}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return network


def names_of(arrays, prefix):
    return [key.removeprefix(f"{prefix}.") for key in arrays if key.startswith(f"{prefix}.")]


@pytest.mark.parametrize("size", [31, 75])
@torch.no_grad()
def test_narrow_networks_match_the_reference(fixture, size):
    arrays = fixture(f"glkm_gan{size}_w8")
    codes = torch.from_numpy(arrays["z"])
    generator = loaded(Generator(size, width=8), arrays, "G").eval()
    discriminator = loaded(Discriminator(size, width=8), arrays, "D").eval()
    features = generator.features(codes)
    kernels = generator.kernels(features)
    for found, name, tolerance in (
        (features, "w_eval", 1e-5),
        (generator.logits(features), "logits_eval", 1e-4),
        (kernels, "kernel_eval", 1e-6),
        (discriminator(size * kernels), "d_eval", 1e-5),
        (discriminator(kernels), "d_eval_sum1", 1e-5),
    ):
        np.testing.assert_allclose(found, arrays[name], rtol=0, atol=tolerance, err_msg=name)

    kernels = generator.train()(codes)
    probabilities = discriminator.train()(size * kernels)
    np.testing.assert_allclose(kernels, arrays["kernel_train"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(probabilities, arrays["d_train"], rtol=0, atol=1e-5)
    norm = generator.layer1[1]
    np.testing.assert_allclose(norm.running_mean, arrays["running_mean_after"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(norm.running_var, arrays["running_var_after"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [31, 75])
@torch.no_grad()
def test_full_networks_match_the_reference(fixture, size):
    arrays, entries = fixture("glkm_gan_full_rule"), manifest(f"glkm_gan{size}_manifest")
    amplitudes = json.loads(str(arrays[f"amp{size}"]))
    networks = {"generator": Generator(size).eval(), "discriminator": Discriminator(size).eval()}
    for kind, network in networks.items():
        of_layers = amplitudes[kind[0].upper()]
        network.load_state_dict(state_by_rule(entries[kind], lambda name, _, found=of_layers: found[name]))
        names = [[name, list(tensor.shape)] for name, tensor in network.state_dict().items()]
        assert names == entries[kind]
    codes = torch.from_numpy(arrays[f"z{size}"])
    features = networks["generator"].features(codes)
    kernels = networks["generator"].kernels(features)
    probabilities = networks["discriminator"](size * kernels)
    np.testing.assert_allclose(features[:, ::8], arrays[f"w{size}"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(kernels, arrays[f"kernel{size}"], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(probabilities, arrays[f"d{size}"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", OFFICIAL)
def test_the_published_sizes_have_the_published_number_of_weights(size):
    for network, numbers in ((Generator(size), PARAMETERS), (Discriminator(size), OF_DISCRIMINATORS)):
        assert sum(parameter.numel() for parameter in network.parameters()) == numbers[size]


@pytest.mark.parametrize("size", [*range(13, 33, 2), *OFFICIAL, 101, 125, 151, 201])
@torch.no_grad()
def test_every_odd_size_has_layers_both_ways(size):
    assert layers_for(size).size == size
    rng = torch.Generator().manual_seed(size)
    with initialised_from(rng):
        generator = Generator(size, width=1).eval()
    codes = torch.randn(2, LATENT, 1, 1, generator=rng)
    kernels = generator(codes)
    assert kernels.shape == (2, 1, size, size)
    assert (kernels > 0).all()
    # The normaliser of the softmax is itself a float32 sum of as many entries.
    tolerance = 1e-5 if size <= max(OFFICIAL) else 2e-5
    sums = kernels.double().sum((1, 2, 3))
    torch.testing.assert_close(sums, torch.ones_like(sums), rtol=0, atol=tolerance)
    assert torch.equal(kernels, generator.kernels(generator.features(codes)))
    assert Discriminator(size, width=1).eval()(kernels).shape == (2, 1, 1, 1)


def test_the_rule_gives_the_examples_of_its_table():
    assert layers_for(27).base == 1
    assert (layers_for(51).base, layers_for(101).base, layers_for(151).base) == (5, 11, 17)


@pytest.mark.parametrize("size", [11, 64, -31])
def test_sizes_without_layers_are_refused(size):
    with pytest.raises(InputError, match="odd kernel size"):
        layers_for(size)


def test_declared_sizes_are_served_by_the_next_published_one():
    assert [serving(size) for size in (1, 13, 31, 32, 51, 55, 64, 75)] == [31, 31, 31, 45, 55, 55, 65, 75]
    with pytest.raises(InputError, match="the largest is 75"):
        serving(76)
    for size in OFFICIAL:
        assert all(serving(declared) == size for declared in served_by(size))
