"""What decides whether a result is stale: a change runs again what it concerns, and nothing else."""

import copy
import json

import pytest

from benchmark.planning import stale
from benchmark.planning.config import make_plan
from benchmark.runs import provenance
from benchmark.scoring.iqa import ALEXNET, SOURCE

CONFIG = {
    "profile": "x",
    "caption": "A test.",
    "datasets": ["demo-uniform", "demo-real"],
    "methods": {"blurry": {}, "selfdeblur": {"iterations": 100}},
    "seeds": [0, 1],
    "snapshots": [50],
}


def decided(**changes):
    """Each kind of result of `CONFIG` with changes, to what decides it."""
    plan = make_plan({**copy.deepcopy(CONFIG), **changes}, "x.yaml")
    kinds = {f"observations {name}": stale.observations(plan, name) for name in plan.running}
    for method in plan.methods:
        kinds[f"restorations {method}"] = stale.restorations(plan, method, 0)
        kinds[f"scores {method}"] = stale.scores(plan, method, 0)
    kinds |= {f"table {name}": stale.table(plan, name) for name in plan.tables}
    kinds |= {f"figure {name}": stale.figure(plan, name) for name in plan.figures}
    return kinds


BASE = decided()
OF_SCORES = {"table uniform", "table real", "table convergence", "table sensitivity"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        (
            {"methods": {"blurry": {}, "selfdeblur": {"iterations": 90}}},
            {"restorations selfdeblur"},
        ),
        (
            {"experiment_seed": 1},
            {
                *(f"observations {dataset}" for dataset in CONFIG["datasets"]),
                *(f"restorations {method}" for method in CONFIG["methods"]),
            },
        ),
        (
            {"metrics": ["psnr"]},
            {f"scores {method}" for method in CONFIG["methods"]},
        ),
        (
            {"baseline": "blurry"},
            {"table uniform", "table real", "figure uniform-scores", "figure real-scores"},
        ),
        (
            {"snapshots": [20]},
            {"restorations selfdeblur", "scores selfdeblur"},
        ),
    ],
)
def test_a_change_concerns_these_results_alone(changes, expected):
    after = decided(**changes)
    assert {kind for kind in BASE if after[kind] != BASE[kind]} == expected


@pytest.mark.parametrize("changes", [{"caption": "Another."}, {"titles": {"blurry": "Nothing done"}}])
def test_titles_and_captions_concern_tables_and_figures_alone(changes):
    after = decided(**changes)
    changed = {kind for kind in BASE if after[kind] != BASE[kind]}
    assert changed > OF_SCORES
    assert {kind.split()[0] for kind in changed} == {"table", "figure"}


def test_other_cases_concern_their_observations_and_the_jobs_that_hold_them():
    after = decided(cases={"demo-uniform": ["camera"]})
    changed = {kind for kind in BASE if after[kind] != BASE[kind]}
    assert {kind for kind in changed if kind.split()[0] in ("observations", "restorations", "scores")} == {
        "observations demo-uniform",
        *(f"{kind} {m}" for kind in ("restorations", "scores") for m in CONFIG["methods"]),
    }


def test_the_code_and_the_files_of_a_method_decide_its_restorations(monkeypatch, tmp_path):
    (tmp_path / "camera.png").write_bytes(b"an image")
    methods = {"blurry": {}, "folder": {"path": str(tmp_path)}}
    before = decided(methods=methods, snapshots=[])
    (tmp_path / "camera.png").write_bytes(b"another image")
    after = decided(methods=methods, snapshots=[])
    assert {kind for kind in before if after[kind] != before[kind]} == {"restorations folder"}
    source = provenance._source
    edited = lambda name: b"1" if name == "methods.blurry" else source(name)  # noqa: E731
    monkeypatch.setattr(provenance, "_source", edited)
    provenance.code_hash.cache_clear()
    edited_code = decided(methods=methods, snapshots=[])
    provenance.code_hash.cache_clear()
    assert {kind for kind in after if edited_code[kind] != after[kind]} == {"restorations blurry"}


def test_weights_of_a_metric_that_arrive_concern_its_scores(monkeypatch, tmp_path):
    monkeypatch.setenv("BLINDBENCH_MIRROR", "")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("benchmark.scoring.iqa.data_folder", lambda: tmp_path)
    before = decided(metrics=["psnr", "lpips"])
    path = tmp_path / SOURCE / ALEXNET
    path.parent.mkdir(parents=True)
    path.write_bytes(b"stands for the weights")
    after = decided(metrics=["psnr", "lpips"])
    assert {kind.split()[0] for kind in before if after[kind] != before[kind]} == {"scores"}


def test_a_rule_can_remember_what_decides():
    """Snakemake stores a parameter as text: only plain values do not change from run to run."""
    for content in BASE.values():
        assert json.loads(json.dumps(content)) == json.loads(json.dumps(content, sort_keys=True))
        assert "0x" not in repr(content)
