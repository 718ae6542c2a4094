"""Train a network as a job: from an order to weights, losses, a sheet, quality and a model card."""

import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmark.core.errors import InputError
from benchmark.core.files import locked, remove_leftovers, write_json, write_text
from benchmark.core.hashes import digest, files_hash
from benchmark.core.progress import Report
from benchmark.core.resources import version
from benchmark.core.seals import sealed
from benchmark.pretraining.card import model_card
from benchmark.pretraining.photographs import Collection, collect, collect_pairs, read, read_pairs
from benchmark.pretraining.quality import quality
from benchmark.pretraining.sheet import draw
from benchmark.runs import provenance
from benchmark.runs.settings import effective
from methods.parts.solver import device_name
from methods.training import registry
from methods.training.loop import History, Materials, Trainee, train

HELD_OUT = 500  # kernels or photographs that quality is measured on


@dataclass(frozen=True)
class Order:
    """What to train, on what, and for how long: an entry of `pretrain` in a config."""

    training: str  # its name
    settings: Mapping[str, Any] = field(default_factory=dict)  # those that differ from the defaults
    images: tuple[str, ...] = ()  # folders of photographs, or sources
    pairs: tuple[str, ...] = ()  # folders of blurry and sharp photographs, or sources
    start: str = ""  # a folder: begin with the weights that an earlier training wrote there; empty: at random
    terms: str = ""  # of the photographs; empty means those that their sources state
    steps: int | None = None  # None means the training's own number
    minutes: float | None = None  # ends the training too; its learning rates fall within this time
    seed: int = 0
    remark: str = ""  # a part of the weights' label, such as 'demo'
    half: bool = False  # whether weights are stored in half precision


@dataclass(frozen=True)
class Job:
    """A checked order and the folder that its results go to."""

    order: Order
    folder: Path

    @classmethod
    def checked(cls, order: Order, folder: Path) -> "Job":
        """Check an order before any work. Raises InputError saying what is wrong with it."""
        job = cls(order, folder)
        _ = job.settings  # checks name and settings
        if order.minutes is not None and not order.minutes > 0:
            raise InputError(f"max-minutes must be positive, not {order.minutes:g}")
        if order.steps is not None and order.steps < 1:
            raise InputError(f"steps must be positive, not {order.steps}")
        if not 0 <= order.seed < 2**32:
            raise InputError(f"the seed must lie between 0 and {2**32 - 1}, not {order.seed}")
        if job.training.photographs and not (order.images or order.pairs):
            raise InputError(
                f"{order.training} learns from photographs; give --images a folder (in a config: images)"
            )
        if order.pairs and not job.training.pairs:
            raise InputError(f"{order.training} learns from no pairs; leave out --pairs (in a config: pairs)")
        if order.pairs and order.images:
            raise InputError("images and pairs are both given; leave out one of them")
        if order.start and job.training.no_start:
            raise InputError(f"start: {job.training.no_start}")
        if order.start and Path(order.start).resolve() == folder.resolve():
            raise InputError(f"start: {order.start}: is where the results go; write them elsewhere, by --out")
        if order.images and not job.training.photographs:
            raise InputError(
                f"{order.training} learns from no photographs; leave out --images (in a config: images)"
            )
        return job

    @cached_property
    def training(self) -> registry.Training:
        """The training that the order names. Raises InputError when there is none."""
        return registry.find(self.order.training)

    @cached_property
    def settings(self) -> Any:
        """All settings of the training. Raises InputError for one that does not exist or is out of range."""
        name, overrides = self.order.training, dict(self.order.settings)
        if "kernel_size" in overrides and "kernel_size" not in _names(self.training.settings):
            raise InputError(f"{name} takes no kernel size")
        return effective(self.training.settings, overrides, name)

    @property
    def stem(self) -> str:
        """The start of the files' names: `<training>-<kernel size>`, or `<training>` where it has no size."""
        size = getattr(self.settings, "kernel_size", None)
        return self.order.training if size is None else f"{self.order.training}-{size}"

    @property
    def record_path(self) -> Path:
        """The record, written after all other files: a job with a record is finished."""
        return self.folder / f"{self.stem}.json"

    @property
    def starts(self) -> list[Path]:
        """The weights that it begins with: those that an earlier job of the same kind wrote."""
        folder = Path(self.order.start)
        return [folder / path.name for path in self.outputs] if self.order.start else []

    @property
    def inputs(self) -> list[Path]:
        """The weights of earlier trainings that it reads."""
        return [*self.training.inputs(self.settings, self.folder), *self.starts]

    @property
    def outputs(self) -> list[Path]:
        """The weights that it writes."""
        return [self.folder / name for name in self.training.outputs(self.settings)]

    @cached_property
    def photographs(self) -> Collection:
        """The photographs to train on. Raises InputError as `collect` and `collect_pairs` do."""
        if self.order.pairs:
            return collect_pairs(self.order.pairs, self.order.terms)
        return collect(self.order.images, self.order.terms)

    @property
    def files(self) -> list[Path]:
        """All that it writes and seals, the record first."""
        beside = [self.record_path.with_suffix(suffix) for suffix in (".csv", ".png", ".md")]
        return [self.record_path, *beside, *self.outputs]

    def recipe(self) -> str:
        """Return a hash of the order, all settings, and the photographs."""
        of_files = {"images": [], "pairs": [], "start": bool(self.order.start)}  # by their content instead
        order = asdict(self.order) | {"settings": asdict(self.settings)} | of_files
        return digest(order, self.photographs.identity)

    def identity(self) -> str:
        """Return a hash that finished weights are recognised by; a change of code trains nothing again."""
        return digest(self.recipe(), files_hash(self.inputs))

    @property
    def command(self) -> str:
        """The command line that does the same job."""
        order = self.order
        arguments = ["blindbench", "pretrain", order.training]
        for key, value in sorted(order.settings.items()):
            arguments += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
        for folder in order.images:
            arguments += ["--images", folder]
        for folder in order.pairs:
            arguments += ["--pairs", folder]
        options = {
            "start": order.start or None,
            "max-minutes": order.minutes and f"{order.minutes:g}",
            "steps": order.steps,
            "seed": order.seed or None,
            "data-terms": order.terms or None,
            "remark": order.remark or None,
        }
        for key, value in options.items():
            if value:
                arguments += [f"--{key}", str(value)]
        return shlex.join(arguments + ["--half"] * order.half)


