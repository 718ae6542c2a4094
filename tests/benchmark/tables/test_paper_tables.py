"""The papers' tables: every published number in its place, and nothing that is not in the numbers."""

import copy
import csv
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest

from benchmark.core.errors import InputError
from benchmark.core.schema import checked, read_yaml
from benchmark.scoring.csv_files import RUN_COLUMNS, SCORE_COLUMNS
from benchmark.scoring.protocols import PROTOCOLS
from benchmark.tables.paper_tables import FOLDER, define, paper_table, paper_tables
from benchmark.tables.sections import table_page
from benchmark.tables.summary import summary

NO_SCORES = pd.DataFrame(columns=list(SCORE_COLUMNS))
NO_RUNS = pd.DataFrame(columns=list(RUN_COLUMNS))
DOCUMENT = read_yaml(FOLDER / "tables.yaml")


def numbers(paper):
    with (FOLDER / DOCUMENT["papers"][paper]["numbers"]).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def unfilled(name):
    """The table without any score of ours."""
    return summary(paper_table(name), NO_SCORES, NO_RUNS)


def test_every_table_of_the_papers_is_there():
    expected = {f"glkm-table{i}" for i in range(1, 7)} | {f"ufpnet-table{i}" for i in range(1, 7)}
    assert set(paper_tables()) == expected | {f"bid-table{i}" for i in range(2, 5)}


@pytest.mark.parametrize("name", DOCUMENT["tables"])
def test_a_table_compiles_from_published_numbers_alone(name):
    definition = paper_table(name)
    table = unfilled(name)
    # Parameters and operations are counted, not scored.
    counted = table.metric.isin(["parameters-M", "macs-G"]) & table.method.isin(["mimo", "nafnet", "ufpnet"])
    assert (table["mean"].isna() == ~counted).all()
    # Each cell of ours says why it is empty, or its row is marked.
    assert ((table.note != "") == ((table.role != "published") & ~counted)).all()
    page = table_page(table, definition).markdown()
    tex = table_page(table, definition).latex("t")
    assert not re.search(r"\w\.\.\s", page)  # a sentence that ends with an abbreviation has one full stop
    for value in table.published[table.published != ""]:
        assert f" {value} " in page
        assert f" {value} " in tex
    assert tex.count("\\begin{tabular}") == page.count("\n## ") == len(definition.blocks)


def test_the_table_of_diffusion_methods_always_says_whose_the_rates_of_w_are():
    page = table_page(unfilled("glkm-table4"), paper_table("glkm-table4"))
    for text in (page.markdown(), page.latex("t")):
        for row in ("BIRD-GLKM", "BlindDPS-GLKM"):
            assert f"{row}: the paper's learning rate of w is not known here; ours was chosen on" in text


@pytest.mark.parametrize("name", DOCUMENT["tables"])
def test_every_printed_number_is_in_the_table_that_its_file_names(name):
    entry = DOCUMENT["tables"][name]
    printed = [row for row in numbers(entry["paper"]) if row["table"] == str(entry["number"])]
    table = unfilled(name)
    shown = sorted([*table.published, *table.published_deviation])
    assert [value for value in shown if value] == sorted(row["value"] for row in printed if row["value"])


def test_no_number_of_a_table_is_left_over():
    placed = {(table["paper"], str(table["number"])) for table in DOCUMENT["tables"].values()}
    counts = {}
    for paper in DOCUMENT["papers"]:
        for row in numbers(paper):
            is_number_of_a_table = (paper, row["table"]) in placed
            # The others are settings that the papers' text and captions state.
            assert is_number_of_a_table or row["metric"].startswith(("hyper:", "noise:"))
            counts[paper] = counts.get(paper, 0) + is_number_of_a_table
    assert counts == {"glkm": 906, "robust-bid": 264, "ufpnet": 250}


