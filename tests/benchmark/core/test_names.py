"""Names that become parts of paths and of commands."""

import pytest

from benchmark.core.errors import InputError
from benchmark.core.names import is_safe, require_inside, require_safe

HOSTILE = (
    "", ".", "..", "../x", "/tmp/x", "a/b", "a\\b", "a b", "a,b", "$(touch x)", "`touch x`", "a;b", "a|b",
    "a&b", "a>b", "'", '"', "a\nb", "a\n", "-rf", "~", "*", "a[1]", "{x}", "%s", "a\0b", "@x", "a@", "a@@b",
    "é", "x" * 121,
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_names_that_a_shell_or_a_path_would_read_as_more_are_refused(name):
    assert not is_safe(name)
    with pytest.raises(InputError, match="is not allowed as a name; begin with a letter or digit") as caught:
        require_safe(name, "cases[0].id")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "name",
    [
        "im1_kernel2",
        "scene230-1",
        "GOPR0384_11_00-000001",
        "levin@shot-high@size-level-5",
        "1.5e+1",
        "x" * 120,
    ],
)
def test_names_of_cases_datasets_and_methods_are_allowed(name):
    require_safe(name, "here")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.png", "a/../../x.png", "a\0.png"])
def test_paths_out_of_the_data_are_refused(path):
    with pytest.raises(InputError, match="leads outside the folder of data"):
        require_inside(path, "here")
    require_inside("my photos/IMG (2).png", "here")
