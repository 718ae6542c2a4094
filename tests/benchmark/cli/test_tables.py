"""The verbs that compile tables and draw figures from scores."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.benchmark.cli.conftest import CONFIG, HERE, ONE_CASE, RESULTS, assert_refused, write_plan


def make(blindbench, *commands):
    """Call verbs that must succeed."""
    for command in commands:
        code, _, error = blindbench(*command, *HERE)
        assert code == 0, error


def test_scores_become_tables_and_figures(synthesized):
    for method in CONFIG["methods"]:
        make(synthesized, ("restore", "demo-uniform", method), ("score", "demo-uniform", method))
    make(synthesized, ("collect",), ("table", "uniform"), ("table", "glkm-table1"))
    make(synthesized, ("figure", "uniform"), ("figure", "uniform-scores"))
    table = pd.read_csv(RESULTS / "tables/uniform.csv").set_index(["method", "metric"])
    scores = pd.read_csv(RESULTS / "scores.csv").set_index(["method", "metric", "case"]).sort_index().value
    assert table.loc[("blurry", "psnr"), "gain"] == 0
    expected = (scores["selfdeblur", "psnr"] - scores["blurry", "psnr"]).mean()
    assert table.loc[("selfdeblur", "psnr"), "gain"] == pytest.approx(expected)
    for suffix in ("md", "tex"):
        assert "A test." in (RESULTS / f"tables/uniform.{suffix}").read_text()
    published = pd.read_csv(RESULTS / "tables/glkm-table1.csv")
    assert published.published.notna().sum() == 54
    for name in ("uniform", "uniform-scores"):
        for suffix in ("png", "pdf"):
            assert (RESULTS / f"figures/{name}.{suffix}").stat().st_size > 5_000
    runs = pd.read_csv(RESULTS / "runs.csv")
    assert set(runs.method) == set(CONFIG["methods"])


def test_snapshots_and_seeds_have_tables_and_figures_of_their_own(synthesized):
    write_plan(seeds=[0, 1], snapshots=[1, 3], titles={"selfdeblur": "Ours"}, cases=ONE_CASE)
    for method in CONFIG["methods"]:
        for seed in (0, 1):
            where = ("demo-uniform", method, "--seed", seed)
            make(synthesized, ("restore", *where), ("score", *where))
    path = RESULTS / "convergence/demo-uniform/selfdeblur/seed0.csv"
    assert list(pd.read_csv(path).iteration.unique()) == [1, 3, 4]
    make(synthesized, ("collect",))
    assert len(pd.read_csv(RESULTS / "convergence.csv")) == 2 * 3 * 2  # seeds, points, metrics
    for name in ("convergence", "sensitivity"):
        make(synthesized, ("table", name), ("figure", name))
        for suffix in ("md", "tex"):
            assert "Ours" in (RESULTS / f"tables/{name}.{suffix}").read_text()
        assert (RESULTS / f"figures/{name}.pdf").stat().st_size > 5_000
    spread = pd.read_csv(RESULTS / "tables/sensitivity.csv").iloc[0]
    paths = [RESULTS / f"scores/demo-uniform/selfdeblur/seed{seed}.csv" for seed in (0, 1)]
    both = [pd.read_csv(path).set_index("metric").value["psnr"] for path in paths]
    assert (spread["mean"], spread.best) == pytest.approx((np.mean(both), max(both)))
    make(synthesized, ("figure", "glkm-fig1"), ("figure", "glkm-fig4"))
    for name in ("glkm-fig1", "glkm-fig4"):
        assert (RESULTS / f"figures/{name}.pdf").stat().st_size > 5_000


def test_a_figure_that_shows_no_dataset_needs_no_results(blindbench):
    write_plan()
    code, _, error = blindbench("figure", "glkm-fig3", *HERE)
    assert (code, error) == (0, "")
    assert (RESULTS / "figures/glkm-fig3.pdf").stat().st_size > 20_000  # the sheet that ships


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
    make(synthesized, ("restore", "demo-uniform", "blurry"), ("score", "demo-uniform", "blurry"))
    make(synthesized, ("collect",), ("table", "sizes"))
    assert "true size" in (RESULTS / "tables/sizes.md").read_text()
    plan = json.loads((RESULTS / "plan.json").read_text())
    assert plan["tables"]["sizes"]["datasets"] == ["demo-uniform"]
