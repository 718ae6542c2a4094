"""The papers' figures: what their definitions say, what a profile can show of them, that they are drawn."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from benchmark.core.errors import InputError
from benchmark.core.schema import checked, read_yaml
from benchmark.core.types import Restoration, Status
from benchmark.data.cases import make_case
from benchmark.data.descriptors import MIRROR, find_dataset
from benchmark.data.synthesis import observe
from benchmark.figures import comparisons, drawing, image_grids, iteration_plots, training_sheets
from benchmark.figures.comparisons import detail_window
from benchmark.figures.definition import Content, Drawing, FirstCases
from benchmark.figures.drawing import draw
from benchmark.figures.kinds import read_scores
from benchmark.figures.layout import caption
from benchmark.figures.paper_figures import paper_figure, paper_figures
from benchmark.figures.training_sheets import find_sheets
from benchmark.planning.config import make_plan
from benchmark.runs.shards import Part
from benchmark.runs.store import Store, write_restoration
from benchmark.scoring.alignment import BORDER
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, SCORE_COLUMNS, write_frame
from benchmark.scoring.metrics import METRICS
from benchmark.tables.paper_tables import paper_table
from methods.parts import registry
from tests.conftest import ROOT

DOCUMENT = read_yaml(ROOT / "benchmark" / "figures" / "papers.yaml")
DEMO = read_yaml(ROOT / "config" / "demo.yaml")
ANYWHERE = {
    key: value for key, value in DEMO.items() if key != "only"
}  # the demo's methods on other datasets
# The subject of a figure, as the paper's own text names it: its dataset, or words of its title.
SUBJECTS = {
    # GLKM: section I (Figure 1) and section VI, where each figure stands with the table of its dataset.
    "glkm-fig1": "initial kernel",
    "glkm-fig3": "Boundary artefacts of non-uniform deblurring",  # section V-B
    "glkm-fig4": "coco80",
    "glkm-fig5": "lai",
    "glkm-fig6": "lai-real",
    "glkm-fig7": "afhq-dog",
    "glkm-fig8": "celebahq",
    "glkm-fig9": "imagenet",
    "glkm-fig10": "coco80-nonuniform",
    "glkm-fig11": "lai-nonuniform",
    # UFPNet: the captions of its figures.
    "ufpnet-fig1": "realblur-j",
    "ufpnet-fig2": "Simulated kernels",
    "ufpnet-fig4": "gopro",
    "ufpnet-fig5": "hide",
    "ufpnet-fig6": "realblur-j",
    # Robust BID: the captions of its figures.
    "bid-fig2": "true and their specified sizes",
    "bid-fig3": "realistic noise",
    "bid-fig7": "larger than the observation",
    "bid-fig15": "SelfDeblur overfits",  # equation (7)
    "bid-fig26": "base gap",
    "bid-fig27": "How frames are selected",
}
GLKM = [f"glkm-fig{number}" for number in (1, 3, 4, 5, 6, 7, 8, 9, 10, 11)]
OF_SCORES = [f"bid-fig{number}" for number in (15, 16, 19, 20, 21, 22, 23, 24, 26)] + ["bid-early-stopping"]
OF_IMAGES = [f"bid-fig{number}" for number in (1, 4, 5, 8, 9, 11, 13, 14, 25, 28, 29, 30, 31, 32)]
OF_DATA = [f"bid-fig{number}" for number in (2, 3, 7, 27)]
WITHOUT_METHODS = [f"bid-fig{number}" for number in (6, 10, 12)]
UFPNET = [f"ufpnet-fig{number}" for number in (1, 2, 4, 5, 6)]
OWN = ["glkm-initializer", "ufpnet-kernel-fields", "ufpnet-kernel-forms"]
NAMES = [*GLKM, *UFPNET, *OF_SCORES, *OF_IMAGES, *OF_DATA, *WITHOUT_METHODS, *OWN]


def named(figure):
    """All datasets that a figure of images names, with their cases."""
    return {dataset: cases for wanted in figure.cases for dataset, cases in wanted.items()}


def test_every_figure_is_there_and_its_number_is_the_papers():
    assert sorted(paper_figures()) == sorted(NAMES)
    for name in NAMES:
        of_paper, _, number = name.partition("-fig")
        title = paper_figure(name).title
        assert bool(number) == (f", Figure {number}: " in title)
        assert not number or title.startswith(
            {"glkm": "Generative Latent", "ufpnet": "Self-supervised", "bid": "Blind Image"}[of_paper]
        )


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_figure_shows_what_the_papers_figure_of_its_number_shows(name):
    figure, subject = paper_figure(name), SUBJECTS[name]
    datasets = [*named(figure), *(dataset for shown in figure.conditions for dataset in shown.values())]
    assert subject in figure.title or subject == next(iter(datasets))
    assert "inferred" not in figure.caption


@pytest.mark.parametrize("name", [*UFPNET, *OWN])
def test_datasets_of_the_other_figures_are_there(name):
    for dataset in named(paper_figure(name)):
        find_dataset(dataset)


def test_the_first_cases_of_some_groups():
    cases = {"a1": "a", "a2": "a", "b1": "b", "c1": "c", "b2": "b"}
    assert FirstCases(2).choose_from(cases) == ["a1", "a2"]
    assert FirstCases(1, ("c", "a")).choose_from(cases) == ["c1", "a1"]
    assert FirstCases(2, 2).choose_from(cases) == ["a1", "a2", "b1", "b2"]


@pytest.mark.parametrize("name", GLKM)
def test_every_dataset_shown_is_of_the_figures_table_or_the_demo(name):
    of_table = paper_table(DOCUMENT["figures"][name]["table"]).datasets
    for dataset in named(paper_figure(name)):
        assert dataset in of_table or dataset.startswith("demo-")
        find_dataset(dataset)


@pytest.mark.parametrize("name", [*OF_SCORES, *OF_IMAGES, *OF_DATA, *WITHOUT_METHODS])
def test_what_a_figure_of_the_other_paper_names_is_there(name):
    figure = paper_figure(name)
    assert set(figure.metrics) <= set(METRICS)
    for dataset, cases in named(figure).items():
        if isinstance(cases, FirstCases):  # of a user's list
            find_dataset(dataset)
        else:
            assert set(cases) <= set(find_dataset(dataset).case_ids)
    for conditions in figure.conditions:
        for dataset in conditions.values():
            find_dataset(dataset)
    in_use = [method for method in figure.methods if method.partition("@")[0] in registry.built_in()]
    assert bool(in_use) == (name not in [*OF_DATA, *WITHOUT_METHODS])


def test_cases_of_a_users_list_are_taken_by_their_scenario(monkeypatch, tmp_path):
    folder = tmp_path / "data" / "reds125"
    folder.mkdir(parents=True)
    lines = [f"s{number % 5 + 1},photo{number},blurry.png,sharp.png" for number in range(125)]
    (folder / "manifest.csv").write_text("\n".join(["group,id,blurry,sharp", *lines]))
    for name in ("blurry.png", "sharp.png"):
        (tmp_path / "data" / name).touch()
    monkeypatch.setenv(MIRROR, str(tmp_path))
    plan = make_plan({**ANYWHERE, "datasets": ["reds125", "demo-real"]}, "x.yaml")
    first = {"reds125": [f"photo{number}" for number in range(5)]}
    assert plan.figures["bid-fig1"].cases == first
    assert plan.figures["bid-fig29"].cases == {
        "reds125": ["photo1", "photo6", "photo11", "photo16", "photo21"]
    }


def test_without_such_a_list_the_demos_photograph_stands_in_and_the_reason_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv(MIRROR, str(tmp_path))
    plan = make_plan({**ANYWHERE, "datasets": ["reds125", "demo-real"]}, "x.yaml")
    shown = plan.figures["bid-fig28"]
    assert shown.cases == {"demo-real": ["clock"]}
    assert shown.notes[0].startswith("reds125 is left out: ")
    assert shown.notes[0].endswith("manifest.csv: no such file")
    assert "is not public" in paper_figure("bid-fig28").caption


@pytest.mark.parametrize("name", WITHOUT_METHODS)
def test_figures_that_need_no_restoration_are_drawn(store, tmp_path, name):
    figure = replace(paper_figure(name), options={"steps": 4})
    cases = {} if figure.kind.name == "landscape" else {"demo-uniform": ["astronaut"]}
    assert draw(figure, store, Content(cases, [], [0], "", {}), "A note.", [], tmp_path / "x") == []
    assert pixels(tmp_path / "x.png").std() > 5


def test_a_figure_of_kernel_models_needs_a_true_kernel(store, tmp_path):
    with pytest.raises(InputError, match="demo-real/clock: no sharp image or no true kernel is known"):
        draw(paper_figure("bid-fig12"), store, shown("demo-real", ["clock"]), "", [], tmp_path / "x")


def test_the_first_conditions_that_a_profile_has_are_shown():
    datasets = ["demo-uniform", "demo-uniform@size-level-3"]
    shown = make_plan({**ANYWHERE, "datasets": datasets, "seeds": [1, 2]}, "x.yaml").figures["bid-fig19"]
    assert shown.conditions == {"level 1": datasets[0], "level 3": datasets[1]}
    assert shown.seeds == [1, 2]
    why = "are left out: not among the config's datasets"
    levels = ", ".join(f"levin-synth@size-level-{level}" for level in (2, 3))
    assert f"levin-synth, {levels} and 6 more {why}" in shown.notes  # 2 of Levin et al., 4 of the demo
    assert shown.notes[0].startswith("Methods that did not run: l0-dark")
    nothing = make_plan({**ANYWHERE, "datasets": ["demo-real"]}, "x.yaml").figures["bid-fig19"]
    assert nothing.conditions == {}


@pytest.mark.parametrize("name", ["bid-fig19", "bid-fig23"])
def test_scores_are_drawn_as_the_profile_has_them(store, tmp_path, name):
    figure = paper_figure(name)
    rng = np.random.default_rng(0)
    rows = [
        (dataset, "g", case, method, seed, "shift-rgb", metric, rng.random(), "")
        for dataset in ("one", "two")
        for case in ("a", "b", "c")
        for method in ("selfdeblur", "blurry")
        for seed in (0, 1)
        for metric in ("psnr", "lpips-alex", "niqe")
    ]
    scores = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    scores.loc[3, "value"] = np.nan
    write_frame(scores, store.root / "scores.csv")
    drawn = Content({}, ["blurry", "selfdeblur"], [0, 1], "", {}, {"1": "one", "5": "two"})
    for out in ("one", "two"):
        assert draw(figure, store, drawn, "", [], tmp_path / out) == []
    assert pixels(tmp_path / "one.png").std() > 5
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    collected = read_scores(Drawing(figure, store, drawn, "", "", tmp_path))
    assert list(collected.metric.unique()) == ["psnr", "lpips-alex"]
    assert list(collected.method.unique()) == ["blurry", "selfdeblur"]
    said = draw(figure, store, replace(drawn, methods=[]), "", [], tmp_path / "x")
    assert said == ["none of its methods is in this profile"]
    said = draw(figure, store, replace(drawn, conditions={}), "", [], tmp_path / "x")
    assert said == ["none of its datasets is here"]


def first_of_each_group(dataset, group):
    found = {}
    for case in dataset.case_ids:
        found.setdefault(group(case), case)
    return list(found.values())


def test_cases_are_the_first_of_each_group():
    for name in ("lai", "lai-nonuniform"):
        dataset = find_dataset(name)
        expected = first_of_each_group(dataset, lambda case: case.partition("_")[0])
        figure = "glkm-fig5" if name == "lai" else "glkm-fig11"
        assert named(paper_figure(figure))[name] == expected
    sizes = find_dataset("lai-real").content["files"]["declared_sizes"]
    assert named(paper_figure("glkm-fig6"))["lai-real"] == [ids[0] for ids in sizes.values()]
    assert named(paper_figure("glkm-fig4"))["coco80"] == find_dataset("coco80").case_ids[:4]
    for name in GLKM:
        for dataset, cases in named(paper_figure(name)).items():
            if dataset.startswith("demo-"):
                ids = find_dataset(dataset).case_ids
                assert cases == (ids[:1] if name == "glkm-fig3" else ids)


@pytest.mark.parametrize("name", ["bid-fig15", "bid-fig16", "bid-fig26"])
def test_runs_are_drawn_with_what_stopping_returned(store, tmp_path, name):
    figure = paper_figure(name)
    method, rng = figure.methods[0], np.random.default_rng(0)
    rows = [
        ("one", "g", case, method, 0, iteration, iteration == 20, 1.0, "shift-rgb", metric, rng.random())
        for case in ("a", "b")
        for metric in figure.metrics
        for iteration in (10, 20, 30)
    ]
    write_frame(pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS)), store.root / "convergence.csv")
    drawn = Content({}, [method], [0], "", {}, {"noise": "one"})
    assert draw(figure, store, drawn, "", [], tmp_path / "x") == []
    assert pixels(tmp_path / "x.png").std() > 5
    said = draw(figure, store, replace(drawn, conditions={"noise": "two"}), "", [], tmp_path / "y")
    assert said == ["convergence.csv has no score of them"]


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("bid-fig15", ["PSNR, dB ↑", "Kernel PSNR, dB ↑"]),
        ("bid-fig16", ["PSNR, dB ↑", "Kernel PSNR, dB ↑"]),
        ("bid-fig26", ["PSNR, dB", "SSIM", "VIF", "LPIPS (AlexNet)"]),
    ],
)
def test_figures_of_runs_show_the_papers_metrics(store, tmp_path, monkeypatch, name, metrics):
    figure, drawn = paper_figure(name), []
    monkeypatch.setattr(iteration_plots, "save", lambda figure, out: drawn.append(figure))
    rows = [
        ("one", "g", case, figure.methods[0], 0, step, step == 20, 1.0, "shift-rgb", metric, value)
        for case, best in (("a", 3.0), ("b", 5.0), ("c", 4.0))
        for metric in figure.metrics
        for step, value in ((10, 1.0), (20, best), (30, 2.0))
    ]
    write_frame(pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS)), store.root / "convergence.csv")
    content = Content({}, [figure.methods[0]], [0], "", {}, {"noise": "one"})
    assert draw(figure, store, content, "", [], tmp_path / "x") == []
    axes = [axis for axis in drawn[0].axes if axis.get_title(loc="left")]
    if name == "bid-fig26":
        assert [axis.get_xlabel() for axis in axes] == [f"Gap of {metric}" for metric in metrics]
        es, base = axes[0].containers  # a bar per bin: all three results are the best iteration
        assert [sum(bar.get_height() for bar in bars) for bars in (es, base)] == [3, 3]
        assert es[0].get_height() == 3
        assert base[0].get_height() == 0
    else:
        assert [axis.get_ylabel() for axis in axes] == [metric for metric in metrics for _ in range(3)]
        line, dot = axes[0].lines
        assert list(line.get_ydata()) == [1, 3, 2]
        assert list(dot.get_xdata()) == [20]


def test_runs_need_estimates_on_the_way():
    shown = make_plan(DEMO, "demo.yaml").figures["bid-fig26"]
    assert shown.conditions == {}
    assert "It needs the estimates of some iterations: put `snapshots` into the config" in shown.notes


def test_rows_of_a_figure_are_rows_of_its_table():
    assert paper_figure("glkm-fig1").methods == ["selfdeblur", "dip-glkm"]
    assert paper_figure("glkm-fig4").methods[0] == "l0-grad"  # once, though two rows of the table are
    assert len(set(paper_figure("glkm-fig4").methods)) == len(paper_figure("glkm-fig4").methods)


def test_unknown_names_get_a_hint():
    with pytest.raises(InputError, match=r"unknown figure 'glkm-fgi4'\. Did you mean 'glkm-fig4'\?"):
        paper_figure("glkm-fgi4")
    with pytest.raises(InputError, match=r"x.yaml: unknown figure 'glkm-fig2'\. Did you mean"):
        make_plan({**DEMO, "paper_figures": ["glkm-fig2"]}, "x.yaml")


def test_a_misspelt_key_of_a_definition_is_named():
    document = copy.deepcopy(DOCUMENT)
    document["figures"]["glkm-fig4"]["case"] = {}
    with pytest.raises(InputError, match=r"unknown key 'case'\. Did you mean 'cases'\?"):
        checked(document, "figures", "figures.yaml")


def test_the_demo_stands_in_and_says_what_is_left_out():
    shown = make_plan(DEMO, "demo.yaml").figures["glkm-fig4"]
    assert (shown.cases, shown.seeds) == ({"demo-uniform": ["camera", "astronaut"]}, [0])
    assert shown.methods == [
        "l0-grad",
        "selfdeblur@quick",
        "dip-glkm@quick",
    ]  # for want of the methods themselves
    assert shown.notes[0] == "coco80 is left out: not among the config's datasets"
    assert shown.notes[1] == "Methods that did not run: l0-robust, l0-dark, vdip-std and 5 more"


def test_a_preset_stands_in_only_where_its_method_does_not_run():
    methods = {**DEMO["methods"], "selfdeblur": {"iterations": 350}}
    shown = make_plan({**DEMO, "methods": methods}, "x.yaml").figures["glkm-fig4"]
    assert shown.methods == ["l0-grad", "selfdeblur", "dip-glkm@quick"]


def test_only_the_shards_of_its_cases_and_the_seeds_of_a_spread_are_needed(monkeypatch, tmp_path):
    config = {**DEMO, "seeds": [3, 4], "shard_size": 1, "cases": {"demo-uniform": ["astronaut"]}}
    plan = make_plan(config, "x.yaml")
    assert plan.figures["glkm-fig4"].seeds == [3]
    assert plan.figures["glkm-fig1"].seeds == [3, 4]
    assert plan.figures["glkm-fig4"].cases == {"demo-uniform": ["astronaut"]}
    assert (
        "demo-uniform: left out, as the config does not select them: camera"
        in plan.figures["glkm-fig4"].notes
    )
    whole = make_plan({**DEMO, "shard_size": 1}, "demo.yaml")
    wanted = [Part("demo-uniform", 0, ["astronaut"])]
    assert [path.name for path in whole.records("selfdeblur@quick", wanted)] == ["1.json"]
    monkeypatch.setenv(MIRROR, str(tmp_path))
    nothing = make_plan({**ANYWHERE, "datasets": ["lai"]}, "x.yaml").figures["glkm-fig5"]
    assert nothing.cases == {}
    assert nothing.notes[0].startswith("lai is left out: 129 of 129 files are missing")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two methods' restorations of the demo's astronaut; the second has none of its own."""
    store = Store(tmp_path_factory.mktemp("results") / "demo")
    for name, case in (("demo-uniform", "astronaut"), ("demo-real", "clock")):
        observation, truth = observe(make_case(find_dataset(name), case, 0), 0)
        store.write_observation(observation, truth)
        for seed in (0, 1):
            image = np.clip(observation.blurry + 0.01 * seed, 0, 1)
            done = Restoration(Status.OK, image=image, kernels=truth.kernels, iterations=3)
            write_restoration(store.case_folder(name, "selfdeblur", seed, case), done, {})
        declined = Restoration(Status.NOT_SUPPORTED, reason="no")
        write_restoration(store.case_folder(name, "l0-grad", 0, case), declined, {})
    return store


