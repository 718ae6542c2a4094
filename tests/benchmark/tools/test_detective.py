"""The protocol detective: it finds the protocol behind a number, and says when it cannot."""

import numpy as np
import pytest
import skimage.data

from benchmark.core.errors import InputError
from benchmark.core.images import read_image, write_image
from benchmark.scoring.metrics import psnr, ssim, ssim_3d, ssim_wang
from benchmark.scoring.protocols import PROTOCOLS
from benchmark.tools.detective import conclusion, describe, investigate, pair_by_name, tolerance


def silent(step):
    pass


def folder(path, *names):
    path.mkdir(parents=True)
    for name in names:
        write_image(path / name, np.zeros((1, 4, 4), np.float32))
    return path


def test_images_are_paired_by_the_longest_name_that_begins_theirs(tmp_path):
    sharp = folder(tmp_path / "sharp", "im1.png", "im1_b.jpg", "im10.png")
    restored = folder(
        tmp_path / "restored", "im1_kernel_01.png", "im1_b_kernel_2.png", "im10.png", "im2.png", "im100_k.png"
    )
    (restored / "notes.txt").write_text("not an image")
    found = pair_by_name(restored, sharp)
    assert {(a.name, b.name) for a, b in found.pairs} == {
        ("im1_kernel_01.png", "im1.png"),
        ("im1_b_kernel_2.png", "im1_b.jpg"),
        ("im10.png", "im10.png"),
    }
    assert [path.name for path in found.unpaired] == ["im100_k.png", "im2.png"]


def test_what_deblur_writes_beside_a_photo_is_passed_over(tmp_path):
    sharp = folder(tmp_path / "sharp", "a.png", "b_kernel.png")
    restored = folder(tmp_path / "restored", "a.png", "a_kernel.png", "a_sheet.png", "b_kernel.png")
    found = pair_by_name(restored, sharp)
    assert {(a.name, b.name) for a, b in found.pairs} == {
        ("a.png", "a.png"),
        ("b_kernel.png", "b_kernel.png"),
    }
    assert found.unpaired == ()


def test_folders_without_a_pair_are_refused(tmp_path):
    sharp, restored = folder(tmp_path / "sharp", "a.png"), folder(tmp_path / "restored", "b.png")
    with pytest.raises(InputError, match="no image has the name of one in"):
        pair_by_name(restored, sharp)
    with pytest.raises(InputError, match="absent: no such folder"):
        pair_by_name(tmp_path / "absent", sharp)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three colour pairs: the restored image is shifted by quarters of a pixel, noisy and too bright."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    (root / "sharp").mkdir()
    (root / "restored").mkdir()
    scene = skimage.data.astronaut().transpose(2, 0, 1).astype(np.float32) / 255
    for index in range(3):
        top, left = 20 + 90 * index, 40 + 110 * index
        sharp = scene[:, top : top + 80, left : left + 84]
        moved = 0.75 * scene[:, top + 3 : top + 83, left - 1 : left + 83] + 0.25 * sharp
        noisy = moved + 0.02 * (index + 1) * rng.standard_normal(sharp.shape).astype(np.float32)
        write_image(root / "sharp" / f"{index}.png", sharp)
        write_image(root / "restored" / f"{index}_k.png", noisy)
    return pair_by_name(root / "restored", root / "sharp").pairs


def average(protocol, metric, pairs):
    values = []
    for restored, sharp in pairs:
        images = (read_image(path).astype(np.float64) for path in (restored, sharp))
        estimate, reference = images
        aligned = PROTOCOLS[protocol].align(estimate, [reference])
        values.append(metric(aligned.estimate, aligned.reference))
    return np.mean(values)


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("plain", ("RGB", "none", 0, "no shift")),
        ("shift-rgb", ("RGB", "none", 15, "whole-pixel shift")),
        ("levin-shift", ("RGB", "none", 15, "quarter-pixel shift")),
        ("lai-shift-luma", ("studio-range luma", "none", 15, "quarter-pixel shift")),
    ],
)
def test_psnr_leads_back_to_the_protocol_that_gave_it(pictures, protocol, expected):
    published = average(protocol, psnr, pictures)
    first = investigate(pictures, published, "psnr", silent).iloc[0]
    assert first.difference == pytest.approx(0, abs=1e-9)
    assert (first.channels, first.rounding, first.border, first.alignment) == expected
    assert (first.average, first.pairs) == ("images", 3)


