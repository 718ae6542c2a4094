"""Methods and datasets in a benchmark of benchopt, which `benchopt run` runs."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import blindbench
from benchmark.core.types import Restoration, Status
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.runs.observations import make_observations
from benchmark.runs.restore import Shard, restore_shard
from benchmark.runs.shards import Part
from benchmark.runs.store import Store, read_restored_image
from tests.conftest import ROOT

pytest.importorskip("benchopt", reason="no benchopt here: pip install 'blindbench[benchopt]'")
from blindbench.adapters import benchopt as adapters

SMALL = {"iterations": 2, "channels": 4, "skip_channels": 2, "scales": 2}


@pytest.fixture
def folder(tmp_path):
    """The benchmark that docs/other-programs.md shows."""
    page = (ROOT / "docs" / "other-programs.md").read_text()
    for name, code in re.findall(r"```python\n# ([\w/]+\.py)\n(.*?)```", page, re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    return tmp_path


def test_the_benchmark_of_the_documentation_runs_and_gives_the_suite_s_scores(folder):
    assert {path.name for path in folder.rglob("*.py")} == {"objective.py", "cases.py", "methods.py"}
    command = [sys.executable, "-m", "benchopt", "run", str(folder), "--no-plot", "--no-html", "--no-display"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = (folder / "outputs").glob("*.parquet")
    rows = pd.read_parquet(file).set_index(["p_dataset_case", "p_solver_method"])
    cases, methods = (rows.index.unique(level) for level in (0, 1))
    assert (list(cases), len(methods)) == (["demo-uniform/camera", "demo-uniform/astronaut"], 2)
    assert len(rows) == 4
    blurry = rows.loc[("demo-uniform/camera", "blurry")]
    observation, truth = observe(make_case(find_dataset("demo-uniform"), "camera", 0), 0)
    images = (image.transpose(1, 2, 0) for image in (observation.blurry, truth.sharp))
    expected = blindbench.score(*images, find_dataset("demo-uniform").content["protocol"])
    assert blurry.objective_psnr == pytest.approx(expected["psnr"])
    assert blurry.objective_ssim == pytest.approx(expected["ssim"])
    assert blurry.objective_value == -blurry.objective_psnr


def solver(case="demo-uniform/camera", **parameters):
    """A solver that knows its case, and the objective."""

    class Dataset(adapters.CaseDataset):
        name = "cases"

    class Objective(adapters.Scores):
        name = "scores"

    class Solver(adapters.MethodSolver):
        name = "methods"
        settings = parameters.pop("settings", {})

    objective = Objective.get_instance()
    objective.set_data(**Dataset.get_instance(case=case).get_data())
    return Solver.get_instance(**parameters), objective


def test_a_solver_gives_the_bytes_of_the_suite(tmp_path):
    store = Store(tmp_path)
    make_observations(store, "demo-uniform", ["camera"], 0)
    shard = Shard("selfdeblur", [Part("demo-uniform", 1, ["camera"])], overrides=SMALL)
    restore_shard(store, shard, torch.device("cpu"), lambda progress: None)
    expected = read_restored_image(store.case_folder("demo-uniform", "selfdeblur", 1, "camera"))
    ours, objective = solver(method="selfdeblur", seed=1, settings=SMALL)
    ours.set_objective(**objective.get_objective())
    ours.run(None)
    restoration = ours.get_result()["restoration"]
    assert restoration.status is Status.OK, restoration.reason
    np.testing.assert_array_equal(np.round(255 * restoration.image), np.round(255 * expected))


def test_what_a_method_does_not_treat_is_skipped_and_a_failure_is_an_error():
    ours, objective = solver("demo-nonuniform/coffee", method="rl", seed=0)
    assert ours.skip(**objective.get_objective()) == (True, "rl does not treat nonuniform blur")
    ours, objective = solver("demo-uniform/camera", method="rl", seed=0)
    assert ours.skip(**objective.get_objective()) == (False, None)
    lost = Restoration(Status.DIVERGED, "the loss was infinite")
    with pytest.raises(RuntimeError, match="diverged: the loss was infinite"):
        objective.evaluate_result(lost)
    assert objective.evaluate_result(**objective.get_one_result())["psnr"] > 20