def shown(dataset="demo-uniform", cases=("astronaut",), methods=("l0-grad", "selfdeblur"), seeds=(0,)):
    protocol = "plain" if dataset == "demo-real" else "shift-rgb"
    return Content({dataset: list(cases)} if cases else {}, list(methods), list(seeds), protocol, {})


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(("name", "dataset", "case"), [
    ("glkm-fig4", "demo-uniform", "astronaut"), ("glkm-fig6", "demo-real", "clock")
])  # fmt: skip
def test_a_comparison_is_drawn_and_names_a_method_without_an_image(store, tmp_path, name, dataset, case):
    for out in ("one", "two"):
        said = draw(paper_figure(name), store, shown(dataset, [case]), "A note.", [], tmp_path / out)
    assert said == ["No image of these cases by l0-grad"]
    drawn = pixels(tmp_path / "one.png")
    assert drawn.std() > 20
    # Colours of the photograph: it is no page of text.
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 100
    for suffix in (".png", ".pdf"):
        first, second = ((tmp_path / out).with_suffix(suffix).read_bytes() for out in ("one", "two"))
        assert first == second


@pytest.mark.parametrize(("dataset", "case"), [("demo-uniform", "astronaut"), ("demo-real", "clock")])
def test_the_protocol_is_named_where_there_is_a_sharp_image(store, tmp_path, monkeypatch, dataset, case):
    texts = []
    monkeypatch.setattr(image_grids, "caption", lambda figure, text: texts.append(text))
    draw(paper_figure("glkm-fig6"), store, shown(dataset, [case]), "", [], tmp_path / "x")
    assert ("by protocol" in texts[0]) == (dataset == "demo-uniform")


