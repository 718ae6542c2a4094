"""Files of one's own: all kinds of numbers, what lies beside the pixels, and what is said of a loss."""

import io
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from benchmark.core.errors import InputError
from benchmark.core.image_files import FORMATS
from benchmark.core.images import read_image
from benchmark.core.photos import Photo, read_photo, require_format, write_photo

RNG = np.random.default_rng(0)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MAKER, EXPOSURE, WIDTH = 271, 33434, 256  # tags of EXIF


@pytest.fixture
def colours():
    return RNG.integers(0, 256, (7, 9, 3), dtype=np.uint8)


def png16(pixels, kind, *more):
    """A PNG file of 16 bits, written by hand: `kind` is PNG's number of the kind of image; `more` chunks."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    others = b"".join(chunk(name.encode(), content) for name, content in more)
    end = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + others + end


def numbers(photo):
    """The numbers of the file (H, W, C), without alpha."""
    low, high = photo.scale
    return low + (high - low) * photo.image.transpose(1, 2, 0).astype(float)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", ["uint16", "uint32", "int16", "int32", "float16", "float32", "float64"])
def test_colours_of_any_kind_of_number_are_read(tmp_path, kind, order, planes, compression):
    pixels = (1000 * RNG.random((7, 9, 3))).astype(kind)
    stored = np.moveaxis(pixels, -1, 0) if planes == "separate" else pixels
    tifffile.imwrite(
        tmp_path / "x.tif",
        stored,
        byteorder=order,
        photometric="rgb",
        planarconfig=planes,
        compression=compression,
    )
    photo = read_photo(tmp_path / "x.tif")
    np.testing.assert_allclose(numbers(photo), pixels.astype(float), rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_grey_of_16_bits_is_read_whatever_its_compression(tmp_path, compression):
    deep = RNG.integers(0, 65536, (7, 9), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "x.tif", compression=compression)
    np.testing.assert_allclose(numbers(read_photo(tmp_path / "x.tif"))[:, :, 0], deep, atol=0.01)


def test_colours_of_16_bits_are_read_though_tifffile_lacks_their_compression(tmp_path):
    deep = RNG.integers(0, 65536, (7, 9, 3), dtype=np.uint16)
    lzw = [cv2.IMWRITE_TIFF_COMPRESSION, 5]
    assert cv2.imwrite(str(tmp_path / "x.tif"), deep[:, :, ::-1], lzw)
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert file.pages[0].compression == 5
    np.testing.assert_allclose(numbers(read_photo(tmp_path / "x.tif")), deep, atol=0.01)


@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_16_bits_is_read_and_written_whole(tmp_path, kind, channels):
    pixels = RNG.integers(0, 65536, (7, 9, channels), dtype=np.uint16)
    (tmp_path / "x.png").write_bytes(png16(pixels, kind))
    for name in ("x.png", "y.tif", "y.png"):
        photo = read_photo(tmp_path / name)
        # OpenCV writes grey with alpha as RGBA.
        shown = 1 if channels == 1 or (channels == 2 and name != "y.png") else 3
        assert len(photo.image) == shown
        np.testing.assert_allclose(
            numbers(photo),
            np.broadcast_to(pixels[:, :, : 3 if channels > 2 else 1], (7, 9, shown)),
            atol=0.01,
        )
        if channels in (2, 4):
            np.testing.assert_allclose(65535 * photo.alpha[0].astype(float), pixels[:, :, -1], atol=0.01)
        for other in ("y.png", "y.tif"):
            as_colours = other == "y.png" and photo.alpha is not None and len(photo.image) == 1
            said = write_photo(tmp_path / other, photo)
            assert [line.startswith("its grey stands in three equal ch") for line in said] == [
                True
            ] * as_colours


def test_ppm_of_12_bits_is_read(tmp_path):
    pixels = RNG.integers(0, 4096, (7, 9, 3), dtype=np.uint16)
    pixels[0, 0] = 4095
    (tmp_path / "x.ppm").write_bytes(b"P6 # a camera\n9 7\n4095\n" + pixels.astype(">u2").tobytes())
    np.testing.assert_allclose(numbers(read_photo(tmp_path / "x.ppm")), pixels, atol=0.01)
    np.testing.assert_allclose(read_image(tmp_path / "x.ppm").max(), 1)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_few_bits_in_16_are_the_same_photo_as_those_that_fill_them(tmp_path, bits):
    pixels = RNG.integers(0, 2**bits, (7, 9), dtype=np.uint16)
    pixels[0, 0] = 2**bits - 2
    for name in ("x.png", "x.tif"):
        Image.fromarray(pixels).save(tmp_path / name)
        photo = read_photo(tmp_path / name)
        np.testing.assert_allclose(photo.image[0], pixels / (2**bits - 1), rtol=1e-6)
        assert f"({bits} bits)" in photo.notes[0]
        assert write_photo(tmp_path / f"y{name}", photo) == []
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"y{name}")), pixels)
        np.testing.assert_allclose(read_image(tmp_path / name)[0], pixels / 65535, rtol=1e-6)


def test_a_photo_that_fills_16_bits_is_taken_as_it_is(tmp_path):
    Image.fromarray(np.array([[0, 40_000]], np.uint16)).save(tmp_path / "x.png")
    photo = read_photo(tmp_path / "x.png")
    assert (photo.scale, photo.notes) == ((0, 65535), ())


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [(204, 3682, (0, 3682)), (-3, 5, (-3, 5)), (0, 0.03, (0, 0.03)), (0, 0.9, (0, 1))],
)
def test_floats_are_scaled_and_written_back_in_their_range(tmp_path, low, high, scale):
    pixels = np.linspace(low, high, 63, dtype=np.float32).reshape(7, 9)
    Image.fromarray(pixels).save(tmp_path / "x.tif")
    photo = read_photo(tmp_path / "x.tif")
    assert photo.scale == pytest.approx(scale)
    assert bool(photo.notes) == (scale != (0, 1))
    assert photo.image.min() >= 0
    assert 0.5 <= photo.image.max() <= 1
    assert write_photo(tmp_path / "y.tif", photo) == []
    np.testing.assert_allclose(tifffile.imread(tmp_path / "y.tif"), pixels, rtol=1e-5, atol=1e-6 * high)
    lost, *rest = write_photo(tmp_path / "y.png", photo)
    assert lost == ".png cannot keep floating-point values of the photo; write .tif if you need it"
    assert [line.startswith("its values 0 to 65535 are ") for line in rest] == [True] * (scale != (0, 1))


def test_values_that_are_not_finite_are_refused_by_every_reader(tmp_path):
    pixels = np.full((7, 9), 0.5, np.float32)
    pixels[0, :2] = np.nan, np.inf
    Image.fromarray(pixels).save(tmp_path / "x.tif")
    for read in (read_image, read_photo):
        with pytest.raises(InputError, match=r"x\.tif: not finite in 2 of its values"):
            read(tmp_path / "x.tif")


def test_what_has_no_fixed_range_is_no_image_of_a_dataset(tmp_path):
    for name, pixels, message in (
        ("f.tif", np.linspace(0, 255, 63, dtype=np.float32), "lie between 0 and 255; scale them to"),
        ("i.tif", np.arange(63, dtype=np.uint32), "are uint32, of no fixed range; save 8 or 16 bits"),
        ("s.tif", np.arange(63, dtype=np.int16), "are int16, of no fixed range"),
    ):
        tifffile.imwrite(tmp_path / name, pixels.reshape(7, 9))
        with pytest.raises(InputError, match=message):
            read_image(tmp_path / name)
    overshoot = np.linspace(-0.2, 1.2, 63, dtype=np.float32).reshape(7, 9)
    Image.fromarray(overshoot).save(tmp_path / "o.tif")
    np.testing.assert_allclose(read_image(tmp_path / "o.tif")[0], overshoot.clip(0, 1))


def test_32_bits_are_kept_by_tiff_and_where_they_fit_by_png(tmp_path):
    for most, lost in ((70_000, ["32 bits"]), (60_000, [])):
        pixels = np.linspace(0, most, 63).astype(np.uint32).reshape(7, 9)
        tifffile.imwrite(tmp_path / "x.tif", pixels)
        photo = read_photo(tmp_path / "x.tif")
        assert write_photo(tmp_path / "y.tif", photo) == []
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "y.tif"), pixels)
        sentences = write_photo(tmp_path / "y.png", photo)
        assert [word for word in lost if f".png cannot keep {word} per pixel" in sentences[0]] == lost
        if not lost:
            assert sentences == []
            np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "y.png")), pixels)


def test_pages_and_frames_that_are_not_read_are_told(tmp_path, colours):
    tifffile.imwrite(
        tmp_path / "pages.tif", RNG.integers(0, 65536, (3, 7, 9), dtype=np.uint16), photometric="minisblack"
    )
    tifffile.imwrite(tmp_path / "imagej.tif", RNG.integers(0, 256, (4, 7, 9), dtype=np.uint8), imagej=True)
    first, second = Image.fromarray(colours), Image.fromarray(255 - colours)
    for name in ("a.webp", "a.png", "a.avif"):
        first.save(tmp_path / name, save_all=True, append_images=[second], lossless=True)
    first.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[second])
    for name, rest in {
        "pages.tif": "3 pages",
        "imagej.tif": "4 pages",
        "a.webp": "2 frames",
        "a.png": "2 frames",
        "a.avif": "2 frames",
        "phone.jpg": "2 pictures",
    }.items():
        assert read_photo(tmp_path / name).notes == (
            f"not read from the photo: all but the first of its {rest}",
        ), name


@pytest.mark.parametrize("name", ["y.png", "y.jpg", "y.tif", "y.webp", "y.avif"])
def test_profile_and_exif_are_kept_and_the_turn_is_done(tmp_path, colours, name):
    exif = Image.Exif()
    exif[MAKER], exif[0x0112] = "A camera", 6
    exif.get_ifd(34665)[EXPOSURE] = 0.25
    Image.fromarray(colours).save(tmp_path / "x.jpg", exif=exif, icc_profile=SRGB, dpi=(300, 300))
    photo = read_photo(tmp_path / "x.jpg")
    assert photo.image.shape == (3, 9, 7)
    assert photo.notes == ()
    without = "cannot keep its resolution in px per inch of the photo; write .png if you need it"
    lost = [f"{name[1:]} {without}"] if name in ("y.webp", "y.avif") else []
    assert write_photo(tmp_path / name, photo) == lost
    with Image.open(tmp_path / name) as file:
        assert file.size == (7, 9)
        assert lost or file.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        assert file.info["icc_profile"] == SRGB
        assert file.getexif()[MAKER] == "A camera"
        assert file.getexif().get_ifd(34665)[EXPOSURE] == 0.25
        assert file.getexif().get(0x0112, 1) == 1
    assert read_photo(tmp_path / name).image.shape == (3, 9, 7)


def test_tags_of_a_tiff_file_that_say_how_it_is_stored_do_not_become_exif(tmp_path, colours):
    Image.fromarray(colours).save(tmp_path / "x.tif", tiffinfo={MAKER: "A scanner"}, dpi=(300, 300))
    write_photo(tmp_path / "y.jpg", read_photo(tmp_path / "x.tif"))
    with Image.open(tmp_path / "y.jpg") as file:
        assert file.getexif()[MAKER] == "A scanner"
        assert WIDTH not in file.getexif()
        assert file.info["dpi"] == (300, 300)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_files_are_turned_as_pillow_turns_others(tmp_path, orientation):
    pixels = RNG.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    tag = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "x.tif", pixels.astype(np.uint16) * 257, photometric="rgb", extratags=tag)
    tifffile.imwrite(tmp_path / "f.tif", pixels.astype(np.float32) / 255, photometric="rgb", extratags=tag)
    expected = read_image(tmp_path / "x.png")
    for name in ("x.tif", "f.tif"):
        np.testing.assert_allclose(read_photo(tmp_path / name).image, expected, atol=1e-6)


def test_the_profile_of_16_bit_colours_is_kept(tmp_path):
    photo = Photo(RNG.random((3, 7, 9), dtype=np.float32), kind="uint16")
    photo = read_photo_with_profile(tmp_path, photo)
    for name in ("y.png", "y.tif"):
        assert write_photo(tmp_path / name, photo) == []
        assert read_photo(tmp_path / name).descriptions.profile == SRGB


def read_photo_with_profile(folder, photo):
    """The photo as a file with a colour profile gives it."""
    low, high = photo.scale
    pixels = (low + (high - low) * photo.image.transpose(1, 2, 0)).astype(np.uint16)
    tifffile.imwrite(folder / "x.tif", pixels, photometric="rgb", iccprofile=SRGB)
    return read_photo(folder / "x.tif")


def test_a_profile_that_no_longer_fits_the_colours_is_dropped_and_named(tmp_path, colours):
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "x.tif", icc_profile=SRGB)
    (note,) = read_photo(tmp_path / "x.tif").notes
    assert note == "not read from the photo: its colours for print (CMYK), which become RGB"
    Image.fromarray(colours[:, :, 0]).save(tmp_path / "x.jpg", icc_profile=SRGB)
    photo = read_photo(tmp_path / "x.jpg")
    assert photo.notes == ("not read from the photo: its colour profile, which is not for grey",)
    assert photo.descriptions.profile == b""


def test_other_data_beside_the_pixels_are_named(tmp_path, colours):
    Image.fromarray(colours).save(tmp_path / "x.jpg", xmp=b"<x:xmpmeta/>")
    assert read_photo(tmp_path / "x.jpg").notes == ("not read from the photo: its XMP data",)
    five = RNG.integers(0, 65536, (7, 9, 5), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", five, photometric="rgb", planarconfig="contig")
    assert read_photo(tmp_path / "x.tif").notes == ("not read from the photo: 2 further channels",)


# What a file may hold beside its pixels, by the options of Pillow that write it, and what is said of it:
# nothing where all of it comes back.
BESIDE = {
    "nothing": ({}, ""),
    "XMP data": ({"xmp": b"<x:xmpmeta/>"}, "its XMP data"),
    "a comment": ({"comment": b"mine"}, "its comment"),
    "text": ({"pnginfo": {"Author": "me", "Place": "here"}}, "its text (Author, Place)"),
    "a description": ({"exif": {270: "What is seen", 40092: b"c\0"}}, ""),
    "further tags": ({"exif": {50706: b"\1\4\0\0", 37393: 3}}, "its tags ImageNumber, DNGVersion"),
    "another program's name": ({"exif": {305: "A program"}}, ""),
    "pages": ({"save_all": True, "append_images": [Image.new("RGB", (9, 7))]}, "all but the first of its 2 "),
}
HOLDS = {  # by suffix
    "png": ["text", "a description", "further tags", "another program's name", "pages"],
    "jpg": ["XMP data", "a comment", "a description", "further tags", "another program's name"],
    "tif": ["a description", "further tags", "another program's name", "pages"],
    "webp": ["XMP data", "a description", "further tags", "another program's name", "pages"],
    "avif": ["a description", "another program's name", "pages"],
    "bmp": [],
}
HELD = [(suffix, what) for suffix in HOLDS for what in ("nothing", *HOLDS[suffix])]


def options_for_pillow(given):
    """Options of Pillow, their tags and texts as it wants them."""
    options = dict(given)
    if "exif" in given:
        options["exif"] = Image.Exif()
        options["exif"].update(given["exif"])
    if "pnginfo" in given:
        options["pnginfo"] = PngInfo()
        for name, text in given["pnginfo"].items():
            options["pnginfo"].add_text(name, text)
    return options


@pytest.mark.parametrize(("suffix", "what"), HELD)
def test_whatever_a_file_holds_beside_its_pixels_is_kept_or_named(tmp_path, colours, suffix, what):
    given, lost = BESIDE[what]
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(colours).save(path, **options_for_pillow(given))
    photo = read_photo(path)
    said = " ".join(photo.notes)
    assert said.startswith(f"not read from the photo: {lost}" if lost else "")
    assert bool(said) == bool(lost)
    assert write_photo(tmp_path / "y.jpg", photo) == []
    kept = {} if lost else given.get("exif", {})
    with Image.open(tmp_path / "y.jpg") as file:
        found = dict(file.getexif())
    assert {tag: found.get(tag) for tag in kept if tag != 305} == {
        tag: value for tag, value in kept.items() if tag != 305
    }
    assert 305 not in found  # that program did not write it


MODES = {  # Pillow's modes, and the channels that are read of them
    **dict.fromkeys(("1", "L", "I;16", "I", "F", "LA", "La"), 1),
    **dict.fromkeys(("P", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr"), 3),
}


def of_mode(mode):
    """An image of one of Pillow's modes, with numbers of its kind."""
    kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    if mode in kinds:
        return Image.fromarray((250 * RNG.random((7, 9))).astype(kinds[mode]))
    colours = Image.fromarray(RNG.integers(0, 256, (7, 9, 4), dtype=np.uint8))
    between = {"La": "LA", "RGBa": "RGBA", "LA": "LA", "RGBA": "RGBA"}.get(mode, "RGB")
    return colours.convert(between).convert(mode)


