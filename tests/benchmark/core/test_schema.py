"""YAML files: what is wrong with one is told in one line."""

import pytest

from benchmark.core.errors import InputError
from benchmark.core.schema import checked, read_yaml


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: .*the key 'a' stands in line 1, too; keep one of them"),
        ("m:\n  x: {k: 1, k: 2}\n", "line 2, column 13: .*the key 'k' stands in line 2, too"),
        ("a: [1\n", r"line 2, column 1: not valid YAML \(expected ',' or '\]', but got '<stream end>'"),
        ("a: [1, 2", "line 1, column 9: not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_taken_at_its_word_is_refused(tmp_path, text, message):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_yaml(path)


def test_the_same_key_in_two_mappings_is_no_repetition(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text("a: {k: 1}\nb: {k: 2}\nc: [{k: 3}, {k: 4}]\n")
    assert read_yaml(path) == {"a": {"k": 1}, "b": {"k": 2}, "c": [{"k": 3}, {"k": 4}]}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"its aliases \(\*name\) stand for more than 100000 entries"),
        ("a: &a [*a]\n", r"its aliases \(\*name\) stand for more"),
        ("[" * 20_000, "nested too deeply"),
        ("- " * 20_000 + "a", "nested too deeply"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(2_000)), "nested too deeply"),
        ("a: 2026-99-99\n", "month must be in 1..12"),
        (f"a: {'9' * 5000}\n", "not valid YAML"),
        ("a: !!python/object/apply:os.system [touch x]\n", "could not determine a constructor"),
        ("[a, b]: 1\n", "not valid YAML"),
        ("a: \x00\n", "special characters are not allowed"),
    ],
    ids=["bomb", "circle", "deep", "deep list", "deep map", "date", "number", "code", "list key", "control"],
)
def test_a_hostile_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": {1: {}}}, "methods.1: a key must be a text"),
        ({1: 2}, "c.yaml: 1: a key must be a text"),
        ({"grids": {"x": {"rows": {0.5: "y"}}}}, r"grids.x.rows.0.5: a key must be a text"),
        ({"shard_size": 1e308}, "shard_size: a whole number is needed, not 1e"),
        ({"seeds": [True]}, "a whole number is needed, not True"),
        ({"methods": {"$(touch x)": {}}}, r"methods: '\$\(touch x\)' is not allowed as a name"),
        ({"profile": "x\n"}, r"profile: 'x\\n' is not allowed as a name"),
    ],
)
def test_values_that_only_look_right_are_refused(change, message):
    config = {"profile": "x", "caption": "A test.", "datasets": ["demo-uniform"], "methods": {"blurry": {}}}
    with pytest.raises(InputError, match=message):
        checked(config | change, "config", "c.yaml")