def test_kernels_are_drawn_where_they_belong(store, tmp_path):
    field = np.zeros((4, 5, 3, 3), np.float32)
    field[:, :, 1, 1] = 1
    image = store.read_observation("demo-uniform", "astronaut").blurry
    found = Restoration(Status.OK, image=image, kernel_field=field)
    write_restoration(store.case_folder("demo-uniform", "ufpnet", 0, "astronaut"), found, {})
    figure, cases = paper_figure("ufpnet-kernel-fields"), ("astronaut",)
    without = shown("demo-uniform", cases, ("l0-grad",))
    assert not draw(figure, store, shown("demo-uniform", cases, ("ufpnet",)), "text", [], tmp_path / "with")
    assert pixels(tmp_path / "with.png").std() > 0.05
    draw(figure, store, without, "text", [], tmp_path / "without")
    assert not np.array_equal(pixels(tmp_path / "with.png"), pixels(tmp_path / "without.png"))


def test_a_comparison_may_show_several_datasets(store, tmp_path):
    both = replace(shown(), cases={"demo-uniform": ["astronaut"], "demo-real": ["clock"]})
    for out, what in (("one", shown()), ("both", both)):
        draw(paper_figure("glkm-fig4"), store, what, "", [], tmp_path / out)
    one, two = (pixels(tmp_path / f"{out}.png") for out in ("one", "both"))
    assert two.shape[0] > 1.5 * one.shape[0]


