"""What every blur operator must do, under every boundary it knows: one line in OPERATORS tests a new one."""

from dataclasses import dataclass
from typing import get_args

import pytest
import torch

from benchmark.blur.operators import PerPixelBlur, SvolaBlur, UniformBlur, WarpBlur
from benchmark.core.types import Boundary

SIZE = (13, 18)  # observed; neither square nor both odd
GRID = (2, 3)
ALL = get_args(Boundary)

L_KERNEL = torch.tensor([[1.0, 0, 0], [2, 0, 0], [3, 4, 0]], dtype=torch.float64) / 10


class RandomParts:
    """Parameters that differ from node to node, pixel to pixel, pose to pose."""

    def kernels(self, count):
        kernels = torch.rand(count, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        return kernels / kernels.sum((1, 2), keepdim=True)

    def homographies(self):
        noise = torch.randn(7, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        scale = torch.tensor([[0.03, 0.03, 1], [0.03, 0.03, 1], [1e-3, 1e-3, 1e-3]], dtype=torch.float64)
        return torch.eye(3, dtype=torch.float64) + scale * noise


class LParts:
    """The L-shaped kernel everywhere; as poses, ten that look where its entries come from."""

    def kernels(self, count):
        return L_KERNEL.expand(count, 3, 3)

    def homographies(self):
        poses = []
        for row, column in L_KERNEL.nonzero().tolist():
            pose = torch.eye(3, dtype=torch.float64)
            pose[0, 2], pose[1, 2] = 1 - column, 1 - row
            poses += [pose] * round(10 * float(L_KERNEL[row, column]))
        return torch.stack(poses)


@dataclass(frozen=True)
class Known:
    """How an operator is built, and what it promises."""

    build: object  # (parts, boundary, move) -> operator; `move` puts a tensor on the tested type and device
    boundaries: tuple = ALL
    keeps_constants: bool = True  # gathers every pixel by a kernel of sum 1
    keeps_mass: bool = False  # spreads every point by a kernel of sum 1


OPERATORS = {
    "uniform": Known(lambda parts, b, move: UniformBlur(move(parts.kernels(1)[0]), b), keeps_mass=True),
    "svola, input": Known(
        lambda parts, b, move: SvolaBlur(move(parts.kernels(6)), GRID, b),
        keeps_constants=False,
        keeps_mass=True,
    ),
    "svola, input, hann": Known(
        lambda parts, b, move: SvolaBlur(move(parts.kernels(6)), GRID, b, window="hann"),
        keeps_constants=False,
        keeps_mass=True,
    ),
    "svola, output": Known(lambda parts, b, move: SvolaBlur(move(parts.kernels(6)), GRID, b, form="output")),
    "per pixel": Known(lambda parts, b, move: PerPixelBlur(move(parts.kernels(SIZE[0] * SIZE[1])), b)),
    "warp": Known(lambda parts, b, move: WarpBlur(move(parts.homographies()), b), ("zero", "replicate")),
}
CASES = [(name, boundary) for name, known in OPERATORS.items() for boundary in known.boundaries]
every_operator = pytest.mark.parametrize(("name", "boundary"), CASES)
those_that_keep_constants = pytest.mark.parametrize(
    ("name", "boundary"), [case for case in CASES if OPERATORS[case[0]].keeps_constants]
)
those_that_keep_mass = pytest.mark.parametrize(
    ("name", "boundary"), [case for case in CASES if OPERATORS[case[0]].keeps_mass]
)
no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def make(name, boundary, parts=RandomParts, dtype=torch.float64, device="cpu"):
    return OPERATORS[name].build(parts(), boundary, lambda tensor: tensor.to(device, dtype))


def latent(operator, seed=2, channels=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(channels, *operator.latent_size(SIZE), generator=generator, dtype=torch.float64)


def linear_part(operator, image):
    return operator.apply(image) - operator.apply(torch.zeros_like(image))


@every_operator
def test_the_adjoint_passes_the_dot_test(name, boundary):
    operator = make(name, boundary)
    image = latent(operator)
    blurred = linear_part(operator, image)
    assert blurred.shape == (3, *SIZE)
    transposed = operator.transposed(blurred)
    for seed in (3, 4):
        residual = torch.randn(
            blurred.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        returned = operator.adjoint(residual)
        assert returned.shape == image.shape
        torch.testing.assert_close(
            (blurred * residual).sum(), (image * returned).sum(), rtol=1e-12, atol=1e-12
        )
        torch.testing.assert_close(transposed(residual), returned, rtol=0, atol=0)


@every_operator
def test_operators_are_linear(name, boundary):
    operator = make(name, boundary)
    one, other = latent(operator, 2), latent(operator, 3)
    together = linear_part(operator, 2 * one - 3 * other)
    apart = 2 * linear_part(operator, one) - 3 * linear_part(operator, other)
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-13)
    assert together.abs().max() > 0.1
    if boundary != "grey":
        assert operator.apply(torch.zeros_like(one)).abs().max() == 0


@every_operator
def test_channels_do_not_see_each_other(name, boundary):
    operator = make(name, boundary)
    image = latent(operator)
    together = operator.apply(image)
    for channel in range(3):
        alone = operator.apply(image[channel : channel + 1])
        torch.testing.assert_close(together[channel : channel + 1], alone, rtol=0, atol=1e-14)


@every_operator
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=no_gpu)])
def test_type_and_device_are_kept(name, boundary, device):
    expected = make(name, boundary)
    image = latent(expected)
    for dtype, tolerance in (
        (torch.float32, 3e-6),
        (torch.float64, 1e-12),
    ):  # float32: of the positions, in warps
        operator = make(name, boundary, dtype=dtype, device=device)
        moved = image.to(device, dtype)
        blurred = operator.apply(moved)
        returned = operator.adjoint(blurred)
        assert (blurred.dtype, returned.dtype) == (dtype, dtype)
        assert (blurred.device, returned.device) == (moved.device, moved.device)
        blurred_there = expected.apply(image)
        torch.testing.assert_close(blurred.double().cpu(), blurred_there, rtol=0, atol=tolerance)
        torch.testing.assert_close(
            returned.double().cpu(), expected.adjoint(blurred_there), rtol=0, atol=3 * tolerance
        )


