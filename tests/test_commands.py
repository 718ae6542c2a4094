"""Every command that the documents and configs print runs with its real arguments.

Snakemake's commands run dry. Of the others, what would take minutes or the network is replaced after the
arguments were read and checked.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import snakemake.cli
import yaml
from PIL import Image
from snakemake.settings.types import DeploymentMethod

from benchmark.cli import main as cli
from benchmark.data.descriptors import MIRROR
from benchmark.planning.config import make_plan
from benchmark.tools.one_image import OneImage
from benchmark.tools.trials import Trial
from methods.parts.settings import keys_of
from tests.conftest import ROOT
from tests.test_docs import FIGURES, TABLES, TEXT
from tests.warm import interpreter

COMMENTED = [
    *(ROOT / "config").glob("*.yaml"),
    *(ROOT / "datasets").glob("*.yaml"),
    *(ROOT / "workflow").rglob("*.yaml"),
]
OTHER_PAGES = [ROOT / "docs" / "results" / "README.md", ROOT / "results" / "README.md"]
SHOWN = [
    *TEXT.values(),
    *(page.read_text() for page in OTHER_PAGES),
    *(file.read_text() for file in COMMENTED),
]
PLACEHOLDERS = {
    "<source>": "levin",
    "<name>": "selfdeblur",
    "FILE": "docs/results/demo.csv",
    "VERB": "methods",
}
# That commands name, beside the demo.
PROFILES = (
    "glkm-claims",
    "precision",
    "kernels",
    "three-seeds",
    "diffusion",
    "gopro-pairs",
    "denoiser",
    "quick",
)


def printed(program):
    """The arguments of each command of a program, as printed in a line of its own or between backticks."""
    lines = set()
    for text in SHOWN:
        joined = re.sub(r"\\\n\s*", "", text)
        command = rf"(?:^|`|#) *{program}(?: ([^`\n#]+?))? *(?:#.*)?(?:`|$)"
        lines |= set(re.findall(command, joined, re.MULTILINE))
    return sorted(lines)


# Snakemake, dry


PARSER = snakemake.cli.get_argument_parser()


def parsed(line):
    """What Snakemake's own parser makes of a command."""
    return PARSER.parse_args(shlex.split(line))


WORKFLOW = printed("snakemake")
PARSED = {line: parsed(line) for line in WORKFLOW}


def run_of(line):
    """Profiles, configs and deployment; commands that share them differ in their targets alone."""
    given = PARSED[line]
    return (
        tuple(map(str, given.profile or ())),
        tuple(map(str, given.configfile or ())),
        tuple(given.software_deployment_method),
    )


RULES = set()
for file in (ROOT / "workflow").rglob("*"):
    if file.name == "Snakefile" or file.suffix == ".smk":
        RULES |= set(re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE))
RUNS = {}
for shown in WORKFLOW:
    RUNS.setdefault(run_of(shown), []).append(shown)


def in_words(run):
    """The options of a run of Snakemake."""
    profiles, configs, deployment = run
    words = ["--profile", *profiles] if profiles else ["--cores", "2"]
    words += ["--configfile", *configs] * bool(configs)
    return words + ["--software-deployment-method", *map(str, deployment)] * bool(deployment)


