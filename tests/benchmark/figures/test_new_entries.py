"""A new metric, protocol or kind of figure is one entry: everything else takes it from there."""

import copy

import numpy as np
import pandas as pd
import pytest

from benchmark.core.errors import InputError
from benchmark.core.schema import read_yaml
from benchmark.core.types import Restoration, Status
from benchmark.data.cases import make_case
from benchmark.data.descriptors import FOLDER, find_dataset
from benchmark.data.synthesis import observe
from benchmark.figures import paper_figures
from benchmark.figures.definition import Content, Kind
from benchmark.figures.drawing import draw
from benchmark.figures.kinds import KINDS
from benchmark.figures.layout import text_figure
from benchmark.figures.score_plots import score_plot
from benchmark.planning.config import make_plan
from benchmark.runs.store import Store, write_restoration
from benchmark.scoring.alignment import Aligned
from benchmark.scoring.csv_files import RUN_COLUMNS, write_frame
from benchmark.scoring.metrics import METRICS, Metric
from benchmark.scoring.protocols import PROTOCOLS, Protocol, with_one_image
from benchmark.scoring.scores import score_method
from benchmark.tables.profile_tables import own_table
from benchmark.tables.sections import table_page
from benchmark.tables.summary import summary
from tests.conftest import ROOT

DEMO = read_yaml(ROOT / "config" / "demo.yaml")
NAME = "demo-uniform"
NO_RUNS = pd.DataFrame(columns=list(RUN_COLUMNS))


def absolute_error(estimate, reference):
    return float(np.abs(estimate - reference).mean())


def middle(estimate, reference):
    return Aligned(estimate[:, 40:-40, 40:-40], reference[:, 40:-40, 40:-40])


@pytest.fixture
def store(tmp_path):
    """A results folder with the blurry input of one case."""
    store = Store(tmp_path / "demo")
    observation, truth = observe(make_case(find_dataset(NAME), "camera", 0), 0)
    store.write_observation(observation, truth)
    done = Restoration(Status.OK, image=observation.blurry)
    write_restoration(store.case_folder(NAME, "blurry", 0, "camera"), done, {})
    return store


@pytest.fixture
def metric(monkeypatch):
    entry = Metric("mae", "Absolute error", 4, absolute_error, lower_is_better=True)
    monkeypatch.setitem(METRICS, "mae", entry)


def page_of(scores):
    definition = own_table("uniform", {NAME: find_dataset(NAME)}, scores)
    table = summary(definition, scores, NO_RUNS)
    return definition, table, table_page(table, definition).markdown()


def test_a_metric_is_scored_tabulated_and_drawn(metric, store, tmp_path):
    assert make_plan({**DEMO, "metrics": ["psnr", "mae"]}, "x.yaml").config["metrics"][1] == "mae"
    scores = score_method(store, NAME, "blurry", ["camera"], seed=0, protocol="plain", metrics=["mae"])
    value = scores.value[0]
    assert 0 < value < 0.2
    definition, table, page = page_of(scores)
    assert "Absolute error ↓" in page
    assert f"{value:.4f}" in page
    score_plot(definition, table, scores, tmp_path / "scores", "", {})
    write_frame(scores, store.root / "scores.csv")
    document = copy.deepcopy(paper_figures._document())
    document["figures"]["bid-fig19"]["metrics"] = ["mae"]
    figure = paper_figures.define("bid-fig19", document)
    content = Content({}, ["blurry"], [0], "", {}, {"level 1": NAME, "level 2": "other"})
    assert draw(figure, store, content, "", [], tmp_path / "figure") == []
    assert (tmp_path / "figure.png").stat().st_size > (tmp_path / "scores.png").stat().st_size / 10


def test_a_protocol_is_checked_scored_and_explained(monkeypatch, store, tmp_path):
    descriptor = (FOLDER / f"{NAME}.yaml").read_text().replace("shift-rgb", "middle")
    (tmp_path / f"{NAME}.yaml").write_text(descriptor)
    config = {**DEMO, "only": {}, "datasets": [NAME]}
    with pytest.raises(InputError, match=r"demo-uniform.yaml: protocol: unknown protocol 'middle'"):
        make_plan(config, "x.yaml", tmp_path)
    entry = Protocol("middle", "the middle of the frame", with_one_image(middle), ("ssim-wang",))
    monkeypatch.setitem(PROTOCOLS, "middle", entry)
    make_plan(config, "x.yaml", tmp_path)
    scores = score_method(
        store, NAME, "blurry", ["camera"], seed=0, protocol="middle", metrics=["psnr", "ssim"]
    )
    whole = score_method(store, NAME, "blurry", ["camera"], seed=0, protocol="plain", metrics=["psnr"])
    assert list(scores.metric) == ["psnr", "ssim-wang"]
    assert scores.value[0] != whole.value[0]
    assert "Protocol middle: the middle of the frame." in page_of(scores)[2]


def test_a_kind_of_figure_is_planned_and_drawn(monkeypatch, store, tmp_path):
    drawn = []

    def names(drawing):
        drawn.append((drawing.content.cases, drawing.figure.options["size"]))
        text_figure(drawing.text, drawing.out)

    document = copy.deepcopy(paper_figures._document())
    document["figures"]["bid-fig99"] = {
        "number": 99, "kind": "names", "title": "Names", "table": "bid-table2", "caption": "Only names.",
        "cases": [{NAME: ["camera"]}], "options": {"size": 7},
    }  # fmt: skip
    monkeypatch.setattr(paper_figures, "_document", lambda: document)
    config = {**DEMO, "only": {}, "datasets": [NAME], "paper_figures": ["bid-fig99"]}
    with pytest.raises(InputError, match="bid-fig99: unknown kind 'names'"):
        make_plan(config, "x.yaml")
    monkeypatch.setitem(KINDS, "names", Kind("names", "cases", names, methods="none", options=("size",)))
    planned = make_plan(config, "x.yaml").figures["bid-fig99"]
    content = Content(planned.cases, planned.methods, planned.seeds, "", {})
    assert draw(paper_figures.paper_figure("bid-fig99"), store, content, "", [], tmp_path / "x") == []
    assert drawn == [({NAME: ["camera"]}, 7)]
    assert (tmp_path / "x.pdf").exists()


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("bid-fig19", "conditions", "a figure of the kind 'conditions' needs the key 'conditions'"),
        ("bid-fig15", "metrics", "a figure of the kind 'runs' needs the key 'metrics'"),
        ("bid-fig12", "options", "options: a figure of the kind 'kernel-frequencies' needs 'steps'"),
        ("glkm-initializer", "sheets", "a figure of the kind 'pretraining' needs the key 'sheets'"),
    ],
)
def test_a_definition_without_what_its_kind_needs_is_refused(name, key, message):
    document = copy.deepcopy(paper_figures._document())
    del document["figures"][name][key]
    with pytest.raises(InputError) as caught:
        paper_figures.define(name, document)
    assert str(caught.value) == f"{name}: {message}"
