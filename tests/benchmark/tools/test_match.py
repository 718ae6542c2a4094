"""The dry run of results of other programs: case by case, and what is left over."""

import pytest

from benchmark.core.errors import InputError
from benchmark.tools.match import match
from methods.parts.case_files import restored_images


def test_both_sides_are_told(tmp_path):
    for name in ("a.png", "c_1.png", "x/d.png", "y/d.png", "e_f.png", "overview.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    result = match(["a", "b", "d", "e", "e-f"], restored_images(str(tmp_path)))
    assert result.files == {"a": tmp_path / "a.png"}
    assert result.missing == ("b",)
    assert set(result.refused) == {"d", "e", "e-f"}
    assert "x/d.png and y/d.png may both be d" in result.refused["d"]
    assert result.refused["e"] == f"{tmp_path / 'e_f.png'}: may belong to e and e-f; give a pattern as path"
    assert result.unused == (tmp_path / "c_1.png", tmp_path / "overview.png")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no file that can be read"):
        match(["a"], restored_images(str(tmp_path)))
