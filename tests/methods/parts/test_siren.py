import numpy as np
import pytest
import torch

from methods.parts.kernel_priors.siren import OMEGA, SirenKernel, coordinates


def reference(arrays, tag):
    """The fixture's network, float64."""
    sines = 2 if tag == "a" else 1
    kernel = SirenKernel((7, 10), len(arrays[f"{tag}_b0"]), sines, entries="sigmoid").double()
    names = (("weight", "w"), ("bias", "b"))
    kernel.layers.load_state_dict(
        {
            f"{number}.{ours}": torch.from_numpy(arrays[f"{tag}_{theirs}{number}"])
            for number in range(sines + 1)
            for ours, theirs in names
        }
    )
    return kernel


@pytest.mark.parametrize("tag", ["a", "b"])
def test_matches_the_reference(fixture, tag):
    arrays = fixture("robust_siren")
    kernel = reference(arrays, tag)
    np.testing.assert_allclose(coordinates((7, 10)), arrays[f"{tag}_coords"], rtol=0, atol=1e-7)
    kernel.grid = torch.from_numpy(arrays[f"{tag}_coords"])
    np.testing.assert_allclose(kernel.raw().detach()[0], arrays[f"{tag}_raw"], rtol=0, atol=1e-10)
    kernels = kernel()
    np.testing.assert_allclose(kernels.detach()[0], arrays[f"{tag}_sum"], rtol=0, atol=1e-10)
    (torch.from_numpy(arrays[f"{tag}_T"]) * kernels[0]).sum().backward()
    first, last = kernel.layers[0].weight.grad, kernel.layers[-1].bias.grad
    np.testing.assert_allclose(first, arrays[f"{tag}_grad_w0"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(last, arrays[f"{tag}_grad_blast"], rtol=0, atol=1e-10)
    kernel.entries = "softmax"
    np.testing.assert_allclose(kernel().detach()[0], arrays[f"{tag}_softmax"], rtol=0, atol=1e-10)


def test_initial_weights_have_the_reference_bounds(fixture):
    arrays = fixture("robust_siren")
    torch.manual_seed(0)
    first, hidden, last = SirenKernel((5, 5)).layers
    bounds = {
        first.weight: arrays["init_bound_first"],
        hidden.weight: arrays["init_bound_hidden_256"],
        last.weight: arrays["init_bound_hidden_256"],
        first.bias: arrays["init_bound_bias_first"],
        hidden.bias: arrays["init_bound_bias_256"],
    }
    for parameter, bound in bounds.items():
        assert 0.98 * bound <= parameter.detach().abs().max().item() <= bound
    assert OMEGA == 30


def test_an_axis_of_one_entry_is_at_zero():
    assert coordinates((1, 3)).tolist() == [[0, -1], [0, 0], [0, 1]]
    assert SirenKernel((1, 3), width=4)().shape == (1, 1, 3)


@pytest.mark.parametrize("entries", ["softmax", "sigmoid"])
def test_kernels_are_positive_and_sum_to_one(entries):
    kernel = SirenKernel((12, 31), width=16, entries=entries)()
    assert kernel.min() > 0
    assert kernel.sum().item() == pytest.approx(1, abs=1e-6)