@pytest.fixture(scope="session")
def dry_run():
    """`dry_run(words, folder)` runs Snakemake; real data are planned where they are here."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    if (ROOT.parent / "shared" / "data").is_dir():
        variables.setdefault(MIRROR, str(ROOT.parent / "shared"))
    with interpreter("benchmark.planning.stale") as python:

        def run(words, folder):
            command = [python, "-m", "snakemake", *words, "--dry-run", "--quiet", "rules"]
            return subprocess.run(
                command, cwd=folder, env=variables, capture_output=True, text=True, check=False
            )

        yield run


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A folder with what the commands name: the configs, a user's own config, photographs and results."""
    folder = tmp_path_factory.mktemp("world")
    for name in ("config", "docs", "workflow"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "README.md", folder)
    shutil.copytree(ROOT / "results" / "reference", folder / "results" / "reference")
    page = TEXT[ROOT / "config" / "README.md"]
    mine, grids = (
        re.search(rf"```yaml\n({key}:.*?)```", page, re.DOTALL).group(1) for key in ("profile", "grids")
    )
    (folder / "config" / "mine.yaml").write_text(mine + grids)
    rng = np.random.default_rng(0)
    kernel = np.zeros((9, 9), np.uint8)
    kernel[4, 2:7] = 255
    images = ("photo.jpg", "s.png", "b.png", "my/photographs/a.png", "my/faces/a.png")
    images += tuple(f"my/kinds/{name}" for name in ("phone.jpg", "page.png"))
    theirs = ("my/images/camera.png", "my/images/astronaut.png")
    for name in (*images, *theirs, "results/theirs/a.png", "sharp/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)).save(folder / name)
    Image.fromarray(kernel).save(folder / "k.png")
    Image.fromarray(rng.integers(0, 256, (240, 340), dtype=np.uint8)).save(folder / "my/kinds/plate.png")
    return folder


@pytest.mark.parametrize("line", WORKFLOW)
def test_every_workflow_command_shown_has_targets_and_configs_that_exist(line):
    targets, configs = PARSED[line].targets, [str(path) for path in PARSED[line].configfile or ()]
    assert targets
    grids = {"robustness"} if "config/mine.yaml" in configs else set()  # the page shows that config
    for config in set(configs) - {"config/mine.yaml"}:
        assert (ROOT / config).exists(), config
        grids |= set(yaml.safe_load((ROOT / config).read_text()).get("grids", {}))
    for target in targets:
        assert target in RULES | FIGURES | TABLES | grids or target.startswith("results/"), target


@pytest.mark.parametrize("run", RUNS, ids=lambda run: " ".join(in_words(run)))
def test_every_workflow_command_shown_plans(run, world, dry_run):
    profiles, _, deployment = run
    if DeploymentMethod.APPTAINER in deployment and not shutil.which("apptainer"):
        pytest.skip("apptainer is not installed")
    if any("slurm" in profile for profile in profiles):
        pytest.importorskip("snakemake_executor_plugin_slurm")
    targets = sorted({target for line in RUNS[run] for target in PARSED[line].targets})
    planned = dry_run([*targets, *in_words(run)], world)
    text = planned.stdout + planned.stderr
    absent = "no dataset can run" in text or "give one that holds photographs" in text
    if planned.returncode == 2 and absent:
        pytest.skip(text.strip().splitlines()[-1])
    assert planned.returncode == 0, text


def test_workflow_commands_were_found():
    assert len(WORKFLOW) >= 50
    assert len(RUNS) >= 20


# The verbs of blindbench

VERBS = printed("blindbench")
TINY = {
    "profile": "demo",
    "caption": "A test.",
    "device": "cpu",
    "datasets": ["demo-uniform"],
    "cases": {"demo-uniform": ["camera"]},
    "methods": {"blurry": {}, "l0-grad": {}},
    "paper_tables": ["glkm-claims"],
}


@pytest.fixture
def blindbench(world, monkeypatch, capfd):
    """`blindbench(words)` returns (exit code, output and error), in `world`."""
    monkeypatch.chdir(world)
    monkeypatch.setattr("benchmark.runs.machine.prepare", lambda threads: None)  # switches of a process

    def call(words):
        monkeypatch.setattr(sys, "argv", ["blindbench", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return ended.value.code or 0, captured.out + captured.err

    return call


@pytest.fixture
def finished(blindbench, world):
    """`blindbench`, with finished results of the profiles that the commands name."""
    make_plan(TINY, "config.yaml").write()  # `plan --write` replaces it, and `ship` the shipped scores
    shutil.rmtree(world / "docs" / "results")
    shutil.copytree(ROOT / "docs" / "results", world / "docs" / "results")
    shutil.rmtree(world / "results" / "reference")
    shutil.copytree(ROOT / "results" / "reference", world / "results" / "reference")
    if (world / "results" / PROFILES[-1]).exists():
        return blindbench
    steps = ["synthesize demo-uniform"]
    for step in ("restore", "score"):
        steps += [f"{step} {method}" for method in TINY["methods"]]
    for step in [*steps, "collect", "table uniform"]:
        code, output = blindbench([*step.split(), "--results", "results/demo"])
        assert code == 0, output
    for profile in PROFILES:
        shutil.copytree(world / "results" / "demo", world / "results" / profile)
        make_plan({**TINY, "profile": profile}, "config.yaml").write()
    return blindbench


def stub_what_takes_long(monkeypatch):
    """Replace trainings, timings, repetitions, iterative methods, downloads and the start of Snakemake."""
    timed = pd.DataFrame({"milliseconds": [1.0]})
    monkeypatch.setattr("benchmark.tools.bench.bench_blur", lambda: timed)
    monkeypatch.setattr("benchmark.tools.bench.bench_method", lambda *arguments: timed)
    monkeypatch.setattr("benchmark.runs.machine.require_gpu", lambda: None)  # the CPU takes its place
    monkeypatch.setattr("benchmark.tools.gpu_bench.measure", lambda *arguments: timed)
    monkeypatch.setattr("benchmark.tools.gpu_bench.counted", lambda: timed)
    monkeypatch.setattr("benchmark.pretraining.job.pretrain", lambda *arguments: True)
    monkeypatch.setattr("benchmark.app.server.serve", lambda port, announce: None)
    monkeypatch.setattr("benchmark.tools.verify.verify", lambda *arguments: [])
    trial = Trial("case", 20.0, 22.0, True, 9, 0.9, 1.0, "")
    monkeypatch.setattr("benchmark.tools.trials.trials", lambda *arguments: [trial])
    monkeypatch.setattr("benchmark.data.download.download", lambda *arguments, **options: None)
    monkeypatch.setattr("benchmark.data.descriptors.freeze_lists", lambda source: None)
    # A new method is written here, and not into the repository.
    monkeypatch.setattr("benchmark.tools.new_method.checkout", lambda: None)
    # Snakemake would take the place of the tests' process.
    monkeypatch.setattr(
        "os.execve", lambda _, words, variables: sys.exit(subprocess.call(words, env=variables))
    )
    restore = OneImage.__call__

    def restore_soon(self, image, *arguments):
        is_iterative = "iterations" in keys_of(type(self.settings))
        run = OneImage("blurry", {}, self.name, self.seed, self.device) if is_iterative else self
        return restore(run, image, *arguments)

    monkeypatch.setattr(OneImage, "__call__", restore_soon)


def is_only_named(line):
    """Whether a text names a verb that takes arguments, and gives none."""
    return line in {
        "",
        "check-method",
        "deblur",
        "detective",
        "download",
        "explain",
        "fill",
        "match",
        "new-method",
        "pretrain",
        "restore",
        "score",
        "synthesize",
        "verify",
    }


@pytest.mark.parametrize("line", [line for line in VERBS if not is_only_named(line)])
def test_every_command_shown_runs(line, finished, world, monkeypatch):
    words = [PLACEHOLDERS.get(word, word) for word in shlex.split(line)]
    stub_what_takes_long(monkeypatch)
    if words[0] == "run":
        words.append("--dry-run")
    if words == ["check-method", "unsharp"]:  # which a reader has just written
        words[1] = "blurry"
    if words[0] == "check":  # a repair would run the demo
        words = ["check", "--help"] if "--repair" in words else words
    if "results/mine" in words and words[0] != "plan":
        methods = {"selfdeblur@wide": {"iterations": 2, "channels": 4, "skip_channels": 2, "scales": 2}}
        make_plan({**TINY, "profile": "mine", "methods": methods, "seeds": [0, 1]}, "mine.yaml").write()
        assert finished(["synthesize", "demo-uniform", "--results", "results/mine"])[0] == 0
    code, output = finished(words)
    absent = re.search(r"(docs/results/[\w-]+\.csv): no such file", output)
    if absent and words[0] in ("fill", "verify") and not (ROOT / absent[1]).exists():
        pytest.skip(f"{absent[1]}: not shipped yet; see docs/results/README.md")
    assert code == 0, output
    if "--out" in words and words[0] != "pretrain":
        assert (world / words[words.index("--out") + 1]).exists()


def test_commands_were_found():
    assert len(VERBS) >= 40
