"""A copy of the code with a tiny profile, in which commands run, are killed and run again."""

import functools
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import yaml
from PIL import Image

from benchmark.core.seals import is_whole
from tests.benchmark.data.test_download import Site
from tests.conftest import ROOT

CODE = ("benchmark", "methods", "workflow", "config", "datasets")
FILES = ("Makefile", "pyproject.toml", "constraints.txt")
RESULTS = Path("results/drill")
MADE = ("results", ".snakemake", "datasets/drill", "datasets/.downloads")  # what commands write
HERE = ("--results", str(RESULTS))
# Two runs of the same command differ in these: keys of records and columns of tables.
TIME_LIKE = ("seconds", "core_seconds", "minutes", "peak_memory_mib")
TIME_LINE = "- Trained for "  # of a model card
UNCOMPARED = ("logs", "benchmarks")  # what jobs write about themselves
ARCHIVE_FILES = 40
PIECE, PAUSE = 2**16, 0.01  # bytes that the server sends at once, and seconds between two pieces


@dataclass(frozen=True)
class Scene:
    """A command that is killed."""

    name: str
    command: Sequence[str]
    share: int = 1  # of the kills, relative to the other scenes
    stops_on: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT)  # sent to the main process alone


@dataclass(frozen=True)
class Undisturbed:
    """How a scene goes when nobody kills it."""

    start: Path  # what was there before
    end: dict[str, object]  # what is compared after
    first: float  # seconds until it writes its first file
    seconds: float  # until it ends


def verb(*arguments):
    """The command line of a verb of `blindbench`."""
    return [sys.executable, "-m", "benchmark", *map(str, arguments)]


TRAINING = [
    *("pretrain", "decoder", "--out", "results/pretrain", "--steps", 40, "--kernel-size", 13),
    *("--set", "kernels=64", "--set", "batch=8", "--set", "width=8", "--device", "cpu", "--threads", 1),
]
MAKE = ["make", "-o", f"{sys.prefix}/.installed", f"VENV={sys.prefix}", "CORES=2", "tables"]

# In this order: each finds what those before it have written, and `make` begins with nothing.
SCENES = [
    Scene("download", verb("download", "drill")),
    Scene("deblur", verb("deblur", "photo.png", "--out", "results/sharp.png", "--kernel-size", 9)),
    Scene("pretrain", verb(*TRAINING)),
    Scene("synthesize", verb("synthesize", "demo-uniform", *HERE)),
    Scene("restore", verb("restore", "selfdeblur", *HERE), share=2),
    Scene("score", verb("score", "selfdeblur", *HERE)),
    Scene("collect", verb("collect", *HERE)),
    Scene("table", verb("table", "uniform", *HERE)),
    Scene("figure", verb("figure", "uniform", *HERE)),
    # On INT every `make` waits for what it has started, which Ctrl-C reaches, too.
    Scene("make tables", MAKE, share=2, stops_on=(signal.SIGTERM,)),
]
PLAN = verb("plan", "config/demo.yaml", "--write")  # before the first step by hand


