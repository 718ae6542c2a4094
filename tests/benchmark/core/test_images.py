import re

import numpy as np
import pytest
from PIL import Image

from benchmark.core.errors import InputError
from benchmark.core.images import read_image, write_image, write_kernel_image
from benchmark.core.photos import Photo, read_photo, write_photo
from tests.conftest import ROOT


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)


def test_what_is_written_is_read_again(tmp_path, colours):
    for image in (colours.transpose(2, 0, 1) / np.float32(255), colours[None, :, :, 0] / np.float32(255)):
        write_image(tmp_path / "x.png", image)
        np.testing.assert_array_equal(read_image(tmp_path / "x.png"), image.astype(np.float32))


def test_values_are_clipped_and_rounded(tmp_path):
    write_image(tmp_path / "x.png", np.array([[[-1.0, 2.0, 0.5, 1.4 / 255]]], dtype=np.float32))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), [[0, 255, 128, 1]])


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("L", 1), ("1", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3), ("P", 3), ("CMYK", 3), ("I;16", 1)],
)
def test_every_kind_of_file_becomes_grey_or_rgb(tmp_path, colours, mode, channels):
    if mode == "I;16":
        file = Image.fromarray(colours[:, :, 0].astype(np.uint16) * 257)
    else:
        file = Image.fromarray(colours).convert(mode)
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    file.save(path)
    image = read_image(path)
    assert image.shape == (channels, 7, 9)
    assert image.dtype == np.float32
    assert 0 <= image.min() < image.max() <= 1


def test_sixteen_bits_keep_their_depth(tmp_path):
    Image.fromarray(np.array([[0, 1, 65535]], dtype=np.uint16)).save(tmp_path / "x.png")
    np.testing.assert_allclose(read_image(tmp_path / "x.png")[0, 0], [0, 1 / 65535, 1])


def test_alpha_is_dropped_not_blended(tmp_path, colours):
    alpha = np.zeros((7, 9, 1), dtype=np.uint8)
    Image.fromarray(np.concatenate((colours, alpha), axis=2)).save(tmp_path / "x.png")
    np.testing.assert_allclose(read_image(tmp_path / "x.png"), colours.transpose(2, 0, 1) / 255, atol=1e-6)


def test_exif_orientation_is_applied(tmp_path, colours):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(colours).save(tmp_path / "x.jpg", exif=exif)
    assert read_image(tmp_path / "x.jpg").shape == (3, 9, 7)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "text"])
def test_files_that_are_no_images_are_named(tmp_path, colours, damage):
    path = tmp_path / "x.png"
    Image.fromarray(colours).save(path)
    if damage == "missing":
        path.unlink()
    else:
        content = {"empty": b"", "truncated": path.read_bytes()[:60], "text": b"hello"}[damage]
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.png") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_format_leaves_nothing_behind(tmp_path):
    with pytest.raises(InputError, match=r"\.xyz"):
        write_image(tmp_path / "x.xyz", np.zeros((1, 2, 2), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_is_shown_by_its_largest_entry(tmp_path):
    write_kernel_image(tmp_path / "k.png", np.array([[0.1, 0.4]], dtype=np.float32))
    picture = np.asarray(Image.open(tmp_path / "k.png"))
    assert picture.shape == (192, 384)
    np.testing.assert_array_equal(picture[::192, ::192], [[64, 255]])
    assert (picture[:, :192] == 64).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_and_depth_survive_the_round_trip(tmp_path, colours, suffix):
    path = tmp_path / f"x{suffix}"
    pixels = colours.transpose(2, 0, 1) / np.float32(255)
    assert write_photo(path, Photo(pixels, pixels[:1])) == []
    again = read_photo(path)
    np.testing.assert_array_equal(again.image, pixels)
    np.testing.assert_array_equal(again.alpha, pixels[:1])
    deep = np.array([[[0, 1, 300, 65535]]], np.float32) / 65535
    assert write_photo(path, Photo(deep, kind="uint16")) == []
    again = read_photo(path)
    np.testing.assert_allclose(again.image, deep, rtol=1e-6)
    assert (again.alpha, again.kind) == (None, "uint16")


def test_a_transparent_palette_has_alpha(tmp_path):
    file = Image.fromarray(np.arange(4, dtype=np.uint8)[None]).convert("P")
    file.save(tmp_path / "x.png", transparency=2)
    np.testing.assert_array_equal(read_photo(tmp_path / "x.png").alpha, [[[1, 1, 0, 1]]])


def test_the_content_of_a_file_chooses_no_other_format(tmp_path, colours, monkeypatch):
    """Pillow reads an EPS file by starting Ghostscript, whatever the file is called."""
    started = []
    monkeypatch.setattr("subprocess.check_call", lambda *command, **options: started.append(command))
    monkeypatch.setattr("subprocess.Popen", lambda *command, **options: started.append(command))
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", "gs")
    for kind in ("EPS", "GIF", "ICO", "PDF", "TGA"):
        path = tmp_path / f"{kind}.png"
        Image.fromarray(colours).save(path, kind)
        with pytest.raises(InputError, match="not a photograph that can be read"):
            read_image(path)
    assert started == []


def test_the_formats_of_photographs_are_read(tmp_path, colours):
    for suffix in ("bmp", "jpg", "png", "ppm", "tif", "webp"):
        Image.fromarray(colours).save(tmp_path / f"x.{suffix}")
        assert read_image(tmp_path / f"x.{suffix}").shape == (3, 7, 9)


def test_a_file_with_too_many_pixels_is_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    Image.new("1", (10_001, 10_000)).save(tmp_path / "x.png")  # 12 kB
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda file: pytest.fail("its pixels are unpacked"))
    with pytest.raises(InputError, match=r"x\.png: too large to open; reduce it to 100 million pixels"):
        read_image(tmp_path / "x.png")
    Image.new("1", (30_000, 30_000)).save(tmp_path / "y.png")  # Pillow itself refuses this one
    with pytest.raises(InputError, match=r"y\.png: too large to open; reduce it to 100 million pixels"):
        read_image(tmp_path / "y.png")


def test_image_files_are_read_in_one_place():
    """Another reader would have to refuse the same formats and sizes."""
    readers = re.compile(r"Image\.open|imread|imdecode|TiffFile\(")
    files = [path for room in ("benchmark", "blindbench", "methods") for path in (ROOT / room).rglob("*.py")]
    reading = {str(path.relative_to(ROOT)) for path in files if readers.search(path.read_text())}
    assert reading == {
        "benchmark/core/image_files.py",
        "benchmark/core/deep_pixels.py",
        "benchmark/blur/noise.py",  # what it wrote itself
    }
