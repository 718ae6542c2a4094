"""What the tests of the report share: the results of a small run."""

from pathlib import Path

import pytest

from benchmark.cli.main import app
from benchmark.planning.config import make_plan

RESULTS = Path("results/r")
HOSTILE = "<img src=x onerror=alert(1)> & </script><script>alert(2)</script> \"'"
CONFIG = {
    "profile": "r",
    "caption": f"A test. {HOSTILE}",
    "device": "cpu",
    "seeds": [0, 1],
    "metrics": ["psnr", "ssim", "kernel-similarity"],
    "datasets": ["demo-uniform"],
    "methods": {
        "blurry": {},
        "oracle": {},
        "selfdeblur": {"iterations": 4, "channels": 4, "skip_channels": 2, "scales": 2},
        "ufpnet": {"weights": "nowhere"},
    },
    "titles": {"selfdeblur": f"Self {HOSTILE}"},
    "paper_tables": ["glkm-table1"],
    "stand_ins": {"coco80": "demo-uniform"},
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder with the results of two methods and two controls on two photographs, with two seeds."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_plan(CONFIG, "config.yaml").write()
        patch.setattr("benchmark.runs.machine.prepare", lambda threads: None)
        steps = [("synthesize", "demo-uniform")]
        steps += [(step, name) for name in CONFIG["methods"] for step in ("restore", "score")]
        steps += [
            ("collect",),
            *(("table", name) for name in ("uniform", "sensitivity", "glkm-table1")),
            ("report",),
        ]
        for step in steps:
            assert app([*step, "--results", str(RESULTS)], standalone_mode=False) in (0, None)
    return folder


@pytest.fixture
def here(finished, monkeypatch):
    """The results folder of that run, in the working directory."""
    monkeypatch.chdir(finished)
    return RESULTS
