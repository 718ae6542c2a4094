"""Configs: what is right becomes a plan, what is wrong is named."""

import copy
import fnmatch
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from benchmark.core.errors import InputError
from benchmark.core.schema import read_yaml
from benchmark.data.descriptors import FOLDER, MIRROR, dataset_names, find_dataset
from benchmark.figures.paper_figures import paper_figure, paper_figures
from benchmark.planning.config import make_plan, read_configs
from benchmark.planning.overview import plan_overview
from benchmark.planning.plan import Plan, Run, Step
from benchmark.runs.names import base_method
from benchmark.runs.settings import effective
from benchmark.runs.shards import Part
from benchmark.scoring.csv_files import RUN_COLUMNS, SCORE_COLUMNS
from benchmark.tables.claims import claim_tables
from benchmark.tables.paper_tables import paper_table, paper_tables
from benchmark.tables.summary import summary
from methods.parts.presets import QUICK
from methods.parts.settings import flat
from tests.conftest import ROOT

DEMO = read_yaml(ROOT / "config" / "demo.yaml")
# A profile for the tests below, one case in each job.
NETWORKS = {
    "iterations": 350,
    "mse_share": 0.2,
    "image_rate": 0.005,
    "channels": 32,
    "skip_channels": 4,
    "scales": 4,
}
PROFILE = {key: value for key, value in DEMO.items() if key != "only"} | {
    "shard_size": 1,
    "methods": {
        "blurry": {},
        "oracle": {},
        "l0-grad": {},
        "selfdeblur": NETWORKS,
        "dip-glkm": {**NETWORKS, "latent_rate": 0.005},
        "nafnet": {},
        "ufpnet": {},
    },
}


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
    assert plan.shards["selfdeblur@quick"] == [[Part("demo-uniform", 0, ["camera", "astronaut"])]]
    assert plan.seeds == [0]
    fits = [plan.methods[name].settings for name in ("selfdeblur@quick", "dip-glkm@quick")]
    assert [settings["channels"] for settings in fits] == [16, 32]
    assert [settings["iterations"] for settings in fits] == [350, 200]
    assert fits[0]["kernel_rate"] is None  # the default for this length of run


def test_the_paper_profile_compiles_every_table_of_the_papers():
    plan = make_plan(read_yaml(ROOT / "config" / "paper.yaml"), "paper.yaml")
    assert plan.config["paper_tables"] == [*paper_tables(), *claim_tables()]
    others = ("figures", "robust-full", "robust-stopping", "robust-parts", "robust-real")
    drawn = {
        figure for name in others for figure in read_yaml(ROOT / "config" / f"{name}.yaml")["paper_figures"]
    }
    assert drawn | set(plan.config["paper_figures"]) == set(paper_figures())
    # Settings that are the row itself: those of Tables 2 and 4 of Robust BID, its rates for real photographs,
    # its SelfDeblur, and the entries of its kernel.
    ablations = {
        name: method.given for name, method in plan.methods.items() if name.startswith(("robust-", "joint-"))
    }
    of_rows = {"image_rate", "kernel_rate", "regulariser_weight", "regulariser", "stop", "siren_entries"}
    assert {key for given in ablations.values() for key in given} <= of_rows | {"objective", "data_term"}
    for name, method in plan.methods.items():
        # Where the authors' weights lie, and how finely a kernel field is kept, is no setting of the papers.
        given = {key: method.settings[key] for key in ("weights", "field_stride") if key in method.settings}
        if name.startswith("vdip-extreme") and name.endswith("@real"):  # the script for real photographs
            given["pretraining_share"] = 500 / 5000
        if name in ablations:
            given = method.given
        papers = flat(effective(base_method(name).settings, given, name))
        assert method.settings == json.loads(json.dumps(papers))
    needed = {dataset for name in paper_tables() for dataset in paper_table(name).datasets}
    assert set(plan.datasets) == needed


