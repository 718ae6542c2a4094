"""The sources of data: what is right passes, what is wrong is named."""

from pathlib import Path

import pytest
import yaml

from benchmark.core.errors import InputError
from benchmark.core.schema import read_yaml
from benchmark.data.sources import FILE, all_sources, find_source

SOURCES = all_sources()


def test_every_source_can_be_got_by_its_kind_of_access():
    assert {"levin", "lai", "kohler", "coco_val2017", "realblur", "gopro", "hide", "reds"} < set(SOURCES)
    for source in SOURCES.values():
        urls = [archive.url for archive in source.archives if archive.url]
        assert bool(urls) == (source.access in ("open", "terms")), source.name
        names = [archive.file for archive in source.archives]
        assert len(set(names)) == len(names), source.name


def test_no_link_counts_as_verified():
    assert {source.verified for source in SOURCES.values()} == {"never"}


def test_what_a_person_must_do_is_exact():
    imagenet = find_source("imagenet")
    advice = imagenet.by_hand(imagenet.archives[0], Path("datasets/.downloads/imagenet"))
    assert "get ILSVRC2012_img_val.tar from https://image-net.org/download by hand" in advice
    assert "(an account is needed) and put it into datasets/.downloads/imagenet" in advice


def test_an_unknown_source_is_named():
    with pytest.raises(InputError, match=r"unknown source 'koler'\. Did you mean 'kohler'\?"):
        find_source("koler")
    with pytest.raises(
        InputError, match="'koehler' is a dataset; its files come from: blindbench download kohler"
    ):
        find_source("koehler")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("access", "free", "sources.kohler.access: unknown value 'free'"),
        ("licence", None, "sources.kohler.licence"),
        ("link", "http://x", "sources.kohler: unknown key 'link'"),
        ("archives", [{"file": "../x.zip"}], r"sources.kohler.archives\[0\].file"),
        ("archives", [{"file": "x.zip", "into": ".."}], r"sources.kohler.archives\[0\].into"),
        ("archives", [{"file": "x.zip", "checksum": "12"}], r"sources.kohler.archives\[0\].checksum"),
        ("archives", [{"file": "x.zip", "url": "x"}], r"sources.kohler.archives\[0\].url"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, key, value, message):
    document = read_yaml(FILE)
    document["sources"]["kohler"][key] = value
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(InputError, match=message):
        all_sources(path)
