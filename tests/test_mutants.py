"""The config of `make mutants` names files and lines that there are."""

import yaml

from tests.conftest import ROOT

CONFIG = yaml.safe_load((ROOT / "tests" / "mutants.yaml").read_text())


def test_modules_and_their_tests_exist():
    entries = [*CONFIG["modules"].values(), *CONFIG["named"]]
    for name in {name for entry in entries for name in entry["tests"]} | set(CONFIG["always"]):
        assert (ROOT / "tests" / "methods" / name).exists(), name
    for module in [*CONFIG["modules"], *CONFIG["fields"]]:
        assert (ROOT / module).exists(), module


def test_named_mutations_apply_to_one_place_each():
    for entry in CONFIG["named"]:
        assert (ROOT / entry["file"]).read_text().count(entry["line"]) == 1, entry["what"]


def test_harmless_mutants_are_of_lines_that_there_are():
    for module, reasons in CONFIG["harmless"].items():
        lines = {line.strip() for line in (ROOT / module).read_text().splitlines()}
        for mutant, why in reasons.items():
            assert mutant.split(" -> ")[0] in lines, f"{module}: {mutant}"
            assert len(why) > 10
