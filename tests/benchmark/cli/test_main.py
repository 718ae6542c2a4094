"""The command line as a whole."""

import re
import subprocess
import sys

import pytest
import typer.main

from benchmark.cli.main import GROUPS, STEPS, app
from benchmark.core.resources import version
from tests.benchmark.cli.conftest import assert_refused
from tests.conftest import ROOT

VERBS = typer.main.get_command(app).commands


def test_help_groups_the_verbs_and_cuts_no_summary(blindbench, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    page = blindbench("--help")[1]
    titles = re.findall(r"─ ([A-Z][^─]*) ─", page)
    assert titles == ["Options", *GROUPS, STEPS]
    assert "..." not in page.partition("─ Deblur")[2]
    words = " ".join(re.sub("[│╭╮╰╯─]", " ", page).split())
    for name, verb in VERBS.items():
        summary = verb.help.split("\n\n")[0]
        assert f"{name} {' '.join(summary.split())}" in words, name


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help(blindbench, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # so that no name is broken
    code, page, _ = blindbench(name, "--help")
    assert code == 0
    for parameter in VERBS[name].params:
        assert parameter.help, f"{parameter.name} of {name}"
        name = parameter.opts[-1]
        assert (name if name.startswith("--") else parameter.metavar or name) in page


def test_the_version_is_that_of_the_version_control(blindbench):
    assert blindbench("--version")[1] == f"blindbench {version()}\n"
    assert re.search(r"\d|unknown", version())


@pytest.mark.parametrize(
    ("line", "words"),
    [("de", ["deblur", "detective"]), ("deblur --ke", ["--kernel-size"]), ("datasets lai-s", ["lai-synth"])],
)
def test_the_shell_completes_verbs_options_and_names(blindbench, monkeypatch, line, words):
    monkeypatch.setenv("_BLINDBENCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"blindbench {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split())))
    assert blindbench()[1].split() == words
    monkeypatch.delenv("_BLINDBENCH_COMPLETE")
    assert "--install-completion" in blindbench("--help")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'. See: blindbench --help"),
        (["deblr"], "No such command 'deblr'. Did you mean 'deblur'? See: "),
        (
            ["methods", "--al"],
            "--al (Possible options: --help). See: blindbench methods --help",
        ),
        (["deblur", "photo.png"], "Missing option '--out'"),
    ],
)
def test_a_mistyped_command_is_one_line(blindbench, words, message):
    assert_refused(blindbench(*words), message)


@pytest.mark.parametrize("words", [["--help"], ["datasets"], ["datasets", "levin"], ["deblur", "--help"]])
def test_what_needs_neither_torch_nor_pandas_does_not_load_them(words):
    code = (
        "import sys; from benchmark.cli import main; sys.argv = ['blindbench', *sys.argv[1:]]\n"
        "try: main.main()\nexcept SystemExit: print({'torch', 'pandas'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
