"""Configs: what is right becomes a plan, what is wrong is named."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from benchmark.core.schema import read_yaml
from benchmark.core.types import InputError
from benchmark.data.descriptors import FOLDER, MIRROR, dataset_names, find_dataset
from benchmark.figures.paper_figures import paper_figure, paper_figures
from benchmark.planning.config import make_plan, read_configs
from benchmark.planning.overview import plan_overview
from benchmark.planning.plan import Plan, Run
from benchmark.runs.names import base_method
from benchmark.runs.settings import effective
from benchmark.tables.paper_tables import paper_table, paper_tables
from methods.parts.settings import flat
from tests.conftest import ROOT

DEMO = read_yaml(ROOT / "config" / "demo.yaml")


def test_every_shipped_config_and_descriptor_is_valid():
    for path in (ROOT / "config").glob("*.yaml"):
        config = read_yaml(path)
        # One without datasets goes on top of another.
        make_plan(config if "datasets" in config else DEMO | config, str(path))
    for name in dataset_names():
        find_dataset(name)


def test_the_demo_asks_for_what_the_readme_says():
    plan = make_plan(DEMO, "demo.yaml")
    assert {name: table.datasets for name, table in plan.tables.items() if table.default} == {
        "uniform": ["demo-uniform"],
        "nonuniform": ["demo-nonuniform"],
        "real": ["demo-real"],
    }
    assert plan.shards("demo-uniform") == [["camera"], ["astronaut"]]
    assert plan.seeds == [0]
    assert plan.methods["selfdeblur"].settings["kernel_rate"] is None  # the default for this length of run


def test_the_paper_profile_compiles_every_table_of_the_papers():
    plan = make_plan(read_yaml(ROOT / "config" / "paper.yaml"), "paper.yaml")
    assert plan.config["paper_tables"] == paper_tables()
    robust = [
        figure
        for name in ("robust-full.yaml", "robust-stopping.yaml", "robust-parts.yaml", "robust-real.yaml")
        for figure in read_yaml(ROOT / "config" / name)["paper_figures"]
    ]
    assert sorted([*plan.config["paper_figures"], *robust]) == sorted(paper_figures())
    for name, method in plan.methods.items():
        # Where the authors' weights lie, and how finely a kernel field is kept, is no setting of the papers.
        given = {key: method.settings[key] for key in ("weights", "field_stride") if key in method.settings}
        papers = flat(effective(base_method(name).settings, given, name))
        assert method.settings == json.loads(json.dumps(papers))
    needed = {dataset for name in paper_tables() for dataset in paper_table(name).datasets}
    assert set(plan.datasets) == needed


def test_methods_keep_the_snapshots_that_they_reach():
    methods = {"blurry": {}, "selfdeblur": {"iterations": 100}, "selfdeblur@long": {"iterations": 200}}
    plan = make_plan(changed(methods=methods, snapshots=[150, 50, 100]), "x.yaml")
    kept = {name: list(method.snapshots) for name, method in plan.methods.items()}
    assert kept == {"blurry": [], "selfdeblur": [50, 100], "selfdeblur@long": [50, 100, 150]}
    assert plan.converging == ["selfdeblur", "selfdeblur@long"]
    assert plan.reference == "selfdeblur"


def test_a_method_can_be_kept_to_some_datasets():
    kept = {**DEMO, "only": {"selfdeblur": ["demo-real", "demo-uniform"], "l0-grad": ["demo-uniform"]}}
    plan = make_plan(kept, "x.yaml")
    assert plan.methods_on("demo-uniform") == list(plan.methods)
    assert plan.methods_on("demo-real") == [name for name in plan.methods if name != "l0-grad"]
    assert "l0-grad" not in plan.figures["glkm-fig6"].methods
    assert "l0-grad" in plan.figures["glkm-fig4"].methods


def test_the_demo_of_the_robust_experiments_is_as_large_as_it_says():
    path = ROOT / "config" / "robust.yaml"
    plan = make_plan(read_yaml(path), str(path))
    runs = [
        (dataset, name)
        for dataset in plan.running
        for name in plan.methods_on(dataset)
        if "channels" in plan.methods[name].settings
    ]
    assert f"{len(runs) * len(plan.seeds)} restorations" in path.read_text()
    assert all(len(dataset.cases) == 1 for dataset in plan.datasets.values())
    for name in plan.config["paper_figures"]:
        shown = plan.figures[name]
        assert shown.cases or shown.conditions or paper_figure(name).kind.reads == "nothing", name
    (grid,) = [table for table in plan.tables.values() if table.kind == "grid"]
    assert set(grid.datasets) <= set(plan.running)


def test_the_claims_differ_in_one_setting_each():
    """From the row of their method, at demo and at full size alike."""
    for name, direct in (("glkm-claims", "direct-weights"), ("glkm-claims-full", "glkm-pretrain-direct")):
        config = read_yaml(ROOT / "config" / f"{name}.yaml")
        differing = {}
        for method, settings in config["methods"].items():
            base = config["methods"][method.partition("@")[0]]
            differing[method] = {key: value for key, value in settings.items() if base.get(key) != value}
        assert {method: changes for method, changes in differing.items() if "@" in method} == {
            "selfdeblur@warm": {"warm_start": "l0-grad"},
            "dip-glkm@code": {"variable": "code"},
            "dip-glkm@generator": {"variable": "generator"},
            "dip-glkm@direct": {"weights": f"results/{direct}/pretrain"},
            "dip-glkm@random": {"start": "random"},
            "dip-glkm@warm": {"start": "l0-grad"},
        }
        assert {method for method in config["methods"] if "@" in method} <= set(config["titles"])


def test_the_paper_profile_plans_as_many_cases_as_each_table_has():
    plan = make_plan(read_yaml(ROOT / "config" / "paper.yaml"), "paper.yaml")
    counts = {}
    for row in plan_overview(plan):
        counts[row["table"]] = counts.get(row["table"], 0) + row["cases"]
    published = {
        "glkm-table1": 80, "glkm-table2": 100, "glkm-table3": 100, "glkm-table4": 500 + 500 + 1000,
        "glkm-table5": 80, "glkm-table6": 100, "ufpnet-table1": 1111 + 2025 + 2 * 980, "ufpnet-table2": 0,
        "ufpnet-table3": 2 * 980, "ufpnet-table4": 1111, "ufpnet-table5": 1111 + 2025 + 2 * 980,
        "ufpnet-table6": 1111 + 2025, "bid-table2": 2 * 32, "bid-table3": 125, "bid-table4": 125,
    }  # fmt: skip
    assert {name: counts.get(name, 0) for name in paper_tables()} == published


def test_datasets_whose_files_are_not_here_are_left_out_with_the_reason(monkeypatch, tmp_path):
    monkeypatch.setenv(MIRROR, str(tmp_path))
    config = changed(datasets=["demo-uniform", "lai-synth", "gopro"])
    plan = make_plan(config, "x.yaml")
    plan.require_data()
    assert plan.running == ["demo-uniform"]
    assert "29 of 29 files are missing, as lai/ground_truth/manmade_01.png; " in plan.absent["lai-synth"]
    assert "there is no folder gopro in" in plan.absent["gopro"]
    alone = make_plan(changed(datasets=["lai-synth"]), "x.yaml")
    with pytest.raises(InputError, match="no dataset can run: lai-synth: 29 of 29 files"):
        alone.require_data()


def test_what_a_source_lacks_is_downloaded_once_its_terms_are_accepted(monkeypatch, tmp_path):
    monkeypatch.setenv(MIRROR, str(tmp_path))
    config = changed(datasets=["coco80", "lai"], accept_terms=["coco_val2017", "lai"])
    plan = make_plan(config, "x.yaml")
    assert plan.datasets["coco80"].download
    assert len(plan.datasets["coco80"].cases) == 80
    (marker,) = plan.observation_inputs("coco80")
    assert marker.parts[-2:] == ("coco_val2017", ".downloaded.json")
    with pytest.raises(InputError, match="unknown source 'coco'"):
        make_plan(changed(accept_terms=["coco"]), "x.yaml")


def test_a_config_may_select_cases():
    plan = make_plan(changed(cases={"demo-uniform": ["cam*"]}), "x.yaml")
    assert plan.datasets["demo-uniform"].cases == {"camera": "camera"}
    assert plan.shards("demo-uniform") == [["camera"]]


def test_figures_show_a_few_cases_evenly_spread(mirror, monkeypatch):
    monkeypatch.setenv(MIRROR, str(mirror))
    plan = make_plan(read_yaml(ROOT / "config" / "levin.yaml"), "levin.yaml")
    cases = list(plan.datasets["levin"].cases)
    assert len(cases) == 32
    name = plan.datasets["levin"].table
    assert plan.figures[name].cases == {"levin": cases[::6]}


GRID = {
    "title": "Noise and declared size",
    "dataset": "demo-uniform",
    "metric": "psnr",
    "rows": {"little": "", "much": "gaussian-high"},
    "columns": {"true": "", "half": "size-level-5"},
}


def changed(**changes):
    config = copy.deepcopy(DEMO)
    for key, value in changes.items():
        if value is None:
            del config[key]
        else:
            config[key] = value
    return config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (changed(dataset=["x"]), "unknown key 'dataset'. Did you mean 'datasets'?"),
        (changed(profile=None), "the key 'profile' is missing"),
        (changed(datasets=["demo-unifrom"]), "unknown dataset 'demo-unifrom'. Did you mean 'demo-uniform'?"),
        (changed(datasets=[]), "datasets: at least 1 entry is needed, not 0"),
        (changed(datasets=["demo-real"] * 2), "datasets: 'demo-real' is there twice"),
        (changed(methods={"selfdebur": {}}), "unknown method 'selfdebur'. Did you mean 'selfdeblur'?"),
        (changed(methods={"selfdeblur": {"chanels": 3}}), "methods.selfdeblur: unknown setting 'chanels'"),
        (changed(methods={"selfdeblur": {"channels": "wide"}}), "methods.selfdeblur.channels: "),
        (changed(methods={"selfdeblur": {"iterations": -5}}), "iterations must be at least 1, not -5"),
        (
            changed(methods={"selfdeblur": 3}),
            "methods.selfdeblur: a mapping of keys to values is needed, not 3",
        ),
        (changed(methods={"Bad name": {}}), "methods: 'Bad name' is not allowed as a name"),
        (changed(pretrain=[{"training": "decodr"}]), "pretrain[0]: unknown training 'decodr'. Did you mean"),
        (changed(metrics=["psrn"]), "metrics: unknown metric 'psrn'. Did you mean 'psnr'?"),
        (changed(seeds=[-1]), "seeds[0]: -1 is too small: at least 0 is needed"),
        (changed(seeds=0), "seeds: a list is needed, not 0"),
        (changed(seeds=[]), "seeds: at least 1 entry is needed, not 0"),
        (changed(seeds=[0, 0]), "seeds: '0' is there twice"),
        (changed(caption=3), "caption: a text is needed, not 3"),
        (changed(paper_tables=["glkm-tabel1"]), "unknown table 'glkm-tabel1'. Did you mean 'glkm-table1'?"),
        (changed(shard_size=0), "shard_size: 0 is too small: at least 1 is needed"),
        (changed(snapshots=[0]), "snapshots[0]: 0 is too small: at least 1 is needed"),
        (changed(snapshots=["50"]), "snapshots[0]: a whole number is needed, not '50'"),
        (changed(snapshots=[50, 351]), "snapshots: no method takes 351 iterations"),
        (
            changed(reference="selfdeblur"),
            "reference: 'selfdeblur' is none of the methods with snapshots. There",
        ),
        (
            changed(snapshots=[50], reference="selfdebur"),
            "reference: 'selfdebur' is none of the methods with snapshots. Did you mean 'selfdeblur'?",
        ),
        (
            changed(titles={"selfdebur": "x"}),
            "titles: 'selfdebur' is none of the methods. Did you mean 'selfdeblur'?",
        ),
        (changed(only={"selfdebur": ["demo-real"]}), "only: 'selfdebur' is none of the methods. Did you"),
        (
            changed(only={"selfdeblur": ["demo-rael"]}),
            "only.selfdeblur: 'demo-rael' is none of the datasets. Did you mean 'demo-real'?",
        ),
        (changed(grids={"uniform": GRID}), "grids: 'uniform' is the name of another table"),
        (
            changed(grids={"x": GRID | {"metric": "psrn"}}),
            "grids.x.metric: unknown metric 'psrn'. Did",
        ),
        (
            changed(grids={"x": GRID | {"rows": {"much": "shot-hgih"}}}),
            "unknown condition 'shot-hgih'. Did",
        ),
        (changed(grids={"x": GRID | {"row": {}}}), "grids.x: unknown key 'row'. Did you mean 'rows'?"),
        (changed(profile="../x"), "profile: '../x' is not allowed as a name"),
        (changed(cases={"demo-unifrom": ["x"]}), "cases: 'demo-unifrom' is none of the datasets. Did you"),
        (changed(cases={"demo-uniform": ["x"]}), "demo-uniform: no case matches 'x'"),
        (
            changed(datasets=["demo-uniform@shot-hgih"]),
            "unknown condition 'shot-hgih'. Did you mean 'shot-high'?",
        ),
        (changed(device="gpu"), "device: unknown value 'gpu'"),
        ([], "demo.yaml: a mapping of keys to values is needed, not []"),
        (None, "demo.yaml: a mapping of keys to values is needed, not nothing"),
    ],
)
def test_each_kind_of_mistake_is_one_line_naming_file_and_key(config, message):
    with pytest.raises(InputError) as caught:
        make_plan(config, "demo.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("demo.yaml")
    assert "\n" not in str(caught.value)


def test_a_plan_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(MIRROR, str(tmp_path))  # a mirror without data: some datasets are absent
    for name in ("demo", "robust", "levin"):
        path = ROOT / "config" / f"{name}.yaml"
        plan = make_plan(read_yaml(path), str(path))
        assert plan.write() == Path(f"results/{name}/plan.json")
        assert Plan.read(plan.results) == plan


def test_configs_are_merged_as_snakemake_merges_them(tmp_path):
    first = {"methods": {"blurry": {}, "selfdeblur": {"iterations": 3}}, "seeds": [0], "caption": "A."}
    second = {"methods": {"selfdeblur": {"channels": 8}, "oracle": {}}, "seeds": [1, 2]}
    paths = [tmp_path / "first.yaml", tmp_path / "second.yaml"]
    for path, config in zip(paths, (first, second), strict=True):
        path.write_text(yaml.safe_dump(config))
    assert read_configs(paths) == {
        "methods": {"blurry": {}, "selfdeblur": {"iterations": 3, "channels": 8}, "oracle": {}},
        "seeds": [1, 2],
        "caption": "A.",
    }


def test_every_run_is_restored_scored_and_joined():
    plan = make_plan(changed(only={"oracle": ["demo-real"]}, snapshots=[350], seeds=[0, 1]), "x.yaml")
    runs = list(plan.runs())
    assert len(runs) == len(set(runs)) == 2 * (3 * len(plan.methods) - 2)
    assert Run("demo-uniform", "oracle", 0) not in runs
    files = plan.score_files(Run("demo-uniform", "selfdeblur", 1))
    assert [str(path) for path in files] == [
        f"results/demo/{kind}/demo-uniform/selfdeblur/seed1.csv" for kind in ("scores", "convergence")
    ]
    assert plan.score_files(Run("demo-real", "blurry", 0)) == [plan.store.scores_of("demo-real", "blurry", 0)]
    assert set(plan.manifests(runs[0])) | set(files) <= set(plan.joined_inputs())
    assert plan.store.convergence in plan.joined


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("protocol", "shift", "unknown protocol 'shift'. Did you mean 'shift-rgb'?"),
        ("source", "scikit-imgae", "'scikit-imgae' is none of the sources. Did you mean 'scikit-image'?"),
    ],
)
def test_an_unknown_name_in_a_descriptor_is_named_with_its_file(tmp_path, key, value, message):
    content = read_yaml(FOLDER / "demo-uniform.yaml") | {key: value}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as caught:
        make_plan(changed(datasets=["x"]), "x.yaml", tmp_path)
    assert str(caught.value) == f"{tmp_path / 'x.yaml'}: {key}: {message}"