def test_vdip_extreme_is_pre_trained_on_real_photographs_as_in_the_script_for_them():
    plan = make_plan(read_yaml(ROOT / "config" / "paper.yaml"), "paper.yaml")
    real = {"lai-real", "gopro", "hide", "realblur-j", "realblur-r"}
    shown = [name for name in plan.datasets if "vdip-std" in plan.methods_on(name)]
    assert set(shown) > real
    for name in ("vdip-extreme", "vdip-extreme-glkm"):
        lengths = {
            dataset: [
                round(plan.methods[other].settings["pretraining_share"] * 5000)
                for other in plan.methods_on(dataset)
                if other.partition("@")[0] == name
            ]
            for dataset in shown
        }
        assert lengths == {dataset: [500] if dataset in real else [5] for dataset in shown}
        rows = {row.method for row in paper_table("glkm-table3").rows}
        assert f"{name}@real" in rows
        assert name not in rows


@pytest.mark.parametrize("name", ["paper", "robust-tables"])
@pytest.mark.parametrize("table", ["bid-table2", "bid-table3", "bid-table4"])
def test_every_row_of_ours_runs_on_every_block(name, table):
    """So the table can be filled wherever its data are."""
    plan = make_plan(read_yaml(ROOT / "config" / f"{name}.yaml"), name)
    definition = paper_table(table, plan.config["stand_ins"])
    rows = [row.method for row in definition.rows if row.method]
    assert len(rows) == {"bid-table2": 2, "bid-table3": 2, "bid-table4": 12}[table]
    for block in definition.blocks:
        for row in rows:
            running = fnmatch.filter(plan.methods_on(block.dataset), row)
            assert running, f"{row} does not run on {block.dataset}"
            if definition.best_of:
                assert set(running) <= set(plan.converging)


def test_table_2_tries_the_papers_weights():
    plan = make_plan(read_yaml(ROOT / "config" / "paper.yaml"), "paper.yaml")
    weights = [digit * 10.0**-power for power in range(1, 6) for digit in (5, 2, 1)]
    for pattern, regulariser in (("robust-bid@l1l2-*", "l1/l2"), ("robust-bid@l1-*", "tv")):
        tried = [plan.methods[name].settings for name in fnmatch.filter(plan.methods, pattern)]
        assert sorted(row["regulariser_weight"] for row in tried) == pytest.approx(sorted([1, *weights]))
        assert {row["regulariser"] for row in tried} == {regulariser}
        # The rates are those of synthetic blur.
        assert {(row["image_rate"], row["kernel_rate"]) for row in tried} == {(1e-2, 1e-4)}


def test_configs_with_rows_of_one_table_agree_on_their_settings():
    paper = make_plan(read_yaml(ROOT / "config" / "paper.yaml"), "paper.yaml").methods
    for name in ("robust-real", "robust-weights"):
        plan = make_plan(read_yaml(ROOT / "config" / f"{name}.yaml"), name)
        shared = [method for method in plan.methods if method.startswith("robust-bid") and method in paper]
        assert len(shared) > 10
        for method in shared:
            assert plan.methods[method].given == paper[method].given
            assert plan.methods[method].snapshots == paper[method].snapshots


def test_a_config_needs_no_caption():
    plan = make_plan({key: value for key, value in DEMO.items() if key != "caption"}, "x.yaml")
    assert plan.config["caption"] == ""


def test_a_sweep_is_a_method_for_each_value():
    sweep = {"setting": "iterations", "values": [20, 50], "settings": {"channels": 8}}
    plan = make_plan(
        changed(
            sweeps={"selfdeblur@n": sweep},
            snapshots=[10],
            snapshots_of=["*@n-*"],
            only={"*-2e1": ["demo-real"], "selfdeblur*": ["demo-uniform"]},
        ),
        "x.yaml",
    )
    added = {name: method for name, method in plan.methods.items() if "@n" in name}
    assert {name: method.given for name, method in added.items()} == {
        "selfdeblur@n-2e1": {"channels": 8, "iterations": 20},
        "selfdeblur@n-5e1": {"channels": 8, "iterations": 50},
    }
    assert plan.converging == list(added)
    assert [method.datasets for method in added.values()] == [["demo-real"], ["demo-uniform"]]
    assert plan.methods["selfdeblur"].datasets == ["demo-uniform"]