def is_written(name, mode):
    """Whether Pillow writes images of a mode in a format."""
    try:
        of_mode(mode).save(io.BytesIO(), name)
    except (OSError, KeyError, ValueError):
        return False
    return True


WRITABLE = [
    (name, mode)
    for name in sorted(FORMATS)
    for mode in MODES
    if name in Image.SAVE and is_written(name, mode)
]


@pytest.mark.parametrize(("name", "mode"), WRITABLE)
def test_what_pillow_writes_of_any_mode_is_read_with_its_transparency(tmp_path, name, mode):
    path = tmp_path / "x"
    of_mode(mode).save(path, name)
    with Image.open(path) as file:
        has_alpha, stored = file.has_transparency_data, file.mode
    photo = read_photo(path)
    assert len(photo.image) == MODES.get(stored, 3)
    assert (photo.alpha is not None) == has_alpha
    for other in ("y.tif", "y.jpg"):
        said = " ".join(write_photo(tmp_path / other, photo))
        assert ("its transparency" in said) == (has_alpha and other == "y.jpg")


@pytest.mark.parametrize(("kind", "colour"), [(0, (1,)), (2, (1, 2, 3))])
def test_a_transparent_colour_of_16_bits_is_transparency(tmp_path, kind, colour):
    pixels = RNG.integers(4, 65536, (7, 9, len(colour)), dtype=np.uint16)
    pixels[2, 3] = colour
    told = struct.pack(f">{len(colour)}H", *colour)
    (tmp_path / "x.png").write_bytes(png16(pixels, kind, ("tRNS", told)))
    expected = np.ones((7, 9))
    expected[2, 3] = 0
    np.testing.assert_array_equal(read_photo(tmp_path / "x.png").alpha[0], expected)