class Field:
    """The copy of the code."""

    def __init__(self, root: Path) -> None:
        """Copy the code, with the tiny profile as the default config, a photo and a source to download."""
        self.root = root
        self.environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        self.environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        for name in CODE:
            ignored = shutil.ignore_patterns("__pycache__", *(Path(made).name for made in MADE))
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        for name in FILES:
            shutil.copy(ROOT / name, root / name)
        shutil.copy(ROOT / "tests/drill/tiny.yaml", root / "config/demo.yaml")
        described = root / "datasets/demo-uniform.yaml"
        small = described.read_text().replace("height: 128, width: 128", "height: 64, width: 64")
        described.write_text(small)
        dice = np.random.default_rng(0)
        rows, columns = np.mgrid[:48, :64]
        waves = np.sin(rows / 5) + np.sign(np.cos(columns / 4))
        picture = 128 + 60 * waves + dice.normal(0, 2, waves.shape)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(root / "photo.png")

    def start(self, command: Sequence[str], **options) -> subprocess.Popen:
        """Start a command as the leader of a session of its own; its output goes to a file."""
        with (self.root / "output.txt").open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment,
                start_new_session=True,
                stdout=output,
                stderr=subprocess.STDOUT,
                **options,
            )

    def output(self) -> str:
        """What the last command has printed."""
        return (self.root / "output.txt").read_text(errors="replace")

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what it has printed."""
        process = self.start(command)
        process.wait(timeout=600)
        return process.returncode, self.output()

    def reset(self, start: Path) -> None:
        """Put what commands write back to what it was."""
        for name in MADE:
            shutil.rmtree(self.root / name, ignore_errors=True)
            if (start / name).exists():
                shutil.copytree(start / name, self.root / name, copy_function=shutil.copy2)
        (self.root / "results").mkdir(exist_ok=True)

    def snapshot(self, folder: Path) -> None:
        """Copy what commands have written so far."""
        for name in MADE:
            if (self.root / name).exists():
                shutil.copytree(self.root / name, folder / name, copy_function=shutil.copy2)

    def undisturbed(self, scenes: Sequence[Scene]) -> dict[str, Undisturbed]:
        """Run every scene once, up to the last of those asked for."""
        wanted = {scene.name for scene in scenes}
        last = max(number for number, scene in enumerate(SCENES) if scene.name in wanted)
        only_make = wanted == {SCENES[-1].name}
        runs = {}
        (self.root / "results").mkdir(exist_ok=True)
        for scene in SCENES[-1:] if only_make else SCENES[: last + 1]:
            if scene is SCENES[-1]:
                self.reset(self.root / "nothing")
            if scene.name == "synthesize":
                code, output = self.run(PLAN)
                assert code == 0, output
            start = self.root / "starts" / scene.name
            self.snapshot(start)
            runs[scene.name] = self._timed(scene, start)
        return runs

    def _timed(self, scene: Scene, start: Path) -> Undisturbed:
        known, begun, first = self.files(), time.monotonic(), None
        process = self.start(scene.command)
        while process.poll() is None:
            if first is None and self.files() - known:
                first = time.monotonic() - begun
            time.sleep(0.02)
        seconds = time.monotonic() - begun
        assert process.returncode == 0, self.output()
        return Undisturbed(start, self.compared(), first or seconds / 2, seconds)

    def files(self) -> set[Path]:
        """All files that commands have written."""
        folders = [self.root / "results", self.root / "datasets/drill", self.root / "datasets/.downloads"]
        return {path for folder in folders for path in folder.rglob("*") if path.is_file()}

    def compared(self) -> dict[str, object]:
        """The content of all results by their paths, without what differs between two runs anyway."""
        kept = {}
        for path in self.files():
            name = path.relative_to(self.root)
            if not set(UNCOMPARED).intersection(name.parts) and path.suffix != ".lock":
                kept[str(name)] = without_times(path)
        return kept


def without_times(path: Path) -> object:
    """Return what a file holds, without times and memory."""
    if path.suffix == ".json":
        return _without_keys(json.loads(path.read_text()))
    if path.suffix == ".html":  # the report
        before, start, rest = path.read_text().partition('id="content">')
        shown, end, after = rest.partition("</script>")
        return [before, start, _without_keys(json.loads(shown)), end, after]
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype=str).drop(columns=list(TIME_LIKE), errors="ignore").to_csv()
    if path.suffix == ".sha256" and "results" in path.parts:  # of files that hold times: whether it is right
        names = [line.partition("  ")[2] for line in path.read_text().splitlines()]
        return [(name, is_whole(path.with_name(name))) for name in names]
    if path.suffix == ".md":
        return [line for line in path.read_text().splitlines() if not line.startswith(TIME_LINE)]
    return path.read_bytes()


def _without_keys(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_keys(entry) for key, entry in value.items() if key not in TIME_LIKE}
    return [_without_keys(entry) for entry in value] if isinstance(value, list) else value


def differences(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """Name the files that are lost, new or not the same."""
    lost = [f"{name}: lost" for name in before.keys() - after.keys()]
    new = [f"{name}: new" for name in after.keys() - before.keys()]
    changed = [f"{name}: other bytes" for name in before.keys() & after.keys() if before[name] != after[name]]
    return sorted([*lost, *new, *changed])


def session(process: subprocess.Popen) -> list[psutil.Process]:
    """All processes that a command has started and that still run, itself among them."""
    found = []
    for other in psutil.process_iter(["status"]):
        try:
            if os.getsid(other.pid) == process.pid and other.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(other)
        except ProcessLookupError:
            continue
    return found


@contextmanager
def serving(field: Field):
    """Serve an archive, slowly, and describe it as the source `drill`."""
    dice, buffer = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(ARCHIVE_FILES):
            archive.writestr(f"{number}.bin", dice.bytes(2**17))
    site = Site({"drill.zip": buffer.getvalue()})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.wfile = Slow(self.wfile)
            site.answer(self)

        def log_message(self, *arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass  # the client was killed

    with Server(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        described = field.root / "datasets/sources.yaml"
        sources = yaml.safe_load(described.read_text())
        sources["sources"]["drill"] = {
            "title": "Random bytes",
            "licence": "none",
            "page": address,
            "access": "open",
            "verified": "never",
            "archives": [{"file": "drill.zip", "url": f"{address}/drill.zip"}],
            "counts": {"*.bin": ARCHIVE_FILES},
        }
        described.write_text(yaml.safe_dump(sources))
        threading.Thread(
            target=functools.partial(server.serve_forever, poll_interval=0.05), daemon=True
        ).start()
        try:
            yield
        finally:
            server.shutdown()


class Slow:
    """A stream that takes its time."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, content):
        for start in range(0, len(content), PIECE):
            self.stream.write(content[start : start + PIECE])
            time.sleep(PAUSE)
        return len(content)

    def __getattr__(self, name):
        return getattr(self.stream, name)
