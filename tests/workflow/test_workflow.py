"""The Snakefile, run for real on a profile of seconds, in a copy of the repository."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import yaml
from PIL import Image

from benchmark.core.files import locked
from benchmark.data.descriptors import MIRROR
from tests.conftest import ROOT

CONFIG = Path("tests/workflow/tiny.yaml")
TABLES = ("scores.csv", "tables/uniform.csv", "tables/uniform.md")
# Targets short of all tables: each job less is seconds less.
SCORES, TABLE = "results/tiny/scores.csv", "results/tiny/tables/uniform.md"


class Job(NamedTuple):
    """A job of a dry run."""

    rule: str
    output: str


class Checkout:
    """A copy of the repository's sources with its own results, and Snakemake in it."""

    python = sys.executable  # that `run` calls; see the fixture `warm_runs`

    def __init__(self, root):
        self.root = root
        self.environment = {**os.environ, "PYTHONPATH": str(root)}
        if (root / CONFIG).exists():
            return
        for name in ("benchmark", "methods", "workflow", "config", "datasets", "tests/workflow"):
            shutil.copytree(ROOT / name, root / name, dirs_exist_ok=True)

    def command(self, *arguments, config=CONFIG):
        given = ("--configfile", str(config)) if config else ()
        return ["-m", "snakemake", "--cores", "2", *arguments, *given]

    def start(self):
        """Snakemake as the leader of a process group of its own."""
        return subprocess.Popen(
            [sys.executable, *self.command()],
            cwd=self.root,
            env=self.environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *arguments, config=CONFIG):
        return subprocess.run(
            [self.python, *self.command(*arguments, config=config)],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )

    @property
    def results(self):
        return self.root / "results" / "tiny"

    def planned(self, *arguments):
        """The jobs that Snakemake would run, each with its rule and its first output."""
        dry = self.run("--dry-run", *arguments)
        assert dry.returncode == 0, dry.stderr
        text = dry.stdout + dry.stderr
        jobs = re.findall(r"^(?:local)?rule (\w+):\n((?: +.*\n)*)", text, re.MULTILINE)
        drawn = re.findall(r"^Job \d+: Draw .*\n((?:.*\S.*\n)*)", text, re.MULTILINE)
        jobs += [("figure", lines) for lines in drawn]
        outputs = [re.search(r"output: ([^,\n]+)", lines) for _, lines in jobs]
        return [Job(rule, match[1] if match else "") for (rule, _), match in zip(jobs, outputs, strict=True)]

    def tables(self):
        return {name: (self.results / name).read_bytes() for name in TABLES}

    def rewrite(self, **changes):
        path = self.root / CONFIG
        config = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**config, **changes}, sort_keys=False))

    def restored(self):
        """When each case's image was written, by method."""
        images = (self.results / "restorations").glob("*/*/seed*/*/image.png")
        times = {}
        for image in images:
            times.setdefault(image.parts[-4], set()).add((image, image.stat().st_mtime_ns))
        return times


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """An undisturbed run, in a folder whose name has a space and an accent; all tests only read it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent  # the processes of one pytest share it
    root, done = shared / "a folder for déblur", shared / "finished"
    with locked(shared / ".finished.lock"):
        if not done.exists():
            first = Checkout(root).run("tables", "figures")
            assert first.returncode == 0, first.stderr
            done.touch()
    return Checkout(root)


@pytest.fixture
def copy(finished, tmp_path):
    """The finished checkout again, to be changed."""
    shutil.copytree(finished.root, tmp_path / "copy", copy_function=shutil.copy2)
    return Checkout(tmp_path / "copy")


def test_the_workflow_is_clean_for_the_linter(finished):
    linted = finished.run("--lint")
    assert linted.returncode == 0, linted.stderr


@pytest.mark.parametrize("profile", ["gpu", "slurm"])
def test_every_profile_plans(finished, profile):
    planned = finished.run("--dry-run", "--forceall", "--profile", f"workflow/profiles/{profile}")
    assert planned.returncode == 0, planned.stderr
    assert "restore" in planned.stdout


def test_results_are_complete(finished):
    scores = pd.read_csv(finished.results / "scores.csv")
    assert list(scores.columns) == [
        *("dataset", "group", "case", "method", "seed", "protocol", "metric", "value", "note")
    ]
    assert len(scores) == 2 * 2 * 2  # cases x methods x metrics
    assert scores.value.notna().all()
    runs = pd.read_csv(finished.results / "runs.csv")
    assert set(runs.status) == {"ok"}
    assert set(runs[runs.method == "selfdeblur"].iterations) == {250}
    for suffix in ("png", "pdf"):
        assert (finished.results / "figures" / f"uniform.{suffix}").stat().st_size > 10_000
        for name in ("convergence", "glkm-fig4"):
            assert (finished.results / "figures" / f"{name}.{suffix}").stat().st_size > 10_000
        for table in ("uniform", "glkm-table3"):
            assert (finished.results / "figures" / f"{table}-scores.{suffix}").stat().st_size > 5_000
    made = {path.name for path in (finished.results / "tables").iterdir()}
    names = ("uniform", "glkm-table3", "convergence")
    assert made == {f"{name}.{suffix}" for name in names for suffix in ("csv", "md", "sha256", "tex")}
    folder = finished.results / "restorations" / "demo-uniform" / "selfdeblur" / "seed0" / "camera"
    files = sorted(path.name for path in folder.iterdir() if path.name != ".lock")
    assert files == ["image.png", "kernels.npz", "run.json", "snapshots.npz", "trace.csv"]
    convergence = pd.read_csv(finished.results / "convergence.csv")
    assert sorted(convergence.iteration.unique()) == [20, 150, 250]
    for table in ("uniform", "convergence"):
        assert "| SelfDeblur in words" in (finished.results / "tables" / f"{table}.md").read_text()


def test_every_table_of_the_papers_can_be_asked_for_by_its_path(finished):
    planned = finished.run(
        "--dry-run", "results/tiny/tables/bid-table3.md", "results/tiny/figures/ufpnet-table1-scores.pdf"
    )
    assert planned.returncode == 0, planned.stderr
    lines = (planned.stdout + planned.stderr).splitlines()
    assert [line for line in lines if line.startswith("rule ")] == ["rule table:"]
    messages = [line.partition(": ")[2].strip() for line in lines if line.startswith("Job ")]
    assert "Draw ufpnet-table1-scores." in messages


def test_figures_and_tables_of_papers_are_targets_by_name(finished):
    planned = finished.run("--dry-run", "glkm-fig1", "glkm-fig5", "glkm-fig6", "bid-table2", "bid-claims")
    assert planned.returncode == 0, planned.stderr
    lines = (planned.stdout + planned.stderr).splitlines()
    jobs = sorted(line for line in lines if line.startswith("rule "))
    assert jobs == [
        *(f"rule {name}:" for name in ("bid-claims", "bid-table2", "glkm-fig1", "glkm-fig5", "glkm-fig6")),
        *["rule table:"] * 2,
    ]
    messages = [line.partition(": ")[2] for line in lines if line.startswith("Job ")]
    assert any(line.startswith("Draw glkm-fig5. lai is left out: not among") for line in messages)


def test_a_config_that_is_given_stands_alone_and_the_demo_is_the_default(finished):
    planned = finished.run("--dry-run", "tables", config="config/robust.yaml")
    assert planned.returncode == 0, planned.stderr
    assert "results/robust/tables/robustness.md" in planned.stdout + planned.stderr
    assert "results/demo" not in planned.stdout + planned.stderr
    default = finished.run("--dry-run", config=None)
    assert default.returncode == 0, default.stderr
    assert "results/demo/tables/uniform.md" in default.stdout + default.stderr
    assert not (finished.root / "results" / "demo").exists()  # a dry run writes no plan


def test_a_changed_plan_alone_runs_nothing(copy):
    (copy.results / "plan.json").write_text("{}")
    again = copy.run("tables", "figures")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout + again.stderr


def test_another_title_makes_tables_and_figures_again_and_restores_nothing(copy):
    copy.rewrite(titles={"selfdeblur": "Another title"})
    jobs = copy.planned("tables", "figures")
    assert {job.rule for job in jobs} == {"table", "figure", "report_page", "tables", "figures"}


def test_a_method_kept_to_other_datasets_has_no_job(copy):
    grid = {"title": "Sizes", "dataset": "demo-uniform", "metric": "psnr", "rows": {"all": ""}}
    grid["columns"] = {"true": "", "half": "size-level-5"}
    both = ["demo-uniform", "demo-uniform@size-level-5"]
    copy.rewrite(datasets=both, only={"selfdeblur": both[:1]}, grids={"sizes": grid}, paper_figures=[])
    restored = [job.output for job in copy.planned("sizes") if job.rule == "restore"]
    assert restored == ["results/tiny/records/blurry/0.json"]


def test_a_second_run_has_nothing_to_do(finished):
    again = finished.run("tables", "figures")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout + again.stderr


def test_the_last_line_says_where_the_report_is(copy):
    line = "blindbench: the report is results/tiny/index.html; open it in a browser"
    page = copy.results / "index.html"
    before = page.read_bytes()
    page.unlink()
    made = copy.run("tables")
    assert made.returncode == 0, made.stderr
    assert made.stderr.splitlines()[-1] == line
    assert page.read_bytes() == before
    assert copy.run("tables").stderr.splitlines()[-1] == line  # nothing to do
    assert "the report is" not in copy.run(SCORES).stderr
    assert "the report is" not in copy.run("--dry-run", "tables").stderr


def test_another_setting_reruns_that_method_and_no_other(copy):
    before = copy.restored()
    methods = yaml.safe_load((copy.root / CONFIG).read_text())["methods"]
    shorter = {**methods["selfdeblur"], "iterations": 30}
    copy.rewrite(methods={**methods, "selfdeblur": shorter}, snapshots=[])
    done = copy.run(SCORES)
    assert done.returncode == 0, done.stderr
    after = copy.restored()
    assert after["blurry"] == before["blurry"]
    assert not after["selfdeblur"] & before["selfdeblur"]


def test_another_shard_size_keeps_every_restoration(copy):
    before, tables = copy.restored(), copy.tables()
    copy.rewrite(shard_size=1)
    done = copy.run("tables")
    assert done.returncode == 0, done.stderr
    assert copy.restored() == before
    assert copy.tables() == tables
    assert (copy.results / "records/selfdeblur/1.json").exists()


def test_methods_that_compute_on_the_cpu_ask_for_no_gpu(finished, tmp_path):
    config = yaml.safe_load((finished.root / CONFIG).read_text())
    path = tmp_path / "gpu.yaml"
    path.write_text(yaml.safe_dump({**config, "profile": "gpu", "device": "cuda"}))
    dry = finished.run("--dry-run", "--resources", "gpu=1", config=path)
    assert dry.returncode == 0, dry.stderr
    jobs = re.findall(r"^rule (restore\w*):\n((?: +.*\n)*)", dry.stdout + dry.stderr, re.MULTILINE)
    asks = {
        rule: ("method=selfdeblur" in lines, "gpu=1" in lines, re.findall(r"runtime=(\d+)", lines))
        for rule, lines in jobs
    }
    assert asks == {"restore": (False, False, ["60"]), "restore_on_gpu": (True, True, ["720"])}


def test_planning_reports_no_exception(finished):
    dry = finished.run("--dry-run", "--forceall", "tables", "figures")
    assert dry.returncode == 0, dry.stderr
    assert "Exception" not in dry.stdout + dry.stderr


def test_an_edited_module_reruns_its_method_and_no_other(copy):
    module = copy.root / "methods" / "selfdeblur.py"
    module.write_text(module.read_text() + "EDITED = True\n")
    jobs = copy.planned(SCORES)
    restored = [job.output for job in jobs if job.rule == "restore"]
    assert restored == ["results/tiny/records/selfdeblur/0.json"]


def test_a_new_method_setting_runs_beside_the_finished_ones(copy):
    methods = yaml.safe_load((copy.root / CONFIG).read_text())["methods"]
    short = {**methods["selfdeblur"], "iterations": 20}
    copy.rewrite(methods={**methods, "selfdeblur@short": short})
    jobs = copy.planned(TABLE)
    assert {job.rule for job in jobs} == {"restore", "score_with_snapshots", "collect", "table"}
    assert all("@short" in job.output for job in jobs if job.rule in ("restore", "score_with_snapshots"))


def matches(folder, pattern):
    return {(path, path.stat().st_mtime_ns) for path in folder.glob(pattern)}


def wait_for_new(pattern, folder, process, known):
    """Until a file that was not `known` matches; False when the run ended before."""
    deadline = time.monotonic() + 600
    while process.poll() is None:
        try:
            if matches(folder, pattern) - known:
                return True
        except FileNotFoundError:
            continue  # replaced between the listing and the look
        assert time.monotonic() < deadline, f"no {pattern} appeared"
        time.sleep(0.01)
    return False


def test_kill_9_at_any_moment_continues_to_the_same_tables(finished, tmp_path):
    checkout = Checkout(tmp_path)
    moments = [
        ("observations/*/camera.npz", "group"),
        ("restorations/*/selfdeblur/seed*/camera/checkpoint.pt", "main alone"),
        ("scores/*/*.csv", "group"),
        ("scores.csv", "main alone"),
    ]  # `make drill` kills at a hundred others
    kills = 0
    for pattern, victim in moments:
        known = matches(checkout.results, pattern)
        process = checkout.start()
        if wait_for_new(pattern, checkout.results, process, known):
            kill = os.killpg if victim == "group" else os.kill
            kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills >= 3
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert checkout.tables() == finished.tables()
    again = checkout.run()
    assert "Nothing to be done" in again.stdout + again.stderr
    leftovers = [path for path in checkout.results.rglob("*") if ".tmp" in path.name]
    assert not [path for path in leftovers if "restorations" in path.parts]


def test_a_second_run_at_the_same_time_is_refused_in_one_line(tmp_path):
    checkout = Checkout(tmp_path)
    first = checkout.start()
    try:
        assert wait_for_new(".lock", checkout.results, first, known=set())
        second = checkout.run()
        assert second.returncode == 2
        messages = [line for line in second.stderr.splitlines() if line.startswith("blindbench:")]
        assert messages == ["blindbench: another run is working in results/tiny; wait for it or stop it"]
        assert "Traceback" not in second.stderr
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()


@pytest.mark.parametrize(
    ("target", "closest"),
    [("tabels", "tables"), ("results/tiny/tables/unifrm.md", "results/tiny/tables/uniform.md")],
)
def test_a_mistyped_target_is_one_line_and_exit_code_2(finished, target, closest):
    refused = finished.run(target)
    assert refused.returncode == 2
    last = refused.stderr.strip().splitlines()[-1]
    assert last == f"blindbench: unknown target '{target}'. Did you mean '{closest}'?"
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("selfdeblur:", "selfdebur:", "unknown method 'selfdebur'. Did you mean 'selfdeblur'?"),
        ("device: cpu", "device: cpu\ndevice: cuda", "the key 'device' stands in line 4, too"),
    ],
)
def test_a_bad_config_is_one_line_and_exit_code_2(finished, tmp_path, right, wrong, message):
    bad, good = tmp_path / "bad.yaml", CONFIG.read_text()
    assert right in good
    bad.write_text(good.replace(right, wrong))
    refused = finished.run(config=bad)
    assert refused.returncode == 2
    line = refused.stderr.strip().splitlines()[-1]
    assert line.startswith(f"blindbench: {bad}: ")
    assert message in line
    assert "Traceback" not in refused.stderr


def test_a_case_that_fails_is_recorded_and_the_others_go_on(copy):
    # Not enough pixels for a network of nine scales: the camera has 140, the astronaut 174.
    methods = {"blurry": {}, "selfdeblur": {"iterations": 2, "channels": 2, "skip_channels": 1, "scales": 7}}
    descriptor = copy.root / "datasets" / "demo-uniform.yaml"
    descriptor.write_text(descriptor.read_text().replace("height: 128, width: 128", "height: 64, width: 64"))
    copy.rewrite(methods=methods, snapshots=[])
    done = copy.run(TABLE)
    assert done.returncode == 0, done.stderr
    runs = pd.read_csv(copy.results / "runs.csv").set_index(["method", "case"])
    assert runs.status["selfdeblur", "camera"] == "not_supported"
    assert "at least 129 pixels" in runs.reason["selfdeblur", "camera"]
    assert runs.status["selfdeblur", "astronaut"] == "ok"
    table = (copy.results / "tables" / "uniform.md").read_text()
    assert "the image network needs at least 129 pixels" in table


def test_datasets_that_are_not_here_are_left_out_or_downloaded(copy):
    copy.environment[MIRROR] = str(copy.root)  # a mirror without them
    copy.rewrite(
        datasets=["demo-uniform@gaussian-high", "gopro", "coco80"],
        cases={"coco80": ["000000000139"]},
        accept_terms=["coco_val2017"],
    )
    planned = copy.run("--dry-run", "tables")
    assert planned.returncode == 0, planned.stderr
    assert "gopro is left out: there is no folder gopro" in planned.stderr
    output = planned.stdout + planned.stderr
    assert "rule download:" in output
    assert "results/tiny/records/selfdeblur/0.json" in output
    assert "gopro/" not in output.replace("folder gopro", "")

    copy.rewrite(datasets=["gopro", "hide"], cases={}, accept_terms=[])
    refused = copy.run("--dry-run", "tables")
    assert refused.returncode == 2
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("blindbench: results/tiny: no dataset can run: gopro: there is no folder gopro in")
    assert "(and 1 more, see `blindbench plan`)" in last
    assert "Traceback" not in refused.stderr


def test_without_a_network_lpips_alone_stays_empty_and_one_line_says_so(copy):
    nothing = {MIRROR: "", "TORCH_HOME": str(copy.root / "home"), "HTTPS_PROXY": "http://127.0.0.1:1"}
    copy.environment |= nothing | {"https_proxy": nothing["HTTPS_PROXY"]}
    blurry = {"methods": {"blurry": {}}, "snapshots": [], "titles": {}}
    copy.rewrite(metrics=["psnr", "lpips", "niqe"], accept_terms=["metric-weights"], **blurry)
    done = copy.run(TABLE)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "no values of LPIPS (AlexNet)" in line]
    assert line.startswith(
        "blindbench: no values of LPIPS (AlexNet), all else runs: https://download.pytorch"
    )
    assert "no connection to download.pytorch.org" in line
    scores = pd.read_csv(copy.results / "scores.csv")
    assert set(scores.metric[scores.value.notna()]) == {"psnr", "niqe"}


def test_trainings_of_a_config_run_in_the_order_of_their_weights(tmp_path):
    copy = Checkout(tmp_path)
    settings = {"kernel_size": 13, "kernels": 8, "batch": 4, "width": 8}
    images = copy.root / "photographs"
    images.mkdir()
    for name in "ab":
        Image.new("L", (80, 80)).save(images / f"{name}.png")
    initializer = {"training": "initializer", "settings": {**settings, "targets": "encoder"}}
    copy.rewrite(
        pretrain=[
            {**initializer, "images": ["photographs"]},
            {"training": "decoder", "settings": settings},
        ]
    )
    planned = copy.run("--dry-run", "pretrain")
    assert planned.returncode == 0, planned.stderr
    jobs = planned.stdout.split("rule train:")[1:]
    assert "output: results/tiny/pretrain/decoder-13.json" in jobs[0]
    assert "input: results/tiny/pretrain/decoder-13.json" in jobs[1]
    copy.rewrite(pretrain=[initializer])
    refused = copy.run("--dry-run", "pretrain")
    assert refused.returncode == 2
    assert "pretrain[0]: initializer learns from photographs" in refused.stderr