def test_a_stand_in_is_named_in_the_heading_and_has_no_difference_to_the_paper():
    definition = paper_table("bid-table3", {"reds125": "demo-scenarios"})
    assert definition.datasets == ["demo-scenarios"]
    assert all("stand-in: demo-scenarios" in block.title for block in definition.blocks)
    rows = [
        ("demo-scenarios", f"s{n}", f"case{n}", "robust-bid", 0, "shift-rgb", "psnr", 30.0, "")
        for n in range(1, 6)
    ]
    runs = pd.DataFrame(columns=list(RUN_COLUMNS))
    table = summary(definition, pd.DataFrame(rows, columns=list(SCORE_COLUMNS)), runs)
    ours = table[(table.method == "robust-bid") & (table.metric == "psnr")]
    assert ours.published.tolist() == ["30.8", "28.7", "29.4", "28.5", "29.2"]
    assert (ours["mean"] == 30).all()
    assert ours.difference.isna().all()


def test_methods_keep_the_snapshots_that_they_reach():
    methods = {"blurry": {}, "selfdeblur": {"iterations": 100}, "selfdeblur@long": {"iterations": 200}}
    plan = make_plan(changed(methods=methods, snapshots=[150, 50, 100]), "x.yaml")
    kept = {name: list(method.snapshots) for name, method in plan.methods.items()}
    assert kept == {"blurry": [], "selfdeblur": [50, 100], "selfdeblur@long": [50, 100, 150]}
    assert plan.converging == ["selfdeblur", "selfdeblur@long"]
    assert plan.reference == "selfdeblur"


def test_a_method_can_be_kept_to_some_datasets():
    kept = {**PROFILE, "only": {"selfdeblur": ["demo-real", "demo-uniform"], "l0-grad": ["demo-uniform"]}}
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
            "selfdeblur@warm": {"start": "l0-grad"},
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
    assert plan.shards["blurry"][0][0].cases == ["camera"]


@pytest.fixture
def part_of_gopro(monkeypatch, tmp_path):
    """A mirror with two pairs of GoPro and a blurry image without its sharp one, of 1111 pairs."""
    monkeypatch.setenv(MIRROR, str(tmp_path))
    names = ("GOPR1/blur/000001", "GOPR1/sharp/000001", "GOPR2/blur/000001", "GOPR2/sharp/000001")
    for name in (*names, "GOPR2/blur/000002"):
        path = tmp_path / "data" / "gopro" / "test" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.usefixtures("part_of_gopro")
@pytest.mark.parametrize(
    ("cases", "running"),
    [
        (["GOPR1-*"], ["GOPR1-000001"]),
        ("here", ["GOPR1-000001", "GOPR2-000001"]),
        (["GOPR2-*"], []),
        (None, []),
    ],
)
def test_a_part_of_a_dataset_runs_when_asked_and_the_plan_says_how_many(cases, running):
    selected = {} if cases is None else {"cases": {"gopro": cases}}
    plan = make_plan(changed(datasets=["gopro"], **selected), "x.yaml")
    assert list(plan.datasets["gopro"].cases) == running
    (row,) = plan_overview(plan)
    assert (row["cases"], row["run"]) == (1111, len(running))
    if cases is None:
        assert "3 files match" in row["remark"]
        assert "not 1111; some are missing" in row["remark"]
    else:
        assert bool(row["remark"]) == (not running)


