"""What the documents promise is there: files, rooms, tables, and examples that run."""

import ast
import io
import re
import tokenize

import pandas as pd
import pytest
import scipy
import yaml

from benchmark.tables.excerpts import filled, tables_of
from methods.parts import registry
from tests.conftest import ROOT
from tests.test_architecture import FLOORS

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs").glob("*.md"),
    ROOT / "config" / "README.md",
    ROOT / "datasets" / "README.md",
]
TEXT = {page: page.read_text() for page in PAGES}


def named(file, key):
    """The names that a YAML file of the papers defines."""
    return set(yaml.safe_load((ROOT / "benchmark" / file).read_text())[key])


FIGURES = named("figures/papers.yaml", "figures")
TABLES = named("tables/papers/tables.yaml", "tables") | named("tables/papers/claims.yaml", "tables")


def test_every_table_and_figure_of_a_paper_that_is_named_exists():
    for page, text in TEXT.items():
        for name in re.findall(r"\b(?:glkm|ufpnet|bid)-(?:(?:table|fig)\d+|claims\b(?!-|\.yaml))", text):
            assert name in TABLES | FIGURES, f"{page.name}: {name}"


def test_every_config_has_a_row_and_every_row_a_config():
    rows = set(re.findall(r"^\| (.*?) \|", TEXT[ROOT / "config" / "README.md"], re.MULTILINE))
    listed = {name for row in rows for name in re.findall(r"`([\w-]+\.yaml)`", row)}
    assert listed == {path.name for path in (ROOT / "config").glob("*.yaml")} - {
        "mine.yaml"
    }  # the user's own


SCORED = [(page.name, *table) for page, text in TEXT.items() for table in tables_of(text)]


@pytest.mark.parametrize(
    ("page", "table"), [row[:2] for row in SCORED], ids=[f"{row[0]}-{row[2]}" for row in SCORED]
)
def test_every_number_in_a_table_of_scores_is_the_one_that_ships(page, table):
    assert filled(table, ROOT) == table, f"run `blindbench fill` on {page}"


def test_every_table_of_scores_names_its_source():
    for page, text in TEXT.items():
        for line_before in re.findall(r"^(.*)\n\| Method +\| PSNR", text, re.MULTILINE):
            assert line_before.startswith("<!-- scores of "), f"{page.name}: {line_before}"


