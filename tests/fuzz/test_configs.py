"""Hostile configs, descriptors, plans and command lines."""

import json
from pathlib import Path

import pytest
import typer.main
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from benchmark.cli.main import app
from benchmark.core.schema import read_yaml
from benchmark.data.cases import make_case
from benchmark.data.descriptors import FOLDER, find_dataset
from benchmark.data.synthesis import observe
from benchmark.planning.config import make_plan
from tests.fuzz.conftest import NAMES, NUMBERS, altered, damaged, fuzz, one_line

CONFIG = {
    "profile": "r",
    "caption": "A test.",
    "device": "cpu",
    "shard_size": 2,
    "seeds": [0, 1],
    "experiment_seed": 0,
    "datasets": ["demo-uniform", "demo-uniform@shot-high"],
    "cases": {"demo-uniform": ["camera"]},
    "metrics": ["psnr", "ssim"],
    "snapshots": [4],
    "snapshots_of": ["selfdeblur"],
    "reference": "selfdeblur",
    "paper_tables": ["glkm-table3"],
    "paper_figures": ["glkm-fig4"],
    "stand_ins": {"levin": "demo-uniform"},
    "titles": {"blurry": "Nothing done"},
    "only": {"blurry": ["demo-uniform"]},
    "accept_terms": ["levin"],
    "grids": {
        "g": {
            "title": "T", "dataset": "demo-uniform", "metric": "psnr", "rows": {"a": ""},
            "columns": {"b": "shot-high"},
        },
    },
    "sweeps": {"robust-bid@l1": {"setting": "regulariser_weight", "values": [0.1, 1e-5]}},
    "methods": {
        "blurry": {},
        "selfdeblur": {"iterations": 4, "channels": 4, "skip_channels": 2, "scales": 2},
    },
    "pretrain": [{"training": "decoder", "steps": 2, "settings": {"kernel_size": 31}, "threads": 1}],
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def elsewhere(tmp_path_factory):
    """Work in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("fuzz"))
        yield


def test_the_config_that_is_altered_is_right(blindbench):
    Path("config.yaml").write_text(yaml.safe_dump(CONFIG))
    assert blindbench("plan", "config.yaml")[0] == 0


@fuzz
@given(altered(CONFIG))
def test_configs(blindbench, config):
    Path("config.yaml").write_text(yaml.safe_dump(config))
    blindbench("plan", "config.yaml", "--write")


@fuzz
@given(damaged(yaml.safe_dump(CONFIG).encode()))
def test_damaged_configs(blindbench, content):
    Path("config.yaml").write_bytes(content)
    blindbench("plan", "config.yaml")


@pytest.mark.parametrize(
    "name", ["demo-uniform", "demo-nonuniform", "celebahq", "reds125", "lai", "gopro", "lai-real"]
)
@fuzz
@given(data=st.data())
def test_descriptors(name, data):
    document = data.draw(altered(read_yaml(FOLDER / f"{name}.yaml")))
    folder = Path("descriptors")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))

    def observed():
        dataset = find_dataset(name, folder)
        assert dataset.case_count >= 0
        case = make_case(dataset, dataset.case_ids[0], 0)
        if case.scene is None or case.scene.size < 10**6:
            observe(case, 0)

    one_line(observed)


@fuzz
@given(data=st.data())
def test_plans(blindbench, data):
    plan = make_plan(CONFIG, "config.yaml")
    path = plan.write()
    document = json.loads(path.read_text())
    text = json.dumps(data.draw(altered(document))).encode()
    path.write_bytes(data.draw(st.one_of(st.just(text), damaged(text))))
    verb = data.draw(
        st.sampled_from([("table", "uniform"), ("figure", "uniform"), ("collect",), ("score", "blurry")])
    )
    blindbench(*verb, "--results", path.parent)


VERBS = typer.main.get_command(app).commands
# What works for hours, asks the network, or starts processes is tried elsewhere.
CHEAP = [
    name
    for name in VERBS
    if name not in ("run", "pretrain", "download", "bench", "verify", "verdicts", "check", "app")
]
FILES = [
    "missing.png",
    ".",
    "/",
    "/dev/null",
    "photo.png",
    "config.yaml",
    "no/such/folder/x.png",
    "x" * 300,
    "\0",
]


@st.composite
def command_lines(draw):
    """Draw a verb, some of its options and arguments, and values for them."""
    verb = draw(st.sampled_from(CHEAP))
    values = st.one_of(
        NAMES,
        NUMBERS.map(str),
        st.sampled_from(FILES),
        st.sampled_from(["a={", "=", "a=1", "seeds=x", "blurry", "demo-uniform", "uniform"]),
    )
    words = [verb]
    for parameter in VERBS[verb].params:
        if parameter.name != "help" and draw(st.booleans()):
            words += [parameter.opts[-1]] * parameter.opts[-1].startswith("--") + [draw(values)]
    return words


@fuzz
@given(command_lines())
@example(["deblur", "photo.png", "--out", "y.png", "--set", "a={"])
@example(["restore", "blurry", "--shard", "x"])
@example(["methods", "1"])
def test_command_lines(blindbench, words):
    blindbench(*words)