def test_no_case_is_here(monkeypatch, tmp_path):
    monkeypatch.setenv(MIRROR, str(tmp_path))
    plan = make_plan(changed(datasets=["lai"], cases={"lai": "here"}), "x.yaml")
    assert plan.absent["lai"].startswith("no case has all its files here; blindbench download lai")
    with pytest.raises(InputError, match=r"cases\.lai: 'there' is not allowed; it must match \^here\$"):
        make_plan(changed(datasets=["lai"], cases={"lai": "there"}), "x.yaml")


def test_a_job_takes_minutes_or_as_many_cases_as_the_config_says():
    methods = {"blurry": {}, "l0-grad": {}, "selfdeblur": {}, "selfdeblur@short": {"iterations": 10}}
    plan = make_plan(changed(methods=methods, shard_size=None), "x.yaml")
    sizes = {name: method.shard_size for name, method in plan.methods.items()}
    assert sizes == {"blurry": 100, "l0-grad": 10, "selfdeblur": 4, "selfdeblur@short": 4}
    given = make_plan(changed(methods=methods, shard_size=7), "x.yaml")
    assert {method.shard_size for method in given.methods.values()} == {7}


def test_a_preset_takes_effect_by_its_name_and_keys_of_the_config_override_it():
    methods = {"selfdeblur@quick": {"scales": 4}, "selfdeblur@slow": {}}
    quick, slow = make_plan(changed(methods=methods), "x.yaml").methods.values()
    assert quick.given == {"scales": 4}
    shown = [quick.settings[key] for key in ("channels", "iterations", "scales")]
    assert shown == [QUICK["channels"], QUICK["iterations"], 4]
    assert slow.settings["channels"] == 128


@pytest.mark.parametrize("device", ["auto", "cuda", "cpu"])
def test_only_methods_that_compute_on_a_gpu_ask_for_one(device):
    methods = {"blurry": {}, "l0-grad": {}, "selfdeblur": {}}
    plan = make_plan(changed(methods=methods, device=device), "x.yaml")
    assert plan.on_gpu == ([] if device == "cpu" else ["selfdeblur"])
    assert plan.methods["blurry"].device == "cpu"
    assert plan.methods["selfdeblur"].device == device


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
    config = copy.deepcopy(PROFILE)
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
        (changed(methods={"Bad name": {}}), "methods: 'Bad name' is not allowed as a name; begin"),
        (changed(pretrain=[{"training": "decodr"}]), "pretrain[0]: unknown training 'decodr'. Did you mean"),
        (changed(metrics=["psrn"]), "metrics: unknown metric 'psrn'. Did you mean 'psnr'?"),
        (changed(seeds=[-1]), "seeds[0]: -1 is too small: at least 0 is needed"),
        (changed(seeds=0), "seeds: a list is needed, not 0"),
        (changed(seeds=[]), "seeds: at least 1 entry is needed, not 0"),
        (changed(seeds=[0, 0]), "seeds: '0' is there twice"),
        (changed(caption=3), "caption: a text is needed, not 3"),
        (
            changed(paper_tables=["glkm-tabel1"]),
            "paper_tables: 'glkm-tabel1' is none of the tables of the papers. Did you mean 'glkm-table1'?",
        ),
        (changed(shard_size=0), "shard_size: 0 is too small: at least 1 is needed"),
        (changed(snapshots=[0]), "snapshots[0]: 0 is too small: at least 1 is needed"),
        (changed(snapshots=["50"]), "snapshots[0]: a whole number is needed, not '50'"),
        (changed(snapshots=[50, 351]), "snapshots: no method takes 351 iterations; drop it"),
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
        (
            changed(baseline="selfdebur"),
            "baseline: 'selfdebur' is none of the methods. Did you mean 'selfdeblur'?",
        ),
        (
            changed(only={"selfdebur": ["demo-real"]}),
            "only: 'selfdebur' matches none of the methods. Did you",
        ),
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
        (changed(profile="../x"), "profile: '../x' is not allowed as a name; begin"),
        (changed(snapshots_of=["vdip*"]), "snapshots_of: 'vdip*' matches none of the methods."),
        (changed(stand_ins={"reds125": "levin"}), "stand_ins.reds125: 'levin' is none of the datasets."),
        (
            changed(stand_ins={"reds12": "levin"}),
            "stand_ins: unknown dataset 'reds12'. Did you mean 'reds125'?",
        ),
        (
            changed(
                methods={"l0-grad@x-1e0": {}}, sweeps={"l0-grad@x": {"setting": "colour", "values": [1]}}
            ),
            "sweeps.l0-grad@x: 'l0-grad@x-1e0' is among the methods, too",
        ),
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


