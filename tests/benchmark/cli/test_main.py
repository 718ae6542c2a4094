"""The command line as a whole."""

import os
import re
import signal
import subprocess
import sys
from typing import Literal, get_origin

import pytest
import typer.main

from benchmark.cli.main import GROUPS, STEPS, app
from benchmark.core import stop
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
    [
        ("de", ["deblur", "detective"]),
        ("deblur --kernel-", ["--kernel-size"]),
        ("datasets lai-s", ["lai-synth"]),
    ],
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


WRONG = {  # by the type of an option: a value that it cannot have, and what is said of it
    int: ("1.5", "a whole number is needed, not '1.5'"),
    float: ("much", "a number is needed, not 'much'"),
    Literal: ("frobnicate", "'frobnicate' is not one of '"),
}
CHECKED = [  # each option that has such a type, with its verb
    (verb, option.opts[0], kind)
    for verb, command in VERBS.items()
    for option in command.params
    for kind in [option.type_descriptor.annotation]
    if option.opts[0].startswith("--") and (get_origin(kind) or kind) in WRONG
]


@pytest.mark.parametrize(("verb", "option", "kind"), CHECKED)
def test_a_wrong_value_of_any_option_is_named_in_plain_words(blindbench, verb, option, kind):
    value, message = WRONG[get_origin(kind) or kind]
    assert_refused(blindbench(verb, option, value), f"Invalid value for '{option}': {message}")


def test_options_that_check_their_values_were_found():
    assert {get_origin(kind) or kind for _, _, kind in CHECKED} == set(WRONG)
    assert ("deblur", "--effort") in {(verb, option) for verb, option, _ in CHECKED}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--quality", "0"], "Invalid value for '--quality': at least 1 is needed, not '0'"),
        (["--quality", "101"], "Invalid value for '--quality': at most 100 is needed, not '101'"),
    ],
)
def test_a_value_out_of_range_is_named_with_the_range(blindbench, words, message):
    assert_refused(blindbench("deblur", *words), message)


@pytest.mark.parametrize("words", [["--help"], ["datasets"], ["datasets", "levin"], ["deblur", "--help"]])
def test_what_computes_nothing_loads_no_large_library(words):
    code = (
        "import sys; from benchmark.cli import main; sys.argv = ['blindbench', *sys.argv[1:]]\n"
        "try: main.main()\nexcept SystemExit: print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError(13, "Permission denied", "/home/me"),
            "/home/me: Permission denied; check that it is there",
        ),
        (
            FileNotFoundError(2, "No such file or directory", "/tmp/x"),
            "/tmp/x: No such file or directory; check",
        ),
        (MemoryError(), "there is too little memory"),
    ],
)
def test_folders_that_are_closed_and_too_little_memory_are_one_line(blindbench, monkeypatch, error, message):
    def fail(**options):
        raise error

    monkeypatch.setattr("benchmark.cli.main.app", fail)
    assert_refused(blindbench("methods"), message)


# A signal comes while a module is imported that catches whatever its own imports raise.
INTERRUPTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            try:
                os.kill(os.getpid(), signal.{signal})
                for _ in range(1000):
                    pass
            except BaseException:
                pass

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("module", ["typer", "torch"], ids=["before the command is known", "within a verb"])
def test_a_signal_during_an_import_ends_the_process_at_once_in_one_line(tmp_path, module, name):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED.format(module=module, signal=name))
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "benchmark", "methods"]
    done = subprocess.run(
        command,
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        # A shell starts its background jobs deaf to SIGINT, and these tests may be in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines() == [
        "blindbench: stopped; a workflow, a download or a training continues with the same command"
    ]


def test_ctrl_c_before_a_verb_is_called_is_one_line(blindbench, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("typer.main.get_params_from_function", interrupted)
    code, _, error = blindbench("plan")
    assert code == stop.STOPPED
    assert error == f"blindbench: {stop.SENTENCE}\n"
