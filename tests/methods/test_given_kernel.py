"""Kernels of other programs: the right file, the right form, and our own deconvolution."""

import numpy as np
import pytest
import torch

from benchmark.core.images import read_image
from benchmark.core.types import KnownBlur, Observation, Status
from benchmark.runs.settings import effective
from methods import given_kernel, oracle
from methods.given_kernel import Settings
from methods.parts.polish import polish
from methods.parts.solver import Task, solve
from tests.benchmark.blur.test_kernel_energy import blurred, motion

TRUE = motion(1).astype(np.float32)
BLURRY = np.repeat(blurred("camera", TRUE.astype(np.float64))[None], 3, axis=0).astype(np.float32)


def solved(module, observation, settings):
    def build():
        return module.problem(observation, settings, torch.Generator(), torch.device("cpu"))

    return dict(solve([Task("case", build)]))["case"]


def restore(path, blurry=BLURRY, case="case", **settings):
    observation = Observation("test", case, blurry, (13, 13))
    return solved(given_kernel, observation, Settings(str(path), **settings))


def test_the_true_kernel_gives_what_the_oracle_gives(tmp_path):
    np.savez(tmp_path / "case.npz", kernels=TRUE[None])
    given = restore(tmp_path)
    known = KnownBlur("test", "case", BLURRY, (13, 13), kernels=TRUE[None])
    expected = solved(oracle, known, oracle.Settings())
    assert given.status is Status.OK, given.reason
    assert given.image.tobytes() == expected.image.tobytes()
    assert given.kernels.tobytes() == expected.kernels.tobytes()


def test_a_file_in_correlation_form_is_turned(tmp_path):
    np.save(tmp_path / "case.npy", TRUE)
    (tmp_path / "theirs").mkdir()
    np.save(tmp_path / "theirs/case.npy", TRUE[::-1, ::-1])
    given, turned = restore(tmp_path), restore(tmp_path / "theirs", form="correlation")
    assert turned.image.tobytes() == given.image.tobytes()


def test_a_wrong_form_is_refused_in_one_line_that_names_the_right_one(tmp_path):
    np.save(tmp_path / "case.npy", TRUE[::-1, ::-1])
    restoration = restore(tmp_path)
    assert restoration.status is Status.FAILED
    assert restoration.reason.startswith(
        f"{tmp_path / 'case.npy'}: turned by 180 degrees the kernel explains the image better (kernel energy "
    )
    assert restoration.reason.endswith("set form: correlation, or ask `blindbench doctor`")
    np.save(tmp_path / "case.npy", TRUE)
    assert "set form: convolution" in restore(tmp_path, form="correlation").reason


def test_the_kernel_can_be_polished(tmp_path):
    np.save(tmp_path / "case.npy", TRUE)
    restoration = restore(tmp_path, BLURRY[:1], finish="polished")
    expected = polish(BLURRY[0].astype(np.float64), TRUE.astype(np.float64))
    np.testing.assert_allclose(restoration.kernels[0], expected, rtol=0, atol=1e-6)


def test_a_pattern_finds_files_by_the_numbers_in_the_name_of_the_case(tmp_path, monkeypatch):
    monkeypatch.setenv("THEIRS", str(tmp_path))
    for image, kernel in ((1, 3), (3, 1)):
        np.save(tmp_path / f"k_{kernel}_im_{image}_pan.npy", TRUE)
    for path in (f"{tmp_path}/k_{{2}}_im_{{1}}_*.npy", "$THEIRS/k_{2}_im_{1}_*"):
        (file,) = given_kernel.files("im1_kernel3", Settings(path))
        assert file.name == "k_3_im_1_pan.npy"
        assert restore(path, case="im1_kernel3").status is Status.OK
    restoration = restore("$THEIRS/k_{3}.npy", case="im1_kernel3")
    assert restoration.status is Status.NOT_SUPPORTED
    assert restoration.reason == "path: the name of the case has no number {3}"


def test_names_of_cases_are_no_patterns(tmp_path):
    np.save(tmp_path / "a[1].npy", TRUE)
    np.save(tmp_path / "a1.npy", TRUE)
    assert given_kernel.files("a[1]", Settings(str(tmp_path))) == [tmp_path / "a[1].npy"]
    assert given_kernel.files("*", Settings(f"{tmp_path}/{{case}}.npy")) == []


def test_a_place_without_a_meaning_is_refused():
    with pytest.raises(ValueError, match=r"path: '\{image\}' has no meaning"):
        Settings("theirs/{image}.npy")


def test_a_case_without_a_kernel_is_not_supported(tmp_path):
    np.save(tmp_path / "other.npy", TRUE)
    restoration = restore(tmp_path)
    assert restoration.status is Status.NOT_SUPPORTED
    assert restoration.reason == (f"{tmp_path}: no file of case; `blindbench match` shows what there is")


def test_two_files_of_one_case_are_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "case.npy", TRUE)
    restoration = restore(tmp_path)
    assert restoration.status is Status.FAILED
    assert (
        restoration.reason
        == f"{tmp_path}: a/case.npy and b/case.npy may both be case; remove one, or give a pattern as path"
    )


@pytest.mark.parametrize(
    ("kernel", "reason"),
    [
        (-TRUE, "has no negative entry"),
        (0 * TRUE, "zero everywhere"),
        (
            np.ones((101, 3)),
            "a kernel of 101 x 3 px, larger than the blurry image (100 x 100 px); is it of a",
        ),
    ],
)
def test_a_kernel_that_cannot_be_this_ones_is_refused(tmp_path, kernel, reason):
    np.save(tmp_path / "case.npy", kernel)
    restoration = restore(tmp_path)
    assert restoration.status is Status.FAILED
    assert restoration.reason.startswith(f"{tmp_path / 'case.npy'}: ")
    assert reason in restoration.reason


def test_it_has_no_ending_of_its_own():
    with pytest.raises(Exception, match=r"methods\.x\.finish: unknown value 'own'"):
        effective(Settings, {"path": "theirs", "finish": "own"}, "methods.x")


AUTHORS = ["cho_and_lee_tog_2009", "fergus_tog_2006", "levin_cvpr_2011", "pan_cvpr_2016", "sun_iccp_2013"]


@pytest.mark.parametrize("author", AUTHORS)
def test_published_kernels_of_levins_photographs_are_in_correlation_form(mirror, author):
    path = f"{mirror}/data/author_kernels/levin/{author}/k_{{2}}_im_{{1}}_*.png"
    for case in ("im1_kernel1", "im2_kernel6"):
        blurry = read_image(mirror / f"data/levin/{case}_img.png")
        if not given_kernel.files(case, Settings(path)):
            pytest.skip(f"no kernels in {mirror}/data/author_kernels")
        assert restore(path, blurry, case, form="correlation").status is Status.OK
    wrong = [
        restore(path, read_image(mirror / f"data/levin/{case}_img.png"), case).status
        for case in ("im1_kernel1", "im2_kernel6", "im3_kernel3")
    ]
    assert Status.FAILED in wrong