def jobs(orders: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Job]:
    """Make the jobs of a config's `pretrain`, by stem.

    Raises:
        InputError: An order is wrong, or two jobs write the same file.
    """
    by_stem: dict[str, Job] = {}
    writers: dict[Path, str] = {}
    for number, entry in enumerate(orders):
        of_order: dict[str, Any] = {key: value for key, value in entry.items() if key != "threads"}
        of_order |= {key: tuple(entry.get(key, ())) for key in ("images", "pairs")}
        try:
            job = Job.checked(Order(**of_order), folder)
        except InputError as error:
            raise InputError(f"pretrain[{number}]: {error}") from error
        for path in (job.record_path, *job.outputs):
            if path in writers:
                raise InputError(f"pretrain: {writers[path]} and {job.stem} both write {path.name}")
            writers[path] = job.stem
        by_stem[job.stem] = job
    return by_stem


def pretrain(job: Job, device: torch.device, processes: int, report: Report) -> bool:
    """Do a job, or continue a killed one from its checkpoint.

    Writes into the job's folder the weights; `<stem>.csv`, the losses; `<stem>.png`, the sheet; `<stem>.md`,
    the model card; `<stem>.json`, the record with the quality; and last `<stem>.sha256`, the seal of all.

    Args:
        job: The checked job.
        device: Where to train.
        processes: How many may prepare data at once.
        report: Takes the progress.

    Returns:
        False when the job was finished before.

    Raises:
        InputError: weights to begin with are missing or do not fit.
    """
    for path in job.starts:
        if not path.is_file():
            raise InputError(f"start: {path} is missing; name a folder with the weights of {job.stem}")
    with locked(job.folder / f".{job.stem}.lock"):
        identity = job.identity()
        if _is_finished(job, identity):
            return False
        remove_leftovers(job.folder)
        materials = _materials(job, processes)
        trainee = job.training.start(job.settings, materials, job.order.seed, device, report)
        earlier = trainee.begin_with(Path(job.order.start)) if job.order.start else 0
        saved = job.folder / f".{job.stem}.checkpoint.pt"
        history = train(
            trainee,
            job.stem,
            report,
            saved=saved,
            key=digest(identity, provenance.code_hash(job.training.start.__module__)),
            steps=job.order.steps,
            max_minutes=job.order.minutes,
        )
        with sealed(*job.files):
            _write(job, trainee, history, earlier, identity, device, report)
        saved.unlink(missing_ok=True)
    return True


def _materials(job: Job, processes: int) -> Materials:
    """Read the photographs of a job."""
    training, held_out = job.photographs.split()
    materials = Materials(weights=job.folder, processes=processes)
    if job.order.pairs:
        return replace(materials, pairs=read_pairs(training), held_out_pairs=read_pairs(held_out))
    return replace(materials, photographs=read(training), held_out=read(held_out))


def _is_finished(job: Job, identity: str) -> bool:
    """Tell whether the record is that of this job and all weights are there."""
    try:
        record = json.loads(job.record_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return record.get("identity") == identity and all(path.exists() for path in job.outputs)


def _write(
    job: Job,
    trainee: Trainee,
    history: History,
    earlier: int,
    identity: str,
    device: torch.device,
    report: Report,
) -> None:
    """Write the weights, and all that tells how good they are.

    Args:
        job: The job.
        trainee: Its training, at the end.
        history: Of the training.
        earlier: How many steps had made the weights that it began with.
        identity: Of the job.
        device: Where it was trained.
        report: Takes the progress.
    """
    evidence = trainee.examine(HELD_OUT, report)
    trainee.save(job.folder, earlier + history.step, job.order.remark, job.order.half)
    write_text(job.folder / f"{job.stem}.csv", pd.DataFrame(history.rows).to_csv(index=False))
    draw(evidence, job.folder / f"{job.stem}.png")
    record = {
        "identity": identity,
        "title": job.training.title,
        "label": " ".join(dict.fromkeys([*trainee.label.split(), *job.order.remark.split()])),
        "command": job.command,
        "settings": asdict(job.settings),
        "seed": job.order.seed,
        "steps": history.step,
        "earlier_steps": earlier,
        "minutes": round(history.seconds / 60, 2),
        "photographs": len(job.photographs.files),
        "terms": job.photographs.terms,
        "weights": {path.name: files_hash([path]) for path in job.outputs},
        "quality": quality(evidence, report),
        "code_version": version(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    card = model_card(record, paper=job.training.paper, data=_data(job), half=job.order.half)
    write_text(job.folder / f"{job.stem}.md", card)
    write_json(job.record_path, record)


def _data(job: Job) -> str:
    """Say what a job trains on, and under which terms."""
    training, held_out = job.photographs.split()
    if not training:
        return "synthetic kernels, no photographs"
    folders = ", ".join([*job.order.images, *job.order.pairs])
    counts = f"{len(training)} photographs ({folders}), {len(held_out)} more held out"
    return f"{counts}; their terms: {job.photographs.terms}"


def _names(settings: type) -> list[str]:
    return [entry.name for entry in fields(settings)]
