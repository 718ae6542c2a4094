"""Verbs about data."""

import re

from tests.benchmark.cli.conftest import assert_refused


def test_datasets_are_listed_without_torch(blindbench):
    output = blindbench("datasets")[1]
    assert "demo-uniform" in output
    assert "blindbench download lai" in output


def test_a_dataset_is_described(blindbench):
    output = blindbench("datasets", "lai-synth")[1]
    for word in ("cases", "protocol", "files here", "how to get it", "licence", "looked for in"):
        assert re.search(rf"^{word}  ", output, re.MULTILINE), word
    assert "blindbench download lai" in output
    assert "datasets/lai" in output
    assert "download" not in blindbench("datasets", "demo-uniform")[1]


def test_a_mistyped_dataset_is_one_line(blindbench):
    assert_refused(
        blindbench("datasets", "lai-synt"), "unknown dataset 'lai-synt'. Did you mean 'lai-synth'?"
    )
    assert_refused(blindbench("datasets", "levni"), "Did you mean 'levin'?")
    several = "'coco_val2017' is a source; it has the files of: coco80, coco80-nonuniform"
    assert_refused(blindbench("datasets", "coco_val2017"), several)


def test_download_takes_sources_and_says_which_one_a_dataset_has(blindbench):
    wanted = "'lai-synth' is a dataset; its files come from: blindbench download lai"
    assert_refused(blindbench("download", "lai-synth"), wanted)
    assert_refused(blindbench("download", "levni"), "unknown source 'levni'. Did you mean 'levin'?")


def test_the_sheet_of_cases_is_drawn(blindbench, tmp_path):
    assert blindbench("sheet", "demo-uniform", "--cases", "camera", "--out", "sheet.png")[0] == 0
    assert (tmp_path / "sheet.png").stat().st_size > 5_000
    refused = blindbench("sheet", "demo-uniform", "--out", "sheet.foo")
    assert refused[0] == 2
    assert "--out sheet.foo: write a name that ends in .png" in refused[2]
    refused = blindbench("sheet", "demo-uniform", "--cases", "canera", "--out", "sheet.png")
    assert_refused(refused, "no case matches 'canera'")