def test_the_other_average_is_told_apart(pictures):
    errors = []
    for restored, sharp in pictures:
        errors.append(((read_image(restored).astype(float) - read_image(sharp)) ** 2).mean())
    first = investigate(pictures, -10 * np.log10(np.mean(errors)), "psnr", silent).iloc[0]
    assert (first.channels, first.border, first.average) == ("RGB", 0, "squared errors")
    assert first.difference == pytest.approx(0, abs=1e-6)  # the files are read in float32


def test_ssim_names_its_variants_and_admits_a_tie(pictures):
    table = investigate(pictures, average("shift-rgb", ssim, pictures), "ssim", silent)
    agreeing = table[table.difference.abs() < 1e-9]
    # Below 384 px Wang's SSIM reduces nothing, so the two are one.
    assert set(agreeing.metric) == {"ssim", "ssim-wang"}
    assert set(zip(agreeing.channels, agreeing.border, agreeing.alignment, strict=True)) == {
        ("RGB", 15, "whole-pixel shift")
    }
    published = f"{average('shift-rgb', ssim, pictures):.4f}"
    said = conclusion(table, published)
    assert "protocols reproduce" in said
    assert "channels RGB" in said
    by_variant = table[
        (table.channels == "RGB") & (table.border == 15) & (table.alignment == "whole-pixel shift")
    ]
    values = by_variant.set_index("metric").value
    for variant, function in (("ssim-wang", ssim_wang), ("ssim-3d", ssim_3d)):
        assert values[variant] == pytest.approx(average("shift-rgb", function, pictures), abs=1e-12)
    library = table[table.metric == "ssim-pyiqa"]
    assert (library.channels.item(), library.border.item()) == ("RGB", 0)


def test_the_conclusion_claims_no_more_than_the_number_shows(pictures):
    table = investigate(pictures, 24.0, "psnr", silent)
    nearest = table.iloc[0]
    exact = f"{nearest.value:.9f}"
    assert conclusion(table.assign(difference=table.value - float(exact)), exact) == (
        f"One protocol reproduces {exact}: {describe(nearest)}."
    )
    assert conclusion(table.assign(difference=table.value - 99), "99.00").startswith(
        "No protocol reproduces 99.00; the nearest gives"
    )
    assert [tolerance(number) for number in ("24.97", "0.810", "25")] == [0.005, 0.0005, 0.5]
    with pytest.raises(InputError, match="--published 24,97: a number as printed is needed"):
        tolerance("24,97")


def test_grey_and_small_images_are_counted_where_they_have_a_value(pictures, tmp_path):
    grey = read_image(pictures[0][1])[:1, :25, :30]
    write_image(tmp_path / "a.png", grey)
    table = investigate([*pictures, (tmp_path / "a.png",) * 2], 20.0, "psnr", silent)
    assert set(table[table.channels == "grey"].pairs) == {1}
    assert set(table[table.channels == "grey"].alignment) == {"no shift"}
    assert table[table.channels == "grey"].value.eq(np.inf).all()
    assert set(table[table.channels == "RGB"].pairs) == {3}


def test_pairs_of_different_sizes_are_named(pictures, tmp_path):
    write_image(tmp_path / "a.png", np.zeros((3, 20, 21), np.float32))
    with pytest.raises(InputError, match=r"differ in size \(20 x 21 and 80 x 84\)"):
        investigate([(tmp_path / "a.png", pictures[0][1])], 20.0, "psnr", silent)