def test_what_is_not_shown_ends_the_caption(store, tmp_path, monkeypatch):
    texts = []
    monkeypatch.setattr(image_grids, "caption", lambda figure, text: texts.append(text))
    draw(paper_figure("glkm-fig4"), store, shown(), "A note.", ["coco80 is left out: why"], tmp_path / "x")
    assert "Shown here: demo-uniform, seed 0; PSNR by protocol shift-rgb. The cases are" in texts[0]
    rule = f"A note. {comparisons.DETAIL_RULE}. "
    assert texts[0].endswith(f"{rule}coco80 is left out: why. No image of these cases by l0-grad.")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("glkm-fig1", {"methods": ["selfdeblur"]}, "one seed has no spread; put config/three-seeds.yaml"),
        ("bid-fig3", {}, "it compares conditions, and only demo-uniform is here"),
        ("bid-fig27", {}, "it selects among the frames of a scene, and each scene here has one"),
    ],
)
def test_what_makes_no_figure_is_refused_in_one_sentence(store, tmp_path, monkeypatch, name, content, why):
    texts = []
    monkeypatch.setattr(drawing, "text_figure", lambda text, out: texts.append(text))
    figure = paper_figure(name)
    (said,) = draw(figure, store, shown(**content), "A note.", ["left out"], tmp_path / "x")
    assert said.startswith(why)
    assert texts == [f"{figure.title}: {said}."]


