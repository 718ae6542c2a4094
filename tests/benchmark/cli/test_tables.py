"""The verbs that compile tables and draw figures from scores."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from tests.benchmark.cli.conftest import CONFIG, HERE, ONE_CASE, RESULTS, assert_refused, write_plan


def make(blindbench, *commands):
    """Call verbs that must succeed."""
    for command in commands:
        code, _, error = blindbench(*command, *HERE)
        assert code == 0, error


@pytest.fixture
def texts(monkeypatch):
    """What is written in each figure, once for each file of it."""
    found, save = [], Figure.savefig

    def record(figure, path, **options):
        words = " ".join(text.get_text() for text in figure.findobj(Text))
        found.append(" ".join(words.split()))
        save(figure, path, **options)

    monkeypatch.setattr(Figure, "savefig", record)
    return found


def test_scores_become_tables_and_figures(synthesized, texts):
    for method in CONFIG["methods"]:
        make(synthesized, ("restore", method), ("score", method))
    make(synthesized, ("collect",), ("table", "uniform"), ("table", "glkm-table1"), ("table", "glkm-claims"))
    make(synthesized, *(("figure", name) for name in ("uniform", "uniform-scores", "cost")))
    table = pd.read_csv(RESULTS / "tables/uniform.csv").set_index(["method", "metric"])
    scores = pd.read_csv(RESULTS / "scores.csv").set_index(["method", "metric", "case"]).sort_index().value
    assert table.loc[("blurry", "psnr"), "gain"] == 0
    expected = (scores["selfdeblur", "psnr"] - scores["blurry", "psnr"]).mean()
    assert table.loc[("selfdeblur", "psnr"), "gain"] == pytest.approx(expected)
    for suffix in ("md", "tex"):
        assert "A test." in (RESULTS / f"tables/uniform.{suffix}").read_text()
    published = pd.read_csv(RESULTS / "tables/glkm-table1.csv")
    assert published.published.notna().sum() == 54
    claims = pd.read_csv(RESULTS / "tables/glkm-claims.csv")
    assert set(claims.verdict) == {"not tested"}
    assert claims.reason.str.contains("is not in this profile|not all here").all()
    for name in ("uniform", "uniform-scores", "cost"):
        for suffix in ("png", "pdf"):
            assert (RESULTS / f"figures/{name}.{suffix}").stat().st_size > 5_000
    assert [CONFIG["caption"] in text for text in texts] == [True] * 6  # three figures of two files
    runs = pd.read_csv(RESULTS / "runs.csv")
    assert set(runs.method) == set(CONFIG["methods"])


def test_a_table_of_best_variants_is_compiled_from_their_snapshots(synthesized):
    small = {"channels": 4, "skip_channels": 2, "scales": 2, "iterations": 8, "stop": "fixed"}
    sweep = {"setting": "regulariser_weight", "values": [0.1, 0.001], "settings": small}
    write_plan(
        methods={"blurry": {}},
        sweeps={"robust-bid@l1l2": sweep},
        snapshots=[3],
        cases=ONE_CASE,
        stand_ins={"levin-synth@gaussian-low": "demo-uniform"},
    )
    for method in ("blurry", "robust-bid@l1l2-1e-1", "robust-bid@l1l2-1e-3"):
        make(synthesized, ("restore", method), ("score", method))
    make(synthesized, ("collect",), ("table", "bid-table2"))
    table = pd.read_csv(RESULTS / "tables/bid-table2.csv")
    ours = table[(table.row == "l1/l2") & (table.dataset == "demo-uniform")].set_index("metric")["mean"]
    snapshots = pd.read_csv(RESULTS / "convergence.csv")
    peak = snapshots[snapshots.metric == "psnr"].value.max()
    assert ours["psnr"] == pytest.approx(peak)
    assert ours["regulariser_weight"] in (0.1, 0.001)
    page = (RESULTS / "tables/bid-table2.md").read_text()
    assert "stand-in: demo-uniform" in page
    assert "Spread over cases" in page


def test_snapshots_and_seeds_have_tables_and_figures_of_their_own(synthesized, texts):
    write_plan(seeds=[0, 1], snapshots=[1, 3], titles={"selfdeblur": "Ours"}, cases=ONE_CASE)
    for method in CONFIG["methods"]:
        make(synthesized, ("restore", method), ("score", method))
    path = RESULTS / "convergence/selfdeblur/0.csv"
    assert list(pd.read_csv(path).iteration.unique()) == [1, 3, 4]
    make(synthesized, ("collect",))
    assert len(pd.read_csv(RESULTS / "convergence.csv")) == 2 * 3 * 3  # seeds, points, metrics
    for name in ("convergence", "sensitivity"):
        make(synthesized, ("table", name), ("figure", name))
        for suffix in ("md", "tex"):
            assert "Ours" in (RESULTS / f"tables/{name}.{suffix}").read_text()
        assert (RESULTS / f"figures/{name}.pdf").stat().st_size > 5_000
    assert [CONFIG["caption"] in text for text in texts] == [True] * 4
    make(synthesized, ("table", "glkm-claims"))  # reads the scores of snapshots, too
    assert "dip-glkm is not in this profile" in (RESULTS / "tables/glkm-claims.md").read_text()
    spread = pd.read_csv(RESULTS / "tables/sensitivity.csv").iloc[0]
    scores = pd.read_csv(RESULTS / "scores/selfdeblur/0.csv")
    both = scores[scores.metric == "psnr"].value
    assert len(both) == 2
    assert (spread["mean"], spread.best) == pytest.approx((np.mean(both), max(both)))
    make(synthesized, ("figure", "glkm-fig1"), ("figure", "glkm-fig4"))
    for name in ("glkm-fig1", "glkm-fig4"):
        assert (RESULTS / f"figures/{name}.pdf").stat().st_size > 5_000


def test_a_figure_that_shows_no_dataset_needs_no_results(blindbench):
    write_plan()
    code, _, error = blindbench("figure", "glkm-initializer", *HERE)
    assert (code, error) == (0, "")
    assert (RESULTS / "figures/glkm-initializer.pdf").stat().st_size > 20_000  # the sheet that ships


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("table", "unifrom"), "the plan has no table 'unifrom'. Did you mean 'uniform'?"),
        (("table", "glkm-tabel1"), "the plan has no table 'glkm-tabel1'. Did you mean 'glkm-table1'?"),
        (("table", "uniform"), "scores.csv: no such file"),
        (("table", "sensitivity"), "the plan has no table 'sensitivity'."),
        (("figure", "glkm-fig2"), "the plan has no figure 'glkm-fig2'. Did you mean"),
        (
            ("figure", "bid-table1-scores"),
            "the plan has no figure 'bid-table1-scores'. Did you mean 'bid-table",
        ),
        (("figure", "uniform-scores"), "scores.csv: no such file"),
    ],
)
def test_a_name_that_is_not_there_is_one_line(blindbench, arguments, message):
    write_plan()
    assert_refused(blindbench(*arguments, *HERE), message)


def test_a_table_over_two_sets_of_conditions(synthesized):
    grid = {"title": "Sizes", "dataset": "demo-uniform", "metric": "psnr", "rows": {"all": ""}}
    write_plan(methods={"blurry": {}}, grids={"sizes": {**grid, "columns": {"true size": ""}}})
    make(synthesized, ("restore", "blurry"), ("score", "blurry"))
    make(synthesized, ("collect",), ("table", "sizes"))
    assert "true size" in (RESULTS / "tables/sizes.md").read_text()
    plan = json.loads((RESULTS / "plan.json").read_text())
    assert plan["tables"]["sizes"]["datasets"] == ["demo-uniform"]