def test_published_numbers_stand_where_the_papers_have_them():
    def cell(name, block, row, column):
        return paper_table(name).published[block, row, column]

    assert cell("glkm-table1", "COCO-80 (coco80)", "DIP-GLKM", "PSNR").value == "24.25"
    assert cell("glkm-table2", "Average (lai)", "DIP", "PSNR").value == "19.31"
    assert cell("glkm-table6", "Average (lai-nonuniform)", "DIP-GLKM", "PSNR").value == "22.11"
    assert cell("ufpnet-table1", "RealBlur-J (realblur-j)", "UFPNet", "PSNR").value == "29.87"
    assert cell("ufpnet-table1", "Model size", "UFPNet", "Parameters, M").value == "80.3"
    assert cell("ufpnet-table6", "GoPro (gopro)", "NAFNet", "SSIM").value == "0.964"
    assert cell("bid-table4", "All 125 (reds125)", "lr_x=5e-5", "PSNR").value == "27.8"
    peak = cell("bid-table2", "Levin et al., low noise (levin-synth@gaussian-low)", "l1/l2", "PSNR")
    assert (peak.value, peak.deviation) == ("32.64", "0.69")


@pytest.mark.parametrize("name", ["ufpnet-table1", "ufpnet-table3", "ufpnet-table5"])
def test_columns_of_a_dataset_are_the_metrics_that_its_protocol_means(name):
    protocols = {
        "gopro": "gopro",
        "hide": "gopro",
        "realblur-r": "realblur-ecc",
        "realblur-j": "realblur-ecc",
    }
    blocks = [block for block in paper_table(name).blocks if block.dataset]
    assert len(blocks) >= 2
    for block in blocks:
        rules = PROTOCOLS[protocols[block.dataset]]
        assert [column.metric for column in block.columns] == [
            rules.metric(asked).name for asked in ("psnr", "ssim")
        ]


def test_averages_that_are_none_are_footnoted_and_no_others():
    """An average of five rounded numbers is off by the rounding, and where the paper erred by more."""
    for name in ("glkm-table2", "glkm-table6"):
        table = unfilled(name).astype({"published": float})
        average = table.block.str.startswith("Average")
        means = table[~average].groupby(["row", "column"]).published.mean()
        for cell in table[average].itertuples():
            rounding = {"PSNR": 0.01, "SSIM": 0.001, "LPIPS": 0.001}[cell.column]
            wrong = abs(cell.published - means[cell.row, cell.column]) > rounding + 1e-9
            assert wrong == ("not the mean of the five categories" in cell.published_note), cell


def test_misprints_are_footnoted():
    note = (
        paper_table("glkm-table5").published["COCO-80 (coco80-nonuniform)", "VDIP-Extreme-GLKM", "SSIM"].note
    )
    assert "probably a misprint" in note
    assert any("Std, Sparse, Extreme" in note for note in paper_table("glkm-table6").notes)


def test_a_remark_on_a_whole_row_is_said_once():
    definition = paper_table("glkm-table2")
    assert sum(note.count("DIP: printed as DIP [25]") for note in definition.notes) == 1
    assert not any("printed as DIP" in number.note for number in definition.published.values())


def test_an_unknown_table_is_named_with_a_hint():
    with pytest.raises(InputError, match=r"unknown table 'glkm-tabel1'\. Did you mean 'glkm-table1'\?"):
        paper_table("glkm-tabel1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table["blocks"].pop(), "the numbers of ImageNet, motion-0.5-256 have 0 blocks"),
        (lambda table: table["blocks"].append(table["blocks"][0]), "have 2 blocks"),
        (lambda table: table["metrics"].pop("LPIPS"), "metrics: 'LPIPS' is missing"),
        (lambda table: table.update(methods={"DPI": "x"}),
         "methods: 'DPI' is not among the published numbers. Did you mean 'DIP'?"),
        (lambda table: table.update(notes=[{"row": "DPI", "text": "x"}]), "notes: 'DPI' is not among"),
    ],
)  # fmt: skip
def test_a_definition_that_does_not_fit_the_numbers_is_refused(change, message):
    document = copy.deepcopy(DOCUMENT)
    change(document["tables"]["glkm-table4"])
    with pytest.raises(InputError) as caught:
        define("glkm-table4", document, FOLDER)
    assert message in str(caught.value)