def test_conditions_need_two_of_them(store, tmp_path):
    rows = [("one", "g", "a", "blurry", 0, "shift-rgb", "psnr", 20.0, "")]
    write_frame(pd.DataFrame(rows, columns=list(SCORE_COLUMNS)), store.root / "scores.csv")
    content = Content({}, ["blurry"], [0], "", {}, {"1": "one"})
    said = draw(paper_figure("bid-fig19"), store, content, "", [], tmp_path / "x")
    assert said == ["it compares conditions, and only one is here"]


def test_the_weights_behind_restorations_are_found(store):
    cases = {"demo-uniform": ["astronaut"]}
    assert store.weights_behind(cases, ["selfdeblur", "l0-grad", "nothing"], 0) == {}
    folder = store.case_folder("demo-uniform", "dip-glkm", 0, "astronaut")
    done = Restoration(Status.OK, image=np.zeros((3, 40, 40), np.float32), weights="nets-31 demo")
    write_restoration(folder, done, {})
    assert store.weights_behind(cases, ["selfdeblur", "dip-glkm"], 0) == {"dip-glkm": "nets-31 demo"}


def test_a_spread_over_seeds_is_drawn(store, tmp_path):
    figure = paper_figure("glkm-fig1")
    assert draw(figure, store, shown(methods=["selfdeblur"], seeds=[0, 1]), "", [], tmp_path / "x") == []
    assert pixels(tmp_path / "x.png").std() > 5


