"""A profile as large as the papers': all of it is planned, in jobs of many cases."""

import os
import re
import subprocess
import sys

import pytest

from benchmark.core.schema import read_yaml
from benchmark.data.descriptors import MIRROR, find_dataset
from benchmark.planning.config import make_plan
from tests.conftest import ROOT

CONFIG = ROOT / "config" / "paper.yaml"
REALBLUR = {
    "J": "RealBlur-J_ECC_IMCORR_centroid_itensity_ref",
    "R": "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref",
}
SHOTS = [(f"scene{index // 20:03d}", index % 20) for index in range(980)]


def names():
    """The paths of all files that config/paper.yaml needs, and some more."""
    for dataset in ("coco80", "lai", "lai-nonuniform", "lai-real", "levin-synth"):
        found = find_dataset(dataset)
        yield from found.files(found.case_ids)
    yield from (f"imagenet/ILSVRC2012_val_{index:08d}.JPEG" for index in range(8200))
    yield from (f"afhq/val/dog/{index:04d}.jpg" for index in range(500))
    yield from (f"celebahq/val/{index % 2}/{index:05d}.jpg" for index in range(500))
    for index in range(1111):
        sequence, frame = divmod(index, 101)
        yield from (f"gopro/test/{sequence}/{kind}/{frame:06d}.png" for kind in ("blur", "sharp"))
    for index in range(2025):
        yield from (f"hide/test/{index % 2}/{index}.png", f"hide/GT/{index}.png")
    for folder in REALBLUR.values():
        for scene, shot in SHOTS:
            yield from (f"realblur/{folder}/{scene}/{kind}/{kind}_{shot}.png" for kind in ("gt", "blur"))
    yield from (f"reds/{kind}{index}.png" for index in range(125) for kind in ("blurry", "sharp"))


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """20,000 empty files where the data of config/paper.yaml belong: planning opens no image."""
    root = tmp_path_factory.mktemp("mirror")
    files = [root / "data" / name for name in names()]
    for folder in {file.parent for file in files}:
        folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        file.touch()
    for version, folder in REALBLUR.items():
        blurry = [f"{folder}/{scene}/blur/blur_{shot}.png" for scene, shot in SHOTS]
        (root / "data" / "realblur" / f"RealBlur_{version}_test_list.txt").write_text("\n".join(blurry))
    rows = [f"s{index % 5 + 1},{index},reds/blurry{index}.png,reds/sharp{index}.png" for index in range(125)]
    (root / "data" / "reds125").mkdir()
    (root / "data" / "reds125" / "manifest.csv").write_text("\n".join(["group,id,blurry,sharp", *rows]))
    assert len(files) >= 20_000
    return root


@pytest.fixture(scope="module")
def plan(mirror):
    """The plan of config/paper.yaml with all data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MIRROR, str(mirror))
        return make_plan(read_yaml(CONFIG), str(CONFIG))


def jobs(plan):
    return sum(map(len, plan.shards.values()))


def test_the_papers_profile_is_planned_with_all_data(mirror, plan, tmp_path):
    command = [sys.executable, "-m", "benchmark", "plan", str(CONFIG)]
    environment = {**os.environ, MIRROR: str(mirror), "PYTHONPATH": str(ROOT)}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    planned = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert re.search(r"^162,916 restorations", planned.stdout, re.MULTILINE)
    assert not plan.absent


def test_jobs_take_minutes_so_there_are_few(plan):
    assert jobs(plan) < 30_000
    assert len(plan.joined_inputs()) < 1000
