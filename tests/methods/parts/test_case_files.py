"""Files that other programs wrote: which one belongs to which case."""

import pytest

from benchmark.core.errors import InputError, NotSupportedError
from methods.parts.case_files import kernel_files, restored_images


@pytest.fixture
def tree(tmp_path):
    """Make empty files below a folder, and return it."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


def of(folder, case, find=restored_images):
    return [str(file.relative_to(folder)) for file in find(str(folder)).of(case)]


def test_basicsr_appends_the_name_of_the_run_below_the_name_of_the_dataset(tree):
    folder = tree(
        "visualization/GoPro/GOPR0384_11_00-000001_NAFNet-width32.png",
        "visualization/GoPro/GOPR0384_11_00-000002_NAFNet-width32.png",
        "visualization/GoPro/GOPR0384_11_00-000001_gt.png",
    )
    expected = "visualization/GoPro/GOPR0384_11_00-000001_NAFNet-width32.png"
    assert of(folder, "GOPR0384_11_00-000001") == [expected]
    assert of(folder, "GOPR0384_11_00-000003") == []


def test_a_folder_that_deblur_wrote_has_an_image_and_a_kernel_for_each_case(tree):
    folder = tree("im1.png", "im1_kernel.png", "im1_kernel.npz", "im1_sheet.png", "im2.tif", "im2_kernel.tif")
    assert [of(folder, case) for case in ("im1", "im2")] == [["im1.png"], ["im2.tif"]]
    kernels = [of(folder, case, kernel_files) for case in ("im1", "im2")]
    assert kernels == [["im1_kernel.npz"], ["im2_kernel.tif"]]


@pytest.mark.parametrize(
    "name",
    [
        "scene050/blur/blur_1.PNG",
        "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene050/blur/blur_1.png",
        "RealBlur_J/scene050-blur_1.JPG",
        "scene050_blur_1.png",
        "scene050/1.png",
    ],
)
def test_realblur_has_a_folder_for_each_scene(tree, name):
    other = name.replace("_1.", "_10.").replace("/1.", "/10.")
    folder = tree(name, other, "scene050/gt/gt_1.png", ".DS_Store", "scene050/._blur_1.png", "Thumbs.db")
    assert of(folder, "scene050-1") == [name]
    assert of(folder, "scene050-10") == [other]
    assert of(folder, "scene050-100") == []


def test_gopro_has_a_folder_for_each_sequence(tree):
    folder = tree(
        "GOPR0384_11_00/blur/000001.png", "GOPR0384_11_00/sharp/000001.png", "GOPR0385_11_00/blur/000001.png"
    )
    assert of(folder, "GOPR0384_11_00-000001") == ["GOPR0384_11_00/blur/000001.png"]


def test_a_name_in_full_counts_before_one_with_more_behind_it(tree):
    folder = tree("camera.png", "camera_NAFNet.png", "a/old_camera.png")
    assert of(folder, "camera") == ["camera.png"]
    assert of(folder, "old camera") == ["a/old_camera.png"]


def test_a_digit_behind_the_name_is_another_case_unless_others_have_it(tree):
    folder = tree("camera_7.png", "camera_8.png", "clock_9.png")
    assert of(folder, "camera") == []
    assert of(tree("astronaut_9.png"), "clock") == ["clock_9.png"]


def test_files_that_may_both_be_a_case_are_refused_by_name(tree):
    folder = tree("levin/im1_kernel1.png", "lai/im1_kernel1.png")
    with pytest.raises(InputError, match=r"lai/im1_kernel1.png and levin/im1_kernel1.png may both be im1_k"):
        restored_images(str(folder)).only_one("im1_kernel1")
    with pytest.raises(NotSupportedError, match="no file of im1_kernel2"):
        restored_images(str(folder)).only_one("im1_kernel2")
    pattern = restored_images(f"{folder}/levin/*{{2}}.png")
    assert pattern.only_one("im1_kernel1") == folder / "levin/im1_kernel1.png"


def test_inputs_and_kernels_beside_the_results_are_left_out(tree):
    folder = tree("camera_blur.png", "camera_kernel.png", "input/camera.png", "camera_out.png")
    assert of(folder, "camera") == ["camera_out.png"]


def test_a_kernel_file_may_be_called_so(tree):
    assert of(tree("camera_kernel.npz"), "camera", kernel_files) == ["camera_kernel.npz"]


def test_a_pattern_lists_the_files_of_all_cases(tree):
    folder = tree("x/out.png", "y/out.png", "y/other.png", "y/out.txt")
    files = restored_images(f"{folder}/{{case}}/out.*")
    assert files.all() == [folder / "x/out.png", folder / "y/out.png"]
    assert files.of("y") == [folder / "y/out.png"]