def test_a_figure_without_anything_to_show_says_why(store, tmp_path):
    said = draw(paper_figure("glkm-fig5"), store, shown("", [], []), "A note.", [], tmp_path / "x")
    assert said == ["none of its datasets is here"]
    assert pixels(tmp_path / "x.png").std() > 1
    said = draw(paper_figure("glkm-fig1"), store, shown(methods=[]), "", [], tmp_path / "y")
    assert said == ["none of its methods is in this profile"]


def test_the_sheets_of_a_pre_training_are_drawn_the_profiles_own_first(store, tmp_path, monkeypatch):
    figure = paper_figure("glkm-initializer")
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(training_sheets, "SHIPPED", shipped)
    said = draw(figure, store, shown("", [], []), "", [], tmp_path / "x")
    assert said[0].startswith("there is no initializer-*.png in ")

    def folders():
        return [path.parent for path in find_sheets(figure.sheets, store.root)]

    for folder in (shipped, store.root.parent / "pretrain", store.root / "pretrain"):
        folder.mkdir()
        noise = np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "initializer-31.png")
        assert folder not in [
            path.parent for path in find_sheets(figure.sheets, store.root)
        ]  # not finished yet
        (folder / "initializer-31.json").write_text('{"label": "glkm-fast-31 demo"}')
        assert folders() == [folder]
    assert draw(figure, store, shown("", [], []), "", [], tmp_path / "x") == []
    assert pixels(tmp_path / "x.png").std() > 20