@pytest.mark.parametrize(("shard_size", "scored"), [(3, 4), (4, 3), (1, 2), (2, 1), (5, 200)])
def test_every_run_is_restored_scored_and_joined(monkeypatch, shard_size, scored):
    monkeypatch.setattr("benchmark.planning.plan.SCORED_PER_JOB", scored)
    config = changed(only={"oracle": ["demo-real"]}, snapshots=[350], seeds=[0, 1], shard_size=shard_size)
    plan = make_plan(config, "x.yaml")
    runs = list(plan.runs())
    assert len(runs) == len(set(runs)) == 2 * (3 * len(plan.methods) - 2)
    assert Run("demo-uniform", "oracle", 0) not in runs
    for shards in (plan.shards, plan.score_shards):
        restored = [
            (Run(part.dataset, method, part.seed), case)
            for method, of_method in shards.items()
            for shard in of_method
            for part in shard
            for case in part.cases
        ]
        assert len(restored) == len(set(restored)) == plan.restorations()
        assert {run for run, _ in restored} == set(runs)
    for method in plan.methods:
        for number, shard in enumerate(plan.score_shards[method]):
            assert plan.score_inputs(method, number) == plan.records(method, shard)
    files = plan.score_files("selfdeblur", 0)
    assert [str(path) for path in files] == [
        f"results/demo/{kind}/selfdeblur/0.csv" for kind in ("scores", "convergence")
    ]
    assert plan.score_files("blurry", 0) == [plan.store.scores_of("blurry", 0)]
    assert plan.joined_inputs() == [
        file
        for method, shards in plan.score_shards.items()
        for number in range(len(shards))
        for file in plan.score_files(method, number)
    ]
    assert plan.store.convergence in plan.joined


@pytest.mark.parametrize(
    ("most", "seeds", "snapshots", "together"),
    [
        (7, [0], [], [["blurry", "oracle", "l0-grad"], ["selfdeblur"]]),
        (6, [0, 1], [], [["blurry"], ["oracle"], ["l0-grad"], ["selfdeblur"]]),
        (20, [0], [], [["blurry", "oracle", "l0-grad", "selfdeblur"]]),
        (20, [0], [3], [["blurry", "oracle", "l0-grad"], ["selfdeblur"]]),  # snapshots take longer to score
        (1, [0], [], []),
    ],
)
def test_methods_with_few_restorations_share_a_job_that_scores_them(
    monkeypatch, most, seeds, snapshots, together
):
    monkeypatch.setattr("benchmark.planning.plan.SCORED_TOGETHER", most)
    methods = {"blurry": {}, "oracle": {}, "l0-grad": {}, "selfdeblur": {"iterations": 3}}
    config = changed(methods=methods, datasets=["demo-uniform"], seeds=seeds, snapshots=snapshots)
    plan = make_plan(config, "x.yaml")
    assert plan.scored_together == [group for group in together if len(group) > 1]
    steps = [step for step in plan.steps() if "scores" in step.outputs[0].parts]
    scored = [file for step in steps for file in step.outputs]
    assert sorted(scored) == sorted(plan.joined_inputs())
    for group in plan.scored_together:
        records = [file for method in group for file in plan.records(method)]
        scores = [plan.store.scores_of(method, 0) for method in group]
        assert Step(records, scores) in steps


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