@those_that_keep_constants
def test_a_constant_image_stays_constant(name, boundary):
    operator = make(name, boundary)
    grey = torch.full_like(latent(operator), 0.5)
    blurred = operator.apply(grey)
    if boundary == "zero":  # dark at the border, by at most the reach of kernels and poses
        assert blurred[:, 0].max() < 0.5
        blurred, grey = blurred[:, 5:-5, 5:-5], grey[:, 5:-5, 5:-5]
    torch.testing.assert_close(blurred, torch.full_like(blurred, 0.5), rtol=0, atol=1e-14)


@those_that_keep_mass
def test_a_scene_away_from_the_border_keeps_its_mass(name, boundary):
    operator = make(name, boundary)
    scene = torch.zeros_like(latent(operator))
    scene[:, 5:-5, 5:-5] = latent(operator)[:, 5:-5, 5:-5]
    torch.testing.assert_close(
        linear_part(operator, scene).sum((1, 2)), scene.sum((1, 2)), rtol=1e-13, atol=0
    )


@every_operator
def test_a_point_becomes_the_l_shaped_kernel_unturned_and_in_its_place(name, boundary):
    operator = make(name, boundary, LParts)
    point = torch.zeros_like(latent(operator))
    row, column = 5, 8
    margin = (point.shape[1] - SIZE[0]) // 2
    point[:, row + margin, column + margin] = 1
    expected = torch.zeros(3, *SIZE, dtype=torch.float64)
    expected[:, row - 1 : row + 2, column - 1 : column + 2] = L_KERNEL
    torch.testing.assert_close(linear_part(operator, point), expected, rtol=0, atol=1e-14)


def test_the_battery_is_not_vacuous():
    """An operator turned by 180 degrees fails the orientation, one without adjoint the dot test."""

    class Turned(UniformBlur):
        def apply(self, image):
            return super().apply(image.flip(1, 2)).flip(1, 2)

    class SelfAdjoint(UniformBlur):
        def adjoint(self, residual):
            return self.apply(residual)

    OPERATORS["turned"] = Known(lambda parts, b, move: Turned(move(parts.kernels(1)[0]), b))
    OPERATORS["no adjoint"] = Known(lambda parts, b, move: SelfAdjoint(move(parts.kernels(1)[0]), b))
    try:
        with pytest.raises(AssertionError):
            test_a_point_becomes_the_l_shaped_kernel_unturned_and_in_its_place("turned", "zero")
        with pytest.raises(AssertionError):
            test_the_adjoint_passes_the_dot_test("no adjoint", "zero")
    finally:
        del OPERATORS["turned"], OPERATORS["no adjoint"]