@pytest.mark.parametrize("record", ["no JSON", "[]", '{"title": "without a label"}'])
def test_a_damaged_record_of_a_training_is_named(tmp_path, record):
    Image.new("L", (40, 90)).save(tmp_path / "decoder-31.png")
    (tmp_path / "decoder-31.json").write_text(record)
    with pytest.raises(InputError, match=r"decoder-31\.json: .*; delete it and train again"):
        training_sheets.training_sheets([tmp_path / "decoder-31.png"], "", tmp_path / "x")


def test_the_detail_is_the_square_of_strongest_gradients_off_the_border():
    image = np.full((3, 120, 160), 0.5, np.float32)
    image[:, 60:80, 100:120] = np.random.default_rng(0).random((3, 20, 20))
    image[:, :8, :8] = np.random.default_rng(1).random((3, 8, 8)) * 3  # stronger, in the border
    top, left, side = detail_window(image)
    assert side == 30
    assert top <= 60
    assert top + side >= 80
    assert left <= 100
    assert left + side >= 120
    flat = detail_window(np.full((1, 120, 160), 0.5, np.float32))
    assert flat == (BORDER, BORDER, 30)
    assert detail_window(np.zeros((1, 20, 26), np.float32)) == (0, 0, 20)


def test_a_caption_of_long_words_stays_inside_the_figure():
    figure = Figure(figsize=(5, 1), layout="constrained")
    caption(figure, ", ".join(["demo-uniform@gaussian-high@declared-17"] * 9))
    (words,) = figure.texts
    extent = words.get_window_extent()
    assert extent.x1 <= figure.bbox.x1
    assert extent.height < figure.bbox.height - 1 * figure.dpi  # the panels keep their inch
