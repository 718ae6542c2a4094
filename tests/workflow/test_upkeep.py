"""Lost, damaged and failed results are made again, and nothing else, by the commands that people type."""

import json
import os
import re
import shutil
import subprocess
import time
import zipfile

import numpy as np
import pytest
import yaml

from tests.workflow.test_workflow import CONFIG, Checkout

RESTORED = "restorations/demo-uniform/blurry/seed0"
SEEN = "observations/demo-uniform/camera.npz"
TRUTH = "observations/demo-uniform/astronaut.truth.npz"


class Small(Checkout):
    """A checkout whose profile has one method that needs no time."""

    def __init__(self, root):
        is_new = not (root / CONFIG).exists()
        super().__init__(root)
        if is_new:
            nothing = {"snapshots": [], "titles": {}, "paper_tables": [], "paper_figures": []}
            config = yaml.safe_load((root / CONFIG).read_text())
            (root / CONFIG).write_text(yaml.safe_dump({**config, **nothing, "methods": {"blurry": {}}}))

    def blindbench(self, verb, *arguments, config=True):
        given = ("--configfile", str(CONFIG)) if config else ()
        return subprocess.run(
            [self.python, "-m", "benchmark", verb, *arguments, *given],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def files(self):
        """Every result with its content, apart from what each job writes about itself."""
        paths = [path for path in self.results.rglob("*") if path.is_file()]
        names = {path.relative_to(self.results).as_posix(): path for path in paths}
        return {
            name: path.read_bytes()
            for name, path in names.items()
            if not name.startswith(("logs/", "benchmarks/", "plan.json")) and not name.endswith(".lock")
        }

    def times(self):
        return {name: (self.results / name).stat().st_mtime_ns for name in self.files()}

    def damage(self, name):
        """Flip one bit in the middle of a file."""
        content = bytearray((self.results / name).read_bytes())
        content[len(content) // 2] ^= 1
        (self.results / name).write_bytes(content)


@pytest.fixture(scope="session")
def finished_small(tmp_path_factory):
    checkout = Small(tmp_path_factory.mktemp("small") / "checkout")
    done = checkout.run("tables")
    assert done.returncode == 0, done.stderr
    return checkout


@pytest.fixture
def small(finished_small, tmp_path):
    """The finished checkout again, to be changed."""
    shutil.copytree(finished_small.root, tmp_path / "copy", copy_function=shutil.copy2)
    return Small(tmp_path / "copy")


def without_last_line(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def test_check_names_what_is_lost_or_altered_and_repair_makes_that_again(small):
    whole = small.blindbench("check")
    assert (whole.returncode, whole.stdout) == (0, "")
    assert whole.stderr == "results/tiny: all files are whole\n"
    files, times = small.files(), small.times()
    altered = [TRUTH, f"{RESTORED}/camera/image.png", "tables/uniform.tex"]
    lost = [SEEN, f"{RESTORED}/astronaut/run.json", "scores/blurry/0.csv"]
    for name in altered:
        small.damage(name)
    for name in lost:
        (small.results / name).unlink()
    without_last_line(small.results / "scores.csv")
    named = small.blindbench("check")
    assert named.returncode == 1
    expected = [
        *(f"{name}: altered" for name in [*altered, "scores.csv"]),
        *(f"{name}: lost" for name in lost),
    ]
    assert sorted(named.stdout.splitlines()) == sorted(f"results/tiny/{line}" for line in expected)

    repaired = small.blindbench("check", "--repair")
    assert repaired.returncode == 0, repaired.stderr
    assert small.files() == files
    again = {name for name, made in small.times().items() if made != times[name]}
    # A case's observation is two files. The job of a shard writes its records, that of a table its three
    # files, and `collect` both of its own.
    jobs = ["records/blurry/0.json", "records/blurry/0.sha256", "scores/blurry/0.sha256"]
    jobs += [f"{RESTORED}/camera/run.json", "runs.csv", "runs.sha256", "scores.sha256"]
    jobs += [f"tables/uniform.{suffix}" for suffix in ("csv", "md", "sha256")]
    jobs += ["observations/demo-uniform/astronaut.npz", "observations/demo-uniform/camera.truth.npz"]
    assert again <= {*altered, *lost, "scores.csv", *jobs}
    assert f"{RESTORED}/astronaut/image.png" not in again
    plain = small.run("tables")
    assert "Nothing to be done" in plain.stdout + plain.stderr


def test_a_repaired_image_leaves_scores_and_tables_alone(small):
    times = small.times()
    small.damage(f"{RESTORED}/camera/image.png")
    without_last_line(small.results / "scores.csv")
    repaired = small.blindbench("check", "--repair")
    assert repaired.returncode == 0, repaired.stderr
    again = {name for name, made in small.times().items() if made != times[name]}
    case = {f"{RESTORED}/camera/{name}" for name in ("image.png", "run.json")}
    shard = {"records/blurry/0.json", "records/blurry/0.sha256"}
    joined = {f"{name}.{suffix}" for name in ("scores", "runs") for suffix in ("csv", "sha256")}
    assert again == {*case, *shard, *joined}


def test_failed_cases_run_again_through_the_workflow(small):
    files = small.files()
    folder = small.results / RESTORED / "camera"
    record = json.loads((folder / "run.json").read_text())
    image = record.pop("image_sha256")
    (folder / "run.json").write_text(json.dumps(record | {"status": "diverged", "reason": "a test"}))
    (folder / "image.png").unlink()
    astronaut = small.results / RESTORED / "astronaut" / "run.json"
    kept = astronaut.stat().st_mtime_ns
    only_shown = small.blindbench("run", "--retry-failed", "--dry-run")
    assert only_shown.returncode == 0, only_shown.stderr
    assert json.loads((folder / "run.json").read_text())["status"] == "diverged"
    again = small.blindbench("run", "--retry-failed")
    assert again.returncode == 0, again.stderr
    assert "failed cases: 1; they run again" in again.stderr
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["image_sha256"]) == ("ok", image)
    assert astronaut.stat().st_mtime_ns == kept
    for name in ("scores.csv", "tables/uniform.md", f"{RESTORED}/camera/image.png"):
        assert small.files()[name] == files[name]


def test_run_counts_its_progress_in_work(small):
    for name in ("scores", "tables"):
        shutil.rmtree(small.results / name)
    run = small.blindbench("run", "results/tiny/tables/uniform.md", "results/tiny/scores/blurry/0.csv")
    assert run.returncode == 0, run.stderr
    said = [line for line in run.stderr.splitlines() if line.startswith("blindbench: ")]
    assert len(said) == 3  # score, collect, table
    assert all(
        re.fullmatch(r"blindbench: \d+% of the work done, about \S+ \w+ left", line) for line in said[:2]
    )
    assert said[2] == "blindbench: all of the work done"
    plain = small.run("--forcerun", "table")
    assert plain.returncode == 0, plain.stderr
    assert "of the work done" not in plain.stderr


def test_a_cut_file_of_scores_is_made_again_by_the_plain_command(small):
    files = small.files()
    without_last_line(small.results / "scores.csv")
    again = small.run("tables")
    assert again.returncode == 0, again.stderr
    lines = [line for line in again.stderr.splitlines() if line.startswith("blindbench:")]
    assert lines == [
        "blindbench: results/tiny/scores.csv: damaged or altered since it was written; it is made again, "
        "and all that was made from it",
        "blindbench: the report is results/tiny/index.html; open it in a browser",
    ]
    assert small.files() == files


@pytest.mark.parametrize("option", ["--summary", "--lint", "--dry-run", "--touch", "--list-params-changes"])
def test_a_command_that_runs_no_job_removes_nothing(small, option):
    without_last_line(small.results / "scores.csv")
    files = small.files()
    shown = small.run(option)
    assert shown.returncode == 0, shown.stderr
    assert small.files() == files


def test_times_in_the_future_make_nothing_again(small):
    # More than the 1 MB up to which Snakemake looks at contents by itself.
    scores = small.results / "scores.csv"
    note = np.random.default_rng(0).bytes(10).hex() * 60_000
    frame = scores.read_text().splitlines()
    scores.write_text("\n".join([frame[0], *(line + note for line in frame[1:])]) + "\n")
    (small.results / "scores.sha256").unlink()
    assert small.run("tables").returncode == 0  # the table follows the longer notes
    tomorrow = time.time() + 86_400
    os.utime(scores, (tomorrow, tomorrow))
    again = small.run("tables")
    assert "blindbench: 1 files have times in the future" in again.stderr
    assert "Nothing to be done" in again.stdout + again.stderr
    assert max(small.times().values()) < time.time_ns()


def test_what_is_lost_or_altered_of_a_training_is_named_and_trained_again(small):
    order = {"training": "diffusion-kernel", "settings": {"side": 16, "reductions": [1]}, "steps": 2}
    small.rewrite(pretrain=[order])
    trained = small.run("pretrain")
    assert trained.returncode == 0, trained.stderr
    assert small.blindbench("check").returncode == 0
    files, times = small.files(), small.times()
    weights, card = "pretrain/diffusion-kernel-16.safetensors", "pretrain/diffusion-kernel.md"
    small.damage(weights)
    (small.results / card).unlink()
    named = small.blindbench("check")
    expected = [f"results/tiny/{weights}: altered", f"results/tiny/{card}: lost"]
    assert (named.returncode, sorted(named.stdout.splitlines())) == (1, expected)
    repaired = small.blindbench("check", "--repair")
    assert repaired.returncode == 0, repaired.stderr
    assert small.files()[weights] == files[weights]
    again = {name for name, made in small.times().items() if made != times[name]}
    assert {weights, card} <= again
    assert all(name.startswith("pretrain/") for name in again)
    assert small.blindbench("check").returncode == 0


def test_what_is_lost_or_altered_of_a_download_is_named_and_unpacked_again(small):
    data = small.root / "datasets"
    sources = yaml.safe_load((data / "sources.yaml").read_text())
    source = {"title": "Ours", "licence": "CC0", "page": "https://example.invalid", "access": "manual"}
    sources["sources"]["ours"] = {**source, "verified": "never", "archives": [{"file": "ours.zip"}]}
    (data / "sources.yaml").write_text(yaml.safe_dump(sources))
    cases = {"id": "{id}", "blurry": "{id}.png", "declared_sizes": {"13": ["a", "b"]}}
    about = {"title": "Ours", "table": "real", "blur": "uniform", "protocol": "plain", "caption": "A test."}
    (data / "ours.yaml").write_text(yaml.safe_dump({**about, "source": "ours", "files": cases}))
    (data / ".downloads/ours").mkdir(parents=True)
    with zipfile.ZipFile(data / ".downloads/ours/ours.zip", "w") as archive:
        for name in ("a.png", "b.png"):
            archive.writestr(name, np.random.default_rng(len(name)).bytes(999))
    content = (data / ".downloads/ours/ours.zip").read_bytes()
    assert small.blindbench("download", "ours", config=False).returncode == 0
    small.rewrite(datasets=["demo-uniform", "ours"], only={"blurry": ["demo-uniform"]})
    assert small.blindbench("check").returncode == 0
    before = {name: (data / "ours" / name).read_bytes() for name in ("a.png", "b.png")}
    (data / "ours/a.png").unlink()
    (data / "ours/b.png").write_bytes(b"other")
    expected = [f"{data}/ours/a.png: lost", f"{data}/ours/b.png: altered"]
    for _ in range(2):  # what is only named stays as it is
        named = small.blindbench("check")
        assert (named.returncode, sorted(named.stdout.splitlines())) == (1, expected)
    repaired = small.blindbench("check", "--repair")
    assert (repaired.returncode, sorted(repaired.stdout.splitlines())) == (0, expected), repaired.stderr
    assert {name: (data / "ours" / name).read_bytes() for name in before} == before
    assert small.blindbench("check").returncode == 0

    (data / "ours/a.png").unlink()
    (data / ".downloads/ours/ours.zip").write_bytes(content[:-1])
    failed = small.blindbench("check", "--repair")
    assert failed.returncode == 1
    assert f"{data}/.downloads/ours/ours.zip: altered" in failed.stdout
    assert f"{data}/ours/a.png: still lost; the messages above say why" in failed.stdout
    assert "ours.zip: damaged or another file" in failed.stderr
    (data / ".downloads/ours/ours.zip").write_bytes(content)
    assert small.blindbench("check", "--repair").returncode == 0
    assert {name: (data / "ours" / name).read_bytes() for name in before} == before
