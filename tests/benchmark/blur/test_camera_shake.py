import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from benchmark.blur.camera_shake import CameraShake, patch_centres, simulate_shake
from benchmark.core.errors import InputError

LAI_PADDING = 20  # pixels by which the released script of Lai et al. replicates the image's edges
LAI_ROTATION_SCALE = 0.5  # of that script, which multiplies translations by 0
LAI_DEPTH_GUARD = 1e-10  # added to the divisor of its projection; 1e-8 pixels


def warped(image, homographies, mode):
    """Mean over the homographies of the bilinear look-ups at H i; beyond the border 'nearest' or zero."""
    rows, columns = np.indices(image.shape)
    pixels = np.stack([columns.ravel(), rows.ravel(), np.ones(image.size)])
    total = np.zeros(image.size)
    for homography in homographies:
        column, row, depth = homography @ pixels
        total += map_coordinates(image, [row / depth, column / depth], order=1, mode=mode)
    return (total / len(homographies)).reshape(image.shape)


def test_homographies_and_blur_match_the_reference(fixture):
    arrays = fixture("glkm_camera_shake")
    shake = CameraShake(arrays["pose"], arrays["x"].shape)
    np.testing.assert_allclose(shake.homographies, arrays["homographies"], rtol=0, atol=1e-9)
    blurry = warped(arrays["x"], shake.homographies, "nearest")
    np.testing.assert_allclose(blurry, arrays["y"], rtol=0, atol=1e-9)


def test_psfs_match_the_reference_and_are_exact(fixture):
    arrays = fixture("glkm_camera_shake")
    shake = CameraShake(arrays["pose"], arrays["x"].shape)
    kernels = shake.psfs(arrays["psf_nodes"], 21)
    np.testing.assert_allclose(kernels[:, ::-1, ::-1], arrays["psf"], rtol=0, atol=1e-12)
    for kernel, (row, column) in zip(kernels, arrays["psf_nodes"], strict=True):
        assert convolved_at(arrays["x"], kernel, row, column) == pytest.approx(
            arrays["y"][row, column], abs=1e-12
        )


def convolved_at(image, kernel, row, column):
    """One pixel of the true convolution of `image`, its edges replicated."""
    margin = len(kernel) // 2
    padded = np.pad(image, margin, mode="edge")
    window = padded[row : row + 2 * margin + 1, column : column + 2 * margin + 1]
    return np.sum(kernel[::-1, ::-1] * window)


def lai_homographies(angles, shape):
    """The homographies (T, 3, 3) by which the released script of Lai et al. looks up an image.

    `angles` (T, 3) in radians about the script's axes (row, column, depth), relative to the first pose. The
    image of `shape` (H, W) was padded by LAI_PADDING on every side; beyond the padding the script sees zeros.
    """
    height, width = (length + 2 * LAI_PADDING for length in shape)
    focal = max(height, width)
    camera = np.array([[focal, 0, height / 2], [0, focal, width / 2], [0, 0, 1.0]])
    rotations = Rotation.from_rotvec(LAI_ROTATION_SCALE * np.asarray(angles, np.float64)).as_matrix()
    # The script maps the sharp image onto the blurry one; here the blurry one looks up the sharp one.
    lookups = np.linalg.inv(camera @ rotations @ np.linalg.inv(camera))
    lookups[:, 2, 2] += LAI_DEPTH_GUARD
    to_script = np.array([[0, 1, 1], [1, 0, 1], [0, 0, 1.0]])  # swaps column and row, and counts from 1
    return np.linalg.inv(to_script) @ lookups @ to_script


def test_angles_of_the_released_script_match_the_reference(fixture):
    arrays = fixture("glkm_camera_shake")
    homographies = lai_homographies(arrays["lai_pose"], arrays["x"].shape)
    padded = np.pad(arrays["x"], LAI_PADDING, mode="edge")
    inside = slice(LAI_PADDING, -LAI_PADDING)
    blurry = warped(padded, homographies, "constant")[inside, inside]
    np.testing.assert_allclose(blurry, arrays["lai_y"], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("pose", "displacement"),
    [
        ((0, 0.01, 0, 0, 0, 0), 1),  # yaw looks to the right
        ((-0.01, 0, 0, 0, 0, 0), 1j),  # pitch looks down
        ((0, 0, 0, 0.01, 0, 0), 1),
        ((0, 0, 0, 0, 0.01, 0), 1j),
        ((0, 0, 0.01, 0, 0, 0), 0),  # roll leaves the middle in place
    ],
)
def test_each_axis_has_its_sign(pose, displacement):
    shake = CameraShake(np.array([pose], float), (61, 101))
    moved = shake.displacements(np.array([[30, 50]]))[0, 0]
    assert moved == pytest.approx(1.01 * displacement, abs=1e-3)  # the focal length is 101


def test_a_moving_look_up_moves_the_kernel_the_other_way():
    # Looking at x one column to the right: y(i) = x(i + 1), a convolution with a delta at -1.
    shake = CameraShake(np.array([[0, 0, 0, 0.01, 0, 0]]), (100, 100))
    kernel = shake.psfs(np.array([[40, 50]]), 5)[0]
    expected = np.zeros((5, 5))
    expected[2, 1] = 1
    np.testing.assert_allclose(kernel, expected, atol=1e-12)