@pytest.mark.parametrize(
    ("chunk", "lost"),
    [(("gAMA", struct.pack(">I", 100_000)), "its gamma of 1"), (("gAMA", struct.pack(">I", 45_455)), "")],
)
def test_a_gamma_that_is_not_the_usual_one_is_named(tmp_path, chunk, lost):
    pixels = RNG.integers(0, 65536, (7, 9, 3), dtype=np.uint16)
    (tmp_path / "x.png").write_bytes(png16(pixels, 2, chunk))
    assert read_photo(tmp_path / "x.png").notes == ((f"not read from the photo: {lost}",) if lost else ())


def test_further_channels_and_signed_bytes_of_8_bits_are_not_lost_without_a_word(tmp_path):
    five = RNG.integers(0, 256, (7, 9, 5), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", five, photometric="rgb", planarconfig="contig")
    assert read_photo(tmp_path / "x.tif").notes == ("not read from the photo: 2 further channels",)
    signed = RNG.integers(-100, 100, (7, 9), dtype=np.int8)
    tifffile.imwrite(tmp_path / "s.tif", signed)
    np.testing.assert_allclose(numbers(read_photo(tmp_path / "s.tif"))[:, :, 0], signed, atol=1e-4)


def test_what_a_tiff_file_that_pillow_cannot_open_says_is_kept_or_named(tmp_path):
    tifffile.imwrite(
        tmp_path / "x.tif",
        RNG.random((7, 9, 3)),
        photometric="rgb",
        resolution=(300, 300),
        description="What is seen",
        extratags=[(33550, 12, 3, (1.0, 1.0, 0.0), True)],
    )
    photo = read_photo(tmp_path / "x.tif")
    assert photo.notes == ("not read from the photo: its EXIF data, its tags 33550",)
    assert photo.descriptions.dpi == pytest.approx((300, 300))


def test_what_a_format_cannot_keep_is_told(tmp_path, colours):
    pixels = colours[None, :, :, 0] / np.float32(255)
    (line,) = write_photo(tmp_path / "x.jpg", Photo(pixels, pixels))
    assert line == ".jpg cannot keep its transparency of the photo; write .png if you need it"
    (line,) = write_photo(tmp_path / "x.jpg", Photo(pixels, kind="uint16"))
    assert line == ".jpg cannot keep 16 bits per pixel of the photo; write .png if you need it"
    assert read_image(tmp_path / "x.jpg").shape == (1, 7, 9)
    Image.fromarray(colours).save(tmp_path / "p.png", icc_profile=SRGB)
    (line,) = write_photo(tmp_path / "x.bmp", read_photo(tmp_path / "p.png"))
    assert line == ".bmp cannot keep its colour profile of the photo; write .png if you need it"


def test_photos_are_written_at_quality_95_with_whole_colours_unless_another_is_asked_for(tmp_path):
    image = RNG.random((3, 64, 64), dtype=np.float32)
    tables, sizes = [], []
    for quality in (None, 95, 30):
        write_photo(tmp_path / "x.jpg", Photo(image), quality)
        with Image.open(tmp_path / "x.jpg") as file:
            tables.append(file.quantization)
            assert [layer[1:3] for layer in file.layer] == [(1, 1)] * 3
        for suffix in ("webp", "avif"):
            write_photo(tmp_path / f"x.{suffix}", Photo(image), quality)
            sizes.append((tmp_path / f"x.{suffix}").stat().st_size)
    assert tables[0] == tables[1] != tables[2]
    assert sizes[:2] == sizes[2:4]
    assert (sizes[0] > sizes[4], sizes[1] > sizes[5]) == (True, True)


@pytest.mark.parametrize("suffix", ["psd", "fits", "gif", "ico", "pdf", "eps", "h5", "pbm", "mpo", "xyz", ""])
def test_formats_that_are_not_for_photos_are_refused(tmp_path, suffix):
    with pytest.raises(InputError, match=r"unknown image format .*; write \.png or \.jpg"):
        require_format(tmp_path / f"x.{suffix}")


def test_photos_that_a_format_does_not_hold_are_refused(tmp_path):
    wide = Photo(np.zeros((1, 1, 16_384), np.float32))
    with pytest.raises(InputError, match=r"\.webp holds no image beyond 16383 px a side; write \.png"):
        require_format(tmp_path / "x.webp", wide)
    with pytest.raises(InputError, match=r"\.pgm holds grey images"):
        require_format(tmp_path / "x.pgm", Photo(np.zeros((3, 2, 2), np.float32)))
    with pytest.raises(InputError, match=r"\.png has no quality"):
        require_format(tmp_path / "x.png", quality=90)


@pytest.mark.parametrize(("kind", "parts"), [("JPEG", (0.999, 0.7)), ("PNG", (0.7,))])
def test_a_cut_file_is_read_as_far_as_it_goes(tmp_path, kind, parts):
    pixels = (127 + 127 * np.sin(np.add.outer(np.arange(128), np.arange(128)) / 7)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x", kind)
    content = (tmp_path / "x").read_bytes()
    for part in parts:
        (tmp_path / "x").write_bytes(content[: int(part * len(content))])
        photo = read_photo(tmp_path / "x")
        (note,) = photo.notes
        assert note.startswith("the end of the photo's file is missing: ")
        np.testing.assert_allclose(photo.image[0, :40], pixels[:40] / 255, atol=0.1)
        with pytest.raises(InputError, match="damaged or truncated"):
            read_image(tmp_path / "x")
    (tmp_path / "x").write_bytes(content[: int(0.2 * len(content))])
    with pytest.raises(InputError, match="damaged or truncated"):
        read_photo(tmp_path / "x")


def test_avif_is_read_and_its_depth_told(tmp_path, monkeypatch, colours):
    Image.fromarray(colours).save(tmp_path / "x.avif", quality=100, subsampling="4:4:4")
    photo = read_photo(tmp_path / "x.avif")
    assert photo.notes == ()
    np.testing.assert_allclose(photo.image.transpose(1, 2, 0), colours / 255, atol=0.05)
    content = bytearray((tmp_path / "x.avif").read_bytes())
    content[content.find(b"av1C") + 6] |= 0x40  # says that it has 10 bits, as Pillow cannot write
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: bytes(content))
    assert "more than 8 of its 10 bits per channel" in read_photo(tmp_path / "x.avif").notes[0]


def test_without_pillow_heif_its_name_is_told(tmp_path, monkeypatch):
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    program = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from pathlib import Path\n"
        "from benchmark.core.photos import read_photo, require_format\n"
        "for work in (read_photo, require_format):\n"
        "    try: work(Path('x.heic'))\n"
        "    except ValueError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    read, write = run.stdout.splitlines()
    assert (
        read == "x.heic: not a photograph that can be read; install pillow-heif, or convert it to PNG or JPEG"
    )
    assert write == "x.heic: the package pillow-heif writes .heic; install it, or write .png or .jpg"


def test_colours_of_cielab_are_refused(tmp_path, colours):
    lab = ImageCms.profileToProfile(
        Image.fromarray(colours),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    lab.save(tmp_path / "x.tif")
    with pytest.raises(InputError, match=r"x\.tif: its colours are those of CIELAB; convert it to RGB"):
        read_photo(tmp_path / "x.tif")


def test_white_is_0_where_a_tiff_file_says_so(tmp_path):
    pixels = np.array([[0, 65535, 1000]], np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="miniswhite")
    np.testing.assert_allclose(read_image(tmp_path / "x.tif")[0], 1 - pixels / 65535, atol=1e-6)


def test_reading_and_writing_change_no_file_of_8_bits(tmp_path, colours):
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "PNG")
    (tmp_path / "x.png").write_bytes(buffer.getvalue())
    write_photo(tmp_path / "y.png", read_photo(tmp_path / "x.png"))
    assert (tmp_path / "y.png").read_bytes() == buffer.getvalue()