def test_every_method_has_a_row():
    text = TEXT[ROOT / "docs" / "methods.md"]
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    listed = {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
    assert set(registry.built_in()) <= listed


CHECKED = TEXT[ROOT / "docs" / "methods.md"].partition("## Checked against\n")[2].partition("\n## ")[0]
CHECKS = re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \| `(.*?)` \|$", CHECKED, re.MULTILINE)


def test_every_method_says_what_it_is_checked_against():
    named = {name for methods, *_ in CHECKS for name in re.findall(r"`([\w-]+)`", methods)}
    assert named == set(registry.built_in())


@pytest.mark.parametrize(("methods", "reference", "compared", "test"), CHECKS, ids=lambda cell: cell[-40:])
def test_every_check_of_a_method_is_a_test_with_these_reference_numbers(methods, reference, compared, test):
    path, _, name = test.partition("::")
    source = (ROOT / path).read_text()
    assert not name or f"def {name}(" in source
    if reference != "none":
        file = reference.strip("`")
        assert (ROOT / "tests" / "fixtures" / file).exists()
        assert f'"{file.removesuffix(".npz")}"' in source


def test_every_file_of_reference_numbers_is_read_by_a_test():
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for file in (ROOT / "tests" / "fixtures").glob("*.npz"):
        stem = re.sub("gan(31|75)_w8", "gan{size}_w8", file.stem)
        assert f'"{stem}"' in sources or f'f"{stem}"' in sources, f"no test reads {file.name}"


def test_the_map_names_every_room_from_the_ground_up():
    cells = re.findall(r"^\| (`.*?) \| .*\?", TEXT[ROOT / "CONTRIBUTING.md"], re.MULTILINE)
    order = [name.replace("/", ".") for cell in cells for name in re.findall(r"`([\w/]+?)`", cell)]
    rooms = [room for rooms in FLOORS for room in sorted(rooms)]
    assert {room for room in rooms if "." in room} <= set(order)
    floor = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    floors = [floor[room] for room in order if room in floor]
    assert floors == sorted(floors)


def test_every_file_named_in_the_contributing_page_exists():
    for name in re.findall(r"`((?:\w+/)+[\w.]+)`", TEXT[ROOT / "CONTRIBUTING.md"]):
        assert (ROOT / name).exists(), name


def test_the_example_in_python_runs():
    source = re.search(r"```python\n(.*?)```", TEXT[ROOT / "docs" / "python.md"], re.DOTALL).group(1)
    exec(compile(source, "python.md", "exec"), {})


def test_every_link_to_a_file_leads_somewhere():
    for page, text in TEXT.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_is_short():
    assert len(TEXT[ROOT / "README.md"].splitlines()) <= 120


def test_make_targets_shown_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", TEXT[ROOT / "README.md"], re.MULTILINE):
        assert re.search(rf"^[\w ]*\b{target}\b[\w ]*:", makefile, re.MULTILINE), target


DECIBELS = re.compile(r"\d\s?dB\b")
# Beside decibels in a comment: the file that has them, the paper's table, or the formula that gives them.
SOURCES = re.compile(r"docs/results/[\w-]+\.csv|results/reference|\bTable (\d|[IV])|log10")


def remarks(path):
    """The docstrings of a file without their examples, and its comments; lines in a row are one comment."""
    text = path.read_text()
    if path.suffix == ".py":
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
        yield from ((ast.get_docstring(node) or "").partition(">>>")[0] for node in nodes)
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    else:
        found = ((number, re.search(r"(^|\s)#.*", line)) for number, line in enumerate(text.splitlines()))
        comments = {number: match.group() for number, match in found if match}
    block = ""
    for number, comment in comments.items():
        if number - 1 not in comments:
            yield block
            block = ""
        block += f"{comment}\n"
    yield block


def without_source(path):
    """The comments and docstrings of a file with decibels that nothing shown can confirm."""
    return [text for text in remarks(path) if DECIBELS.search(text) and not SOURCES.search(text)]


REMARKED = [
    path
    for folder in ("benchmark", "methods", "config", "datasets", "workflow")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".yaml", ".smk") and path.name != "mine.yaml"
]


def test_decibels_in_comments_and_docstrings_have_a_source():
    assert len(REMARKED) > 100
    found = {path.relative_to(ROOT): without_source(path) for path in REMARKED}
    assert not {path: texts for path, texts in found.items() if texts}


def test_a_comment_with_decibels_and_no_source_is_noticed(tmp_path):
    python, config = tmp_path / "x.py", tmp_path / "x.yaml"
    python.write_text(
        '"""Gain 2.3 dB."""\nrate = 1  # 1 dB better\n\n# 0.2 dB, in\n# docs/results/demo.csv\n'
        'gain = "3 dB"\n\n\ndef f():\n    """Write a gain.\n\n    >>> f()\n    \'3 dB\'\n    """\n'
    )
    config.write_text("# ends 2.3 dB\n# above its input\nrate: 1\ncaption: 3 dB is the threshold\n")
    assert without_source(python) == ["Gain 2.3 dB.", "# 1 dB better\n"]
    assert without_source(config) == ["# ends 2.3 dB\n# above its input\n"]


def test_the_verdict_on_bfloat16_follows_from_its_rule():
    frame = pd.read_csv(ROOT / "docs/results/precision.csv")
    of = frame.pivot_table(index=["case", "seed"], columns="method", values="psnr")
    gain = of["selfdeblur@bfloat16"] - of["selfdeblur"]
    low, high = scipy.stats.t.interval(0.95, len(gain) - 1, gain.mean(), scipy.stats.sem(gain))
    assert len(gain) == 20
    assert low < -0.3  # so float32 is the default
    page = " ".join((ROOT / "docs/performance.md").read_text().split())
    assert f"bfloat16 is {gain.mean():.2f} dB better on average" in page
    assert f"the interval reaches from {low:.2f} to {high:.2f} dB" in page