@pytest.mark.parametrize("speed", ["constant", "varying"])
@pytest.mark.parametrize(
    ("shape", "size"), [((60, 80), 31), ((700, 1000), 31), ((301, 200), 61), ((9, 7), 5)]
)
def test_kernels_of_every_pixel_fit_the_declared_size(shape, size, speed):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        shake = simulate_shake(shape, size, (15, 40), rng, speed=speed)
        assert shake.kernel_size <= size
        everywhere = patch_centres(shape, (min(shape[0], 35), min(shape[1], 35)))
        moved = shake.displacements(everywhere)
        assert max(np.abs(moved.real).max(), np.abs(moved.imag).max()) <= shake.reach
        for grid in ((1, 1), (2, 3), (5, 5)):
            kernels = shake.psfs(patch_centres(shape, grid), size)
            assert kernels.shape == (grid[0] * grid[1], size, size)
            np.testing.assert_allclose(kernels.sum((1, 2)), 1, atol=1e-12)
            rim = kernels.copy()
            rim[:, 1:-1, 1:-1] = 0
            assert (rim == 0).all()


def test_simulated_kernels_blur_exactly():
    rng = np.random.default_rng(0)
    image = rng.random((40, 50))
    shake = simulate_shake(image.shape, 21, (8, 12), rng)
    blurry = warped(image, shake.homographies, "nearest")
    pixels = np.array([[0, 0], [13, 44], [39, 49], [20, 25]])
    for kernel, (row, column) in zip(shake.psfs(pixels, 21), pixels, strict=True):
        assert convolved_at(image, kernel, row, column) == pytest.approx(blurry[row, column], abs=1e-12)


@pytest.mark.parametrize("speed", ["constant", "varying"])
def test_the_track_has_its_extent_where_it_fits(speed):
    middle = np.array([[149.5, 189.5]])
    for seed in range(5):
        shake = simulate_shake(
            (300, 380), 61, (15, 40), np.random.default_rng(seed), speed=speed, largest_roll=0
        )
        moved = shake.displacements(middle)[0]
        side = max(np.ptp(moved.real), np.ptp(moved.imag))
        assert 14.9 <= side <= 40.1  # f tan(angle) against f times the angle, and the sampling of turns
        # Its bounding box is centred.
        assert abs(moved.real.max() + moved.real.min()) < 0.2
        assert abs(moved.imag.max() + moved.imag.min()) < 0.2


def test_speed_is_constant_or_varies():
    middle = np.array([[149.5, 189.5]])
    variation = {}
    for speed in ("constant", "varying"):
        shake = simulate_shake(
            (300, 380), 61, (30, 30), np.random.default_rng(0), speed=speed, largest_roll=0
        )
        steps = np.abs(np.diff(shake.displacements(middle)[0]))
        variation[speed] = steps.std() / steps.mean()
    # Sampling a jagged path cuts its corners.
    assert variation["constant"] < 0.25 < variation["varying"]


def test_poses_are_dense_along_the_longest_path():
    shake = simulate_shake((300, 380), 61, (40, 40), np.random.default_rng(0))
    corner_paths = shake.displacements(np.array([[0, 0], [0, 379], [299, 0], [299, 379]]))
    longest = np.abs(np.diff(corner_paths, axis=1)).sum(1).max()
    assert len(shake.poses) >= max(64, 2 * longest)
    short = simulate_shake((30, 40), 9, (2, 2), np.random.default_rng(0), largest_roll=0)
    assert len(short.poses) == 64


def test_rolls_are_as_large_as_asked_and_nothing_is_translated():
    rolls = []
    for seed in range(20):
        poses = simulate_shake((300, 380), 101, (15, 40), np.random.default_rng(seed)).poses
        roll = np.rad2deg(poses[:, 2])
        assert roll.max() == pytest.approx(-roll.min(), rel=1e-3)
        rolls.append(roll.max())
        assert (poses[:, 3:] == 0).all()
    assert min(rolls) > 0
    assert 1 < max(rolls) <= 1.5


def test_patch_centres_divide_the_image_evenly():
    centres = patch_centres((20, 24), (2, 3))
    expected = [(row, column) for row in (4.5, 14.5) for column in (3.5, 11.5, 19.5)]
    np.testing.assert_allclose(centres, expected)


@pytest.mark.parametrize("size", [9, 20])
def test_kernels_that_do_not_fit_are_refused(fixture, size):
    arrays = fixture("glkm_camera_shake")
    shake = CameraShake(arrays["pose"], arrays["x"].shape)
    with pytest.raises(InputError, match=f"odd size of at least {shake.kernel_size}, not {size}"):
        shake.psfs(arrays["psf_nodes"], size)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 30}, "odd kernel size of at least 5 pixels, not 30"),
        ({"size": 3}, "odd kernel size"),
        ({"extent": (0, 5)}, "positive range"),
        ({"extent": (5, 2)}, "positive range"),
        ({"largest_roll": -1}, "0 or more degrees"),
        ({"speed": "fast"}, "unknown speed of camera shake: 'fast'; use one of constant, varying"),
    ],
)
def test_wrong_arguments_are_refused(changes, message):
    arguments = {"shape": (30, 40), "size": 31, "extent": (5, 10), "rng": np.random.default_rng(0)}
    with pytest.raises(InputError, match=message):
        simulate_shake(**(arguments | changes))
