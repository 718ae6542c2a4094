"""The container's recipes, and the workflow with its jobs in a container."""

import os
import re
import sys
import tomllib

from tests.conftest import ROOT
from tests.workflow.test_workflow import Checkout

RECIPES = ROOT / "workflow" / "container"

# Stands in for Apptainer: it runs the command outside, with the programs of a folder of its own.
APPTAINER = """\
#!/bin/sh
[ "$1" != --version ] || { echo "apptainer version 1.3.0"; exit; }
while [ "$1" != blindbench.sif ]; do shift; done
shift
PATH="{programs}:$PATH" exec "$@"
"""
PYTHON3 = """\
#!/bin/sh
echo "$@" >> "{calls}"
exec "{python}" "$@"
"""


def program(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_jobs_run_with_the_interpreter_of_the_container(tmp_path):
    checkout, calls = Checkout(tmp_path / "checkout"), tmp_path / "calls"
    program(tmp_path / "host" / "apptainer", APPTAINER.replace("{programs}", str(tmp_path / "inside")))
    program(tmp_path / "inside" / "python3", PYTHON3.format(calls=calls, python=sys.executable))
    checkout.environment["PATH"] = os.pathsep.join([str(tmp_path / "host"), os.environ["PATH"]])
    (checkout.root / "blindbench.sif").touch()
    manifest = "results/tiny/observations/demo-uniform/manifest.json"
    done = checkout.run(manifest, "--software-deployment-method", "apptainer")
    assert done.returncode == 0, done.stderr
    assert calls.read_text() == "-m benchmark synthesize demo-uniform --results results/tiny\n"


def test_both_recipes_install_the_same_on_the_oldest_python_that_is_supported():
    docker, apptainer = ((RECIPES / name).read_text() for name in ("Dockerfile", "blindbench.def"))
    base = re.search(r"^FROM (.*)$", docker, re.MULTILINE).group(1)
    assert f"\nFrom: {base}\n" in apptainer
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert base == f"python:{oldest.removeprefix('>=')}-slim"
    copied = re.search(r"^COPY (.*) (\S+)$", docker, re.MULTILINE)
    files = apptainer.partition("%files\n")[2].partition("\n\n")[0]
    assert re.findall(r"^    (\S+) (\S+)$", files, re.MULTILINE) == [
        (name, copied[2]) for name in copied[1].split()
    ]
    assert all((ROOT / name).exists() for name in copied[1].split() if not name.startswith("dist/"))
    (steps,) = re.findall(r"^RUN (.*)$", docker, re.MULTILINE)
    assert f"%post\n    {steps}\n" in apptainer
