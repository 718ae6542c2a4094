"""`blindbench deblur`: a photo, and what is refused before any work."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage
from skimage import data

from benchmark.core.kernel_files import read_kernel
from benchmark.scoring.kernel_scores import kernel_similarity
from benchmark.tools.detective import pair_by_name
from benchmark.tools.sheet import GAP
from methods.classical.defocus import disk
from methods.parts.case_files import kernel_files, restored_images
from tests.benchmark.cli.conftest import assert_refused

TINY = ["--set", "channels=4", "--set", "skip_channels=2"]


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "a photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)).save(path)
    return path


def deblur(photo, *more, out="x.png", size=5, iterations=3, scales=2):
    named = ("deblur", photo, "--method", "selfdeblur", "--kernel-size", size)
    return (*named, "--iterations", iterations, "--out", out, *TINY, "--set", f"scales={scales}", *more)


def test_deblur_writes_image_and_kernel(blindbench, photo, tmp_path):
    code, output, _ = blindbench(*deblur(photo))
    assert code == 0
    assert "x.png: restored in 3 iterations" in output
    assert "x.png: blurred again, the result differs from the photo by 0." in output
    assert Image.open(tmp_path / "x.png").size == (30, 24)
    assert read_kernel(tmp_path / "x_kernel.npz").shape == (5, 5)


def test_deblur_with_the_robust_method_needs_no_size(blindbench, photo, tmp_path):
    """Its kernels get half the photo where no size is given."""
    small = {"channels": 4, "skip_channels": 2, "scales": 2, "siren_width": 8, "window": 3}
    more = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    named = ("--method", "robust-bid", "--iterations", 4, "--out", "x.png")
    code, output, _ = blindbench("deblur", photo, *named, *more)
    assert code == 0
    assert "restored in 4 iterations" in output
    with Image.open(photo) as given, Image.open("x.png") as restored:
        assert restored.size == given.size
        assert read_kernel(tmp_path / "x_kernel.npz").shape == tuple(-(-s // 2) for s in given.size[::-1])


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_deblur_takes_every_kind_of_image(blindbench, tmp_path, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 22, 3), dtype=np.uint8)
    sixteen = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    path = tmp_path / "photo.tif"
    (sixteen if mode == "I;16" else Image.fromarray(pixels).convert(mode)).save(path)
    assert blindbench(*deblur(path))[0] == 0
    expected = mode if mode in ("L", "RGBA", "I;16") else "RGB"
    assert Image.open(tmp_path / "x.png").mode == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "Invalid value for '--kernel-size'"),
        ({"size": 25}, "the kernel (25 x 25) is larger than the image (24 x 30)"),
        ({"iterations": 0}, "Invalid value for '--iterations'"),
        ({"out": "x.xyz"}, "unknown image format '.xyz'"),
        ({"out": "x.psd"}, "unknown image format '.psd'; write .png or .jpg"),  # Pillow reads it, no more
        ({"out": "x.pgm"}, ".pgm holds grey images"),
        ({"out": "nowhere/x.png"}, "nowhere: no such folder"),
        ({"out": "a photo.png"}, "is the photo itself"),
        ({"out": "/proc/x.png"}, "/proc: cannot be written"),  # though its permissions allow it
    ],
)
def test_deblur_refuses_before_it_works(blindbench, photo, arguments, message):
    assert_refused(blindbench(*deblur(photo, **arguments)), message)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--method", "selfdebur"), "unknown method 'selfdebur'. Did you mean 'selfdeblur'?"),
        (("--set", "chanels=3"), "unknown setting 'chanels'. Did you mean 'channels'?"),
        (("--method", "selfdeblur@quik"), "selfdeblur has no preset 'quik'; its presets: quick"),
        (("--set", "channels"), "write KEY=VALUE"),
        (("--set", "width=[1"), "--set width=[1: line 1, column 3: not valid YAML"),
        (("--set", "channels=5"), "--set channels=5: 'channels' is given twice"),
        (("--iterations", "3", "--set", "iterations=4"), "'iterations' is given twice"),
        (("--device", "tpu"), "unknown device 'tpu'"),
        (("--scales", "3"), "No such option"),
    ],
)
def test_deblur_names_the_wrong_option(blindbench, photo, more, message):
    assert_refused(blindbench(*deblur(photo, *more)), message)


def test_bfloat16_is_refused_on_a_processor_without_it(blindbench, photo, monkeypatch):
    monkeypatch.setattr("methods.parts.precision.processor_has_bfloat16", lambda: False)
    outcome = blindbench(*deblur(photo, "--set", "precision=bfloat16"))
    assert_refused(outcome, "precision: this processor has no bfloat16 (neither AVX-512 BF16 nor AMX)")


@pytest.mark.parametrize("damage", ["missing", "truncated", "text", "one pixel", "folder"])
def test_deblur_names_a_bad_photo(blindbench, photo, damage):
    if damage == "missing":
        photo.unlink()
    elif damage == "folder":
        photo.unlink()
        photo.mkdir()
    elif damage == "one pixel":
        Image.new("RGB", (1, 1)).save(photo)
    else:
        photo.write_bytes(b"hello" if damage == "text" else photo.read_bytes()[:100])
    assert_refused(blindbench(*deblur(photo)), "a photo.png")


def test_an_image_too_small_for_the_network_is_refused(blindbench, tmp_path):
    Image.new("L", (3, 3)).save(tmp_path / "dot.png")
    assert_refused(blindbench(*deblur("dot.png", size=3, scales=5)), "at least 33 pixels")


@pytest.fixture
def textured(tmp_path):
    """A photograph of 72 x 66 px, blurred over 5 px, so that the default method has something to find."""
    sharp = data.astronaut()[60:136, 180:246].astype(float)
    path = tmp_path / "textured.png"
    Image.fromarray(ndimage.uniform_filter1d(sharp, 5, axis=0)[2:-2].astype(np.uint8)).save(path)
    return path


def test_deblur_needs_neither_size_nor_method(blindbench, textured, tmp_path):
    code, output, error = blindbench("deblur", textured, "--out", "x.png")
    assert code == 0
    assert "finding the kernel: 0 of 1, blurs of up to 15 px" in error
    assert "finding the kernel: 1 of 1" in error
    verdict, numbers, picture, array, sheet = output.splitlines()
    assert verdict.startswith(("x.png: do not trust this: ", "x.png: the kernels", "x.png: blurred again"))
    assert "kernel size 15 px" in numbers
    assert "blurred again, the result differs from the photo by 0.0" in numbers
    assert picture.startswith("x_kernel.png: ")
    assert array.startswith("x_kernel.npz: ")
    assert sheet.startswith("x_sheet.png: ")
    with Image.open(textured) as given, Image.open(tmp_path / "x.png") as written:
        assert written.size == given.size
    kernel = read_kernel(tmp_path / "x_kernel.npz")
    assert kernel.shape == (15, 15)
    assert min(Image.open(tmp_path / "x_kernel.png").size) > 300
    np.testing.assert_allclose(read_kernel(tmp_path / "x_kernel.png"), kernel, rtol=0, atol=0.5 / 255)
    # What reads folders of results knows which of these files is what.
    textured.unlink()
    assert restored_images(str(tmp_path)).only_one("x") == tmp_path / "x.png"
    assert kernel_files(str(tmp_path)).only_one("x") == tmp_path / "x_kernel.npz"
    (tmp_path / "sharp").mkdir()
    Image.new("RGB", (66, 72)).save(tmp_path / "sharp" / "x.png")
    paired = pair_by_name(tmp_path, tmp_path / "sharp")
    assert paired.pairs == ((tmp_path / "x.png", tmp_path / "sharp" / "x.png"),)
    assert paired.unpaired == ()


def test_deblur_restores_with_a_kernel_that_one_has(blindbench, textured, tmp_path):
    kernel = np.zeros((9, 1))
    kernel[0], kernel[4:7] = 0.4, 0.2
    sharp = data.astronaut()[:160, 150:310].astype(float)
    Image.fromarray(ndimage.convolve(sharp, kernel[:, :, None]).astype(np.uint8)).save(textured)
    np.savez("k.npz", kernel=kernel)
    np.save("turned.npy", kernel[::-1])
    code, output, _ = blindbench("deblur", textured, "--kernel", "k.npz", "--out", "x.png")
    assert code == 0
    assert output.startswith("x.png: blurred again with the given kernel, the result matches the photo")
    assert not (tmp_path / "x_kernel.npz").exists()
    assert (tmp_path / "x_sheet.png").exists()
    error = [np.square(np.asarray(Image.open(path), float) - sharp).mean() for path in ("x.png", textured)]
    assert error[0] < error[1] / 2
    output = blindbench("deblur", textured, "--kernel", "turned.npy", "--out", "x.png")[1]
    assert output.startswith("x.png: do not trust this: turned by 180 degrees the kernel explains the photo ")


def test_deblur_finds_the_kernel_on_the_part_that_is_named(blindbench, textured, tmp_path):
    code, _, error = blindbench("deblur", textured, "--part", "10,20,50,46", "--out", "x.png")
    assert code == 0
    assert "blurs of up to 15 px" in error
    before = np.asarray(Image.open(textured))[20:66, 10:60]
    sheet = np.asarray(Image.open(tmp_path / "x_sheet.png"))
    found = [np.array_equal(sheet[row : row + 46, GAP : GAP + 50], before) for row in range(len(sheet) - 46)]
    assert sum(found) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--kernel", "no.npz"), "no.npz: no such file"),
        (("--kernel", "wide.npy"), "the kernel (70 x 3 px) is as large as the photo (66 x 72 px)"),
        (("--kernel", "k.npy", "--kernel-size", 5), "leave out --kernel-size"),
        (("--kernel", "k.npy", "--method", "rl", "--part", "0,0,9,9"), "leave out --method and --part"),
        (("--method", "rl", "--part", "0,0,9,9"), "a method runs on the whole photo; leave out --part"),
        (("--streak", "0,0,9,9", "--kernel", "k.npy"), "leave out --streak"),
        (("--streak", "0,0,99,9"), "--streak 0,0,99,9: does not lie in the photo"),
        (("--method", "rl", "--blur", "defocus"), "leave out --blur or --method"),
        (("--method", "rl", "--effort", "high"), "leave out --effort or --method"),
        (("--kernel", "k.npy", "--effort", "low"), "leave out --effort"),
        (("--kernel-size", 9, "--effort", "low"), "with --kernel-size one size is tried"),
        (("--effort", "most"), "'most' is not one of 'low', 'normal', 'high'"),
        (("--kernel", "k.npy", "--blur", "defocus"), "leave out --blur"),
        (("--blur", "wind"), "'wind' is not one of 'motion', 'defocus'"),
        (("--part", "0,0,9"), "--part 0,0,9: write X,Y,WIDTH,HEIGHT in whole pixels"),
        (("--part", "0,0,67,9"), "does not lie in the photo, which has 66 x 72 px"),
        (("--part", "0,0,20,0"), "does not lie in the photo"),
        (("--part", "0,0,40,30", "--kernel-size", 31), "the kernel size 31 is larger than the part (30 px)"),
    ],
)
def test_deblur_refuses_a_kernel_or_part_that_cannot_be(blindbench, textured, options, message):
    np.save("k.npy", np.ones((3, 3)))
    np.save("wide.npy", np.ones((3, 70)))
    assert_refused(blindbench("deblur", textured, *options, "--out", "x.png"), message)


def test_deblur_with_a_size_tries_that_one(blindbench, textured, tmp_path):
    output = blindbench("deblur", textured, "--kernel-size", 9, "--out", "x.png")[1]
    assert "kernel size 9 px; blurred again" in output
    assert read_kernel(tmp_path / "x_kernel.npz").shape == (9, 9)
    larger = blindbench("deblur", textured, "--kernel-size", 70, "--out", "x.png")
    assert_refused(larger, "the kernel size 70 is larger than the photo (66 px)")


def test_a_photo_out_of_focus_of_16_bits_gets_a_disk_and_keeps_its_bits(blindbench, tmp_path):
    sharp = data.camera()[60:180, 190:310] / 255
    blurry = ndimage.convolve(sharp, disk((9, 9), 3.0))
    Image.fromarray(np.round(65535 * blurry).astype(np.uint16)).save("deep.tif")
    code, output, _ = blindbench("deblur", "deep.tif", "--blur", "defocus", "--out", "x.tif")
    assert code == 0
    assert output.startswith("x.tif: the kernels of different sizes agree")
    kernel = read_kernel(tmp_path / "x_kernel.npz")
    assert np.array_equal(kernel, kernel[::-1]) and np.array_equal(kernel, kernel.T)
    assert kernel_similarity(kernel, disk((9, 9), 3.0)) > 0.95
    restored = np.asarray(Image.open("x.tif"))
    assert restored.dtype == np.uint16
    error = [np.square(image - sharp)[10:-10, 10:-10].mean() for image in (restored / 65535, blurry)]
    assert error[0] < error[1] / 2


def test_deblur_leaves_a_photo_without_edges_as_it_is(blindbench, tmp_path):
    Image.new("RGB", (60, 50), (10, 20, 30)).save("flat.png")
    code, output, _ = blindbench("deblur", "flat.png", "--out", "x.png")
    assert code == 0
    assert output.startswith("x.png: nothing was done to the photo: it has no edges")
    np.testing.assert_array_equal(Image.open("x.png"), Image.open("flat.png"))
    assert not (tmp_path / "x_kernel.png").exists()


def test_deblur_keeps_alpha_and_depth_where_the_format_can(blindbench, textured):
    file = Image.open(textured)
    alpha = Image.linear_gradient("L").resize(file.size)
    file.putalpha(alpha)
    file.save("alpha.png")
    assert blindbench("deblur", "alpha.png", "--kernel-size", 7, "--out", "x.png")[0] == 0
    assert Image.open("x.png").mode == "RGBA"
    np.testing.assert_array_equal(Image.open("x.png").getchannel("A"), alpha)
    output = blindbench("deblur", "alpha.png", "--kernel-size", 7, "--out", "x.jpg")[1]
    assert "x.jpg: .jpg cannot keep its transparency of the photo" in output
    deep = np.asarray(file.convert("L"), np.uint16) * 257 + 5
    Image.fromarray(deep).save("deep.png")
    assert blindbench("deblur", "deep.png", "--kernel-size", 7, "--out", "x.png")[0] == 0
    restored = np.asarray(Image.open("x.png"))
    assert restored.dtype == np.uint16
    assert len(np.unique(restored)) > 256


def test_what_of_a_photo_is_lost_is_told(blindbench, tmp_path):
    pages = np.linspace(100, 3000, 3 * 20 * 22, dtype=np.float32).reshape(3, 20, 22)
    tifffile.imwrite(tmp_path / "stack.tif", pages, photometric="minisblack")
    code, output, _ = blindbench("deblur", "stack.tif", "--method", "blurry", "--out", "x.jpg")
    assert code == 0
    for line in (
        "stack.tif: its values lie between 100 and 1065.2; 0 is taken as black, 1065.2 as white",
        "stack.tif: not read from the photo: all but the first of its 3 pages",
        "x.jpg: .jpg cannot keep floating-point values of the photo; write .tif if you need it",
        "x.jpg: its values 0 to 255 are 0 to 1065.2 of the photo",
    ):
        assert line in output.splitlines()
    assert blindbench("deblur", "stack.tif", "--method", "blurry", "--out", "x.tif")[0] == 0
    np.testing.assert_allclose(tifffile.imread(tmp_path / "x.tif"), pages[0], rtol=1e-5)


def test_a_method_that_fails_is_one_line_and_exit_code_1(blindbench, monkeypatch, photo, tmp_path):
    monkeypatch.setattr("methods.parts.fit.Fit.step", lambda self, step: 1 / 0)
    code, output, error = blindbench(*deblur(photo))
    assert (code, output) == (1, "")
    (line,) = [line for line in error.splitlines() if line.startswith("blindbench: ")]
    assert "a photo.png: failed: " in line
    assert not (tmp_path / "x.png").exists()


def test_ctrl_c_says_how_to_continue(blindbench, monkeypatch, photo):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmark.tools.one_image.solve", interrupted)
    code, _, error = blindbench(*deblur(photo))
    assert code == 130
    assert "continues" in error