def test_a_misspelt_key_of_a_definition_is_named():
    document = copy.deepcopy(DOCUMENT)
    document["tables"]["glkm-table1"]["note"] = []
    with pytest.raises(InputError, match=r"unknown key 'note'\. Did you mean 'notes'\?"):
        checked(document, "papers", "tables.yaml")


def ufpnet_scores(weights, metric):
    """Scores and runs of GoPro's first case; `weights` maps methods to the labels of their weights."""
    scores = [
        ("gopro", "g", "c", method, 0, "gopro", metric, 30.0 + place, "")
        for place, method in enumerate(weights)
    ]
    runs = [("gopro", "c", method, 0, "ok", "", label) for method, label in weights.items()]
    columns = ["dataset", "case", "method", "seed", "status", "reason", "weights"]
    return pd.DataFrame(scores, columns=list(SCORE_COLUMNS)), pd.DataFrame(runs, columns=columns)


OFFICIAL = "ufpnet-19 official"
DEMO = "ufpnet-15 demo (16 channels, 12 blocks, 1,000 steps)"
LONGER = "ufpnet-15 demo (16 channels, 12 blocks, 5,529 steps)"
OURS = "mimo-ufp-19 (32 channels, 120 blocks, 9 steps)"


@pytest.mark.parametrize(
    ("name", "weights", "left_out"),
    [
        ("ufpnet-table5", {"ufpnet@flow": DEMO, "ufpnet": OFFICIAL}, {"ufpnet@flow"}),
        ("ufpnet-table5", {"nafnet": "nafnet official", "ufpnet": OFFICIAL}, set()),
        ("ufpnet-table4", {"ufpnet@softmax": DEMO, "ufpnet": LONGER}, {"ufpnet@softmax"}),
        ("ufpnet-table4", {"ufpnet@softmax": DEMO, "ufpnet@flow": DEMO, "ufpnet": DEMO}, set()),
        ("ufpnet-table4", {"ufpnet@softmax": LONGER, "ufpnet@flow": DEMO}, {"ufpnet@softmax"}),
        ("ufpnet-table6", {"mimo": "mimo official", "mimo-ufp": OURS, "ufpnet": OFFICIAL}, {"mimo"}),
    ],
)
def test_rows_of_an_ablation_have_weights_of_one_training_or_stay_empty(name, weights, left_out):
    metric = "reblur-psnr" if name == "ufpnet-table4" else "psnr"
    scores, runs = ufpnet_scores(weights, metric)
    table = summary(paper_table(name), scores, runs)
    cells = table[table.block.str.startswith("GoPro") & (table.metric == metric)].set_index("method")
    page = table_page(table, paper_table(name)).markdown()
    for method, label in weights.items():
        if method in left_out:
            assert np.isnan(cells["mean"][method])
            assert cells.cases[method] == 0
            assert cells.note[method].startswith(f"left out: {label} differs in size or training from ")
            assert cells["rank"][method] == ""
            assert f"left out: {label}" in page
        else:
            assert cells["mean"][method] >= 30
            assert cells.weights[method] == label
            assert f"with the weights {label}" in page


def test_kernels_of_whyte_are_published_only():
    for name in ("ufpnet-table4", "ufpnet-table5"):
        definition = paper_table(name)
        (row,) = [row for row in definition.rows if row.title == "Whyte12"]
        assert row.method is None
        page = table_page(unfilled(name), definition).markdown()
        assert re.search(r"\| Whyte12 † *\|", page)
        assert "Whyte12 is published only" in page


def test_a_row_of_an_ablation_that_is_misspelt_is_named():
    document = copy.deepcopy(DOCUMENT)
    document["tables"]["ufpnet-table4"]["ablations"] = [["KE-Net baseline", "KE-Net + flow priors"]]
    with pytest.raises(InputError, match=r"ablations: 'KE-Net \+ flow priors' is not among"):
        define("ufpnet-table4", document, FOLDER)
