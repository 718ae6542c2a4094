"""YAML files: what is wrong with one is told in one line."""

import pytest

from benchmark.core.schema import read_yaml
from benchmark.core.types import InputError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: .*the key 'a' stands in line 1, too; keep one of them"),
        ("m:\n  x: {k: 1, k: 2}\n", "line 2, column 13: .*the key 'k' stands in line 2, too"),
        ("a: [1\n", "line 2, column 1: not valid YAML"),
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
