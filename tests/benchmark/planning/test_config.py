"""Configs, descriptors and settings: what is right passes, what is wrong is named."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.core.schema import read_yaml
from benchmark.core.types import InputError
from benchmark.data.cases import make_case
from benchmark.data.descriptors import FOLDER, MIRROR, dataset_names, find_dataset
from benchmark.data.synthesis import observe
from benchmark.figures.paper_figures import paper_figure, paper_figures
from benchmark.planning.overview import plan_overview
from benchmark.planning.plan import Plan
from benchmark.runs import provenance
from benchmark.runs.names import base_method
from benchmark.runs.settings import effective
from benchmark.tables.paper_tables import paper_table, paper_tables
from methods.parts import registry
from methods.parts.settings import flat
from methods.selfdeblur import Settings
from tests.conftest import ROOT

DEMO = read_yaml(ROOT / "config" / "demo.yaml")


def test_every_shipped_config_and_descriptor_is_valid():
    for path in (ROOT / "config").glob("*.yaml"):
        config = read_yaml(path)
        # One without datasets goes on top of another.
        Plan.from_config(config if "datasets" in config else DEMO | config, str(path))
    for name in dataset_names():
        find_dataset(name)


def test_the_demo_asks_for_what_the_readme_says():
    plan = Plan.from_config(DEMO, "demo.yaml")
    assert plan.tables == {
        "uniform": ["demo-uniform"],
        "nonuniform": ["demo-nonuniform"],
        "real": ["demo-real"],
    }
    assert plan.shards("demo-uniform") == [["camera"], ["astronaut"]]
    assert plan.config["seeds"] == [0]
    assert plan.methods["selfdeblur"].settings["kernel_rate"] is None  # the default for this length of run


def test_the_paper_profile_compiles_every_table_of_the_papers():
    plan = Plan.from_config(read_yaml(ROOT / "config" / "paper.yaml"), "paper.yaml")
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
        assert method.settings == flat(effective(base_method(name).settings, given, name))
    needed = {dataset for name in paper_tables() for dataset in paper_table(name).datasets}
    assert set(plan.asked) == needed


def test_methods_keep_the_snapshots_that_they_reach():
    methods = {"blurry": {}, "selfdeblur": {"iterations": 100}, "selfdeblur@long": {"iterations": 200}}
    plan = Plan.from_config(changed(methods=methods, snapshots=[150, 50, 100]), "x.yaml")
    kept = {name: list(method.snapshots) for name, method in plan.methods.items()}
    assert kept == {"blurry": [], "selfdeblur": [50, 100], "selfdeblur@long": [50, 100, 150]}
    assert plan.converging == ["selfdeblur", "selfdeblur@long"]
    assert plan.reference == "selfdeblur"


def test_a_method_can_be_kept_to_some_datasets():
    kept = {**DEMO, "only": {"selfdeblur": ["demo-real", "demo-uniform"], "l0-grad": ["demo-uniform"]}}
    plan = Plan.from_config(kept, "x.yaml")
    assert plan.methods_on("demo-uniform") == list(plan.methods)
    assert plan.methods_on("demo-real") == [name for name in plan.methods if name != "l0-grad"]
    assert "l0-grad" not in plan.paper_figure("glkm-fig6").methods
    assert "l0-grad" in plan.paper_figure("glkm-fig4").methods


def test_the_demo_of_the_robust_experiments_is_as_large_as_it_says():
    path = ROOT / "config" / "robust.yaml"
    plan = Plan.from_config(read_yaml(path), str(path))
    runs = [
        (dataset, name)
        for dataset in plan.datasets
        for name in plan.methods_on(dataset)
        if "channels" in plan.methods[name].settings
    ]
    assert f"{len(runs) * len(plan.config['seeds'])} restorations" in path.read_text()
    assert all(len(cases) == 1 for cases in plan.cases.values())
    for name in plan.config["paper_figures"]:
        shown = plan.paper_figure(name)
        assert shown.cases or shown.conditions or paper_figure(name).kind.reads == "nothing", name
    (grid,) = plan.grids.values()
    assert all(grid.cell(row, column) in plan.datasets for row in grid.rows for column in grid.columns)


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
    plan = Plan.from_config(read_yaml(ROOT / "config" / "paper.yaml"), "paper.yaml")
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
    plan = Plan.from_config(config, "x.yaml")
    plan.require_data()
    assert list(plan.datasets) == ["demo-uniform"]
    assert "29 of 29 files are missing, as lai/ground_truth/manmade_01.png; " in plan.absent["lai-synth"]
    assert "there is no folder gopro in" in plan.absent["gopro"]
    alone = Plan.from_config(changed(datasets=["lai-synth"]), "x.yaml")
    with pytest.raises(InputError, match="no dataset can run: lai-synth: 29 of 29 files"):
        alone.require_data()


def test_what_a_source_lacks_is_downloaded_once_its_terms_are_accepted(monkeypatch, tmp_path):
    monkeypatch.setenv(MIRROR, str(tmp_path))
    config = changed(datasets=["coco80", "lai"], accept_terms=["coco_val2017", "lai"])
    plan = Plan.from_config(config, "x.yaml")
    assert plan.downloads["coco80"] == "coco_val2017"
    assert len(plan.cases["coco80"]) == 80
    with pytest.raises(InputError, match="unknown source 'coco'"):
        Plan.from_config(changed(accept_terms=["coco"]), "x.yaml")


def test_a_config_may_select_cases():
    plan = Plan.from_config(changed(cases={"demo-uniform": ["cam*"]}), "x.yaml")
    assert plan.cases["demo-uniform"] == ["camera"]
    assert plan.shards("demo-uniform") == [["camera"]]


def test_figures_show_a_few_cases_evenly_spread(mirror, monkeypatch):
    monkeypatch.setenv(MIRROR, str(mirror))
    plan = Plan.from_config(read_yaml(ROOT / "config" / "levin.yaml"), "levin.yaml")
    cases = plan.figure_cases("levin")
    assert len(plan.cases["levin"]) == 32
    assert cases == plan.cases["levin"][::6]


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
        (changed(datasets=[]), "datasets: "),
        (changed(datasets=["demo-real"] * 2), "datasets: "),
        (changed(methods={"selfdebur": {}}), "unknown method 'selfdebur'. Did you mean 'selfdeblur'?"),
        (changed(methods={"selfdeblur": {"chanels": 3}}), "methods.selfdeblur: unknown setting 'chanels'"),
        (changed(methods={"selfdeblur": {"channels": "wide"}}), "methods.selfdeblur.channels: "),
        (changed(methods={"selfdeblur": {"iterations": -5}}), "iterations must be at least 1, not -5"),
        (changed(methods={"selfdeblur": 3}), "methods.selfdeblur: "),
        (changed(metrics=["psrn"]), "metrics: unknown metric 'psrn'. Did you mean 'psnr'?"),
        (changed(seeds=[-1]), "seeds[0]: "),
        (changed(paper_tables=["glkm-tabel1"]), "unknown table 'glkm-tabel1'. Did you mean 'glkm-table1'?"),
        (changed(shard_size=0), "shard_size: "),
        (changed(snapshots=[0]), "snapshots[0]: 0 is less than the minimum of 1"),
        (changed(snapshots=["50"]), "snapshots[0]: '50' is not of type 'integer'"),
        (changed(snapshots=[50, 351]), "snapshots: no method takes 351 iterations"),
        (
            changed(reference="selfdeblur"),
            "reference: 'selfdeblur' is none of the methods with snapshots. No",
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
        (changed(profile="../x"), "profile: "),
        (changed(cases={"demo-unifrom": ["x"]}), "cases: 'demo-unifrom' is none of the datasets. Did you"),
        (changed(cases={"demo-uniform": ["x"]}), "demo-uniform: no case matches 'x'"),
        (
            changed(datasets=["demo-uniform@shot-hgih"]),
            "unknown condition 'shot-hgih'. Did you mean 'shot-high'?",
        ),
        (changed(device="gpu"), "device: unknown value 'gpu'"),
        ([], "demo.yaml: "),
        (None, "demo.yaml: "),
    ],
)
def test_each_kind_of_mistake_is_one_line_naming_file_and_key(config, message):
    with pytest.raises(InputError) as caught:
        Plan.from_config(config, "demo.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("demo.yaml")
    assert "\n" not in str(caught.value)


def write_descriptor(folder, **changes):
    content = read_yaml(FOLDER / "demo-uniform.yaml")
    case = content["cases"][0]
    case.update(changes.pop("case", {}))
    content.update(changes)
    (folder / "x.yaml").write_text(__import__("yaml").safe_dump(content))
    return find_dataset("x", folder)


def test_an_unknown_protocol_is_named_with_its_descriptor(tmp_path):
    write_descriptor(tmp_path, protocol="shift")
    with pytest.raises(InputError) as caught:
        Plan.from_config({**DEMO, "datasets": ["x"]}, "x.yaml", tmp_path)
    expected = "protocol: unknown protocol 'shift'. Did you mean 'shift-rgb'?"
    assert str(caught.value) == f"{tmp_path / 'x.yaml'}: {expected}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "x"}, "unknown key 'titel'. Did you mean 'title'?"),
        (
            {"noise": [{"kind": "gausian"}]},
            "noise[0].kind: unknown value 'gausian'. Did you mean 'gaussian'?",
        ),
        (
            {"case": {"photograph": "camra"}},
            "cases[0].photograph: unknown value 'camra'. Did you mean 'camera'?",
        ),
        ({"case": {"declared_size": -3}}, "cases[0]"),
        ({"case": {"id": "astronaut"}}, "cases[1].id: 'astronaut' is there twice"),
    ],
)
def test_a_wrong_descriptor_is_named(tmp_path, changes, message):
    with pytest.raises(InputError) as caught:
        write_descriptor(tmp_path, **changes)
    assert str(caught.value).startswith(str(tmp_path / "x.yaml"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"kernel": {"trajectory": 12}}, "odd size"),
        ({"crop": {"top": 0, "left": 0, "height": 64, "width": 64}}, "leaves the photograph"),
        ({"crop": {"top": 100, "left": 100, "height": 9, "width": 9}}, "larger than the image"),
    ],
)
def test_a_case_that_cannot_be_made_says_why(tmp_path, case, message):
    dataset = write_descriptor(tmp_path, case=case)
    with pytest.raises(InputError, match=message):
        observe(make_case(dataset, "camera", 0), 0)


def test_observations_depend_on_the_seed_and_nothing_else():
    dataset = find_dataset("demo-uniform")
    first, again, other = (observe(make_case(dataset, "camera", seed), seed)[0] for seed in (0, 0, 1))
    assert first.blurry.tobytes() == again.blurry.tobytes()
    assert first.blurry.tobytes() != other.blurry.tobytes()
    assert first.blurry.shape == (1, 128, 128)
    assert first.kernel_size == (13, 13)


def test_the_blurry_image_is_the_scene_blurred_in_the_frame_of_the_sharp_one():
    case = make_case(find_dataset("demo-uniform"), "astronaut", 0)
    observation, truth = observe(case, 0)
    assert observation.blurry.shape == truth.sharp.shape == (3, 160, 160)
    residual = observation.blurry - truth.sharp
    assert abs(residual.mean()) < 2e-3  # blur keeps brightness
    assert 0.01 < residual.std() < 0.1


def test_settings_take_yaml_values():
    settings = effective(Settings, {"iterations": 7, "milestones": [0.5], "image_rate": 1}, "x")
    schedule = settings.schedule
    assert (schedule.iterations, schedule.milestones, schedule.image_rate) == (7, (0.5,), 1.0)


def test_code_hash_covers_what_a_method_imports_and_no_other_method():
    sources = provenance.closure("methods.selfdeblur")
    assert {
        "methods.selfdeblur",
        "methods.parts.fit",
        "methods.parts.solver",
        "benchmark.blur.convolution",
    } <= set(sources)
    assert "methods.blurry" not in sources
    assert "methods.parts.registry" not in sources


def test_code_and_files_cover_the_methods_that_the_settings_make_it_run(monkeypatch):
    cold, warm = Settings(), Settings(warm_start="l0-grad")
    method = registry.find("selfdeblur")
    assert provenance.code_of(method, cold) == provenance.code_hash("methods.selfdeblur")
    assert provenance.code_of(method, warm) == provenance.code_hash("methods.selfdeblur", "methods.l0_grad")
    assert provenance.code_of(method, warm) != provenance.code_of(method, cold)
    assert "methods.l0_grad" not in provenance.closure("methods.selfdeblur")

    used = replace(registry.find("l0-grad"), files=lambda case, settings: [Path(f"{case}.weights")])
    monkeypatch.setattr(registry, "find", lambda name: used)
    assert provenance.files_of(method, cold, "a") == []
    assert provenance.files_of(method, warm, "a") == [Path("a.weights")]


def test_an_unknown_warm_start_is_one_line_that_names_the_setting():
    with pytest.raises(InputError, match=r"^methods.x: warm_start: unknown method 'l0-gard'. Did you mean"):
        effective(Settings, {"warm_start": "l0-gard"}, "methods.x")
