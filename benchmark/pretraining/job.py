"""Pre-train networks: from an order to weights, losses, a sheet, quality and a model card in one folder."""

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
from tabulate import tabulate

from benchmark.core.files import locked, remove_leftovers, write_text
from benchmark.core.progress import Report
from benchmark.core.resources import version
from benchmark.core.types import InputError
from benchmark.pretraining.photographs import Collection, collected, collected_pairs, read, read_pairs
from benchmark.pretraining.quality import draw, quality
from benchmark.runs import provenance
from benchmark.runs.settings import effective
from methods.parts.solver import device_name
from methods.training import registry
from methods.training.loop import History, Materials, Trainee, train

HELD_OUT = 500  # items that the trained networks are examined with


@dataclass(frozen=True)
class Order:
    """What is to be trained, on what, and for how long; the keys are those of `pretrain` in a config."""

    training: str
    settings: Mapping[str, Any] = field(default_factory=dict)  # that differ from the training's own
    images: tuple[str, ...] = ()  # folders of photographs, or sources
    pairs: tuple[str, ...] = ()  # folders of blurry and sharp photographs, or sources
    terms: str = ""  # of the photographs; those that their sources state by default
    steps: int | None = None  # the training's own number by default
    minutes: float | None = None  # after which it ends, too, rates and all
    seed: int = 0
    remark: str = ""  # goes into the weights' label, such as 'demo'
    half: bool = False  # store float16


@dataclass(frozen=True)
class Job:
    """A checked order and the folder that its results go to."""

    order: Order
    folder: Path

    @classmethod
    def checked(cls, order: Order, folder: Path) -> "Job":
        """Raises InputError for whatever can be told before the work."""
        job = cls(order, folder)
        _ = job.settings
        if order.minutes is not None and not order.minutes > 0:
            raise InputError(f"max-minutes must be positive, not {order.minutes:g}")
        if order.steps is not None and order.steps < 1:
            raise InputError(f"steps must be positive, not {order.steps}")
        if not 0 <= order.seed < 2**32:
            raise InputError(f"the seed must lie between 0 and {2**32 - 1}, not {order.seed}")
        if job.training.photographs and not (order.images or order.pairs):
            raise InputError(
                f"{order.training} learns from photographs; give --images a folder that holds some"
            )
        if order.pairs and not job.training.pairs:
            raise InputError(f"{order.training} learns from no pairs; leave out --pairs")
        if order.pairs and order.images:
            raise InputError("--images and --pairs are both given; leave out one")
        if order.images and not job.training.photographs:
            raise InputError(f"{order.training} learns from no photographs; leave out --images")
        return job

    @cached_property
    def training(self) -> registry.Training:
        """Raises InputError when there is none of the name."""
        return registry.find(self.order.training)

    @cached_property
    def settings(self) -> Any:
        """The effective ones. Raises InputError for one that does not exist or cannot be."""
        name, overrides = self.order.training, dict(self.order.settings)
        if "kernel_size" in overrides and "kernel_size" not in _names(self.training.settings):
            raise InputError(f"{name} takes no kernel size")
        return effective(self.training.settings, overrides, name)

    @property
    def stem(self) -> str:
        """Of the files' names: `<training>-<kernel size>`, or the training alone when it has none."""
        size = getattr(self.settings, "kernel_size", None)
        return self.order.training if size is None else f"{self.order.training}-{size}"

    @property
    def record_path(self) -> Path:
        """The last file that is written."""
        return self.folder / f"{self.stem}.json"

    @property
    def inputs(self) -> list[Path]:
        """Earlier trainings' weights that it reads."""
        return list(self.training.inputs(self.settings, self.folder))

    @property
    def outputs(self) -> list[Path]:
        """The weights that it writes."""
        return [self.folder / name for name in self.training.outputs(self.settings)]

    @cached_property
    def photographs(self) -> Collection:
        """Raises InputError as `collected` and `collected_pairs` do."""
        if self.order.pairs:
            return collected_pairs(self.order.pairs, self.order.terms)
        return collected(self.order.images, self.order.terms)

    def recipe(self) -> str:
        """Changes with the order, what the training's own settings add to it, and the photographs."""
        order = asdict(self.order) | {"settings": asdict(self.settings), "images": [], "pairs": []}
        return provenance.digest(order, self.photographs.identity)

    def identity(self) -> str:
        """Decides whether finished weights are the ordered ones: code may change without training anew."""
        return provenance.digest(self.recipe(), provenance.files_hash(self.inputs))

    @property
    def command(self) -> str:
        """The command line of this order."""
        order = self.order
        words = ["blindbench", "pretrain", order.training]
        for key, value in sorted(order.settings.items()):
            words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
        for image in order.images:
            words += ["--images", image]
        for folder in order.pairs:
            words += ["--pairs", folder]
        options = {
            "max-minutes": order.minutes and f"{order.minutes:g}",
            "steps": order.steps,
            "seed": order.seed or None,
            "data-terms": order.terms or None,
            "remark": order.remark or None,
        }
        words += [word for key, value in options.items() if value for word in (f"--{key}", str(value))]
        return shlex.join(words + ["--half"] * order.half)


def jobs(orders: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Job]:
    """The jobs of a config's `pretrain`, by stem. Raises InputError where two write the same weights."""
    found: dict[str, Job] = {}
    makers: dict[Path, str] = {}
    for number, entry in enumerate(orders):
        of_order: dict[str, Any] = {key: value for key, value in entry.items() if key != "threads"}
        of_order |= {key: tuple(entry.get(key, ())) for key in ("images", "pairs")}
        try:
            job = Job.checked(Order(**of_order), folder)
        except InputError as error:
            raise InputError(f"pretrain[{number}]: {error}") from error
        for path in (job.record_path, *job.outputs):
            if path in makers:
                raise InputError(f"pretrain: {makers[path]} and {job.stem} both write {path.name}")
            makers[path] = job.stem
        found[job.stem] = job
    return found


def pretrain(job: Job, device: torch.device, processes: int, report: Report) -> bool:
    """Do the job, or go on where a killed one stopped; False when it was finished before.

    Writes into its folder: the weights; `<stem>.csv`, the losses; `<stem>.png`, what the networks make of
    held-out data; `<stem>.md`, the model card; at last `<stem>.json`, the record with the quality.
    """
    with locked(job.folder / f".{job.stem}.lock"):
        identity = job.identity()
        if _finished(job, identity):
            return False
        remove_leftovers(job.folder)
        training_files, held_out_files = job.photographs.split()
        materials = Materials(weights=job.folder, processes=processes)
        if job.order.pairs:
            chosen, held_out = read_pairs(training_files), read_pairs(held_out_files)
            materials = replace(materials, pairs=chosen, held_out_pairs=held_out)
        else:
            sharp, unseen = read(training_files), read(held_out_files)
            materials = replace(materials, photographs=sharp, held_out=unseen)
        trainee = job.training.start(job.settings, materials, job.order.seed, device, report)
        saved = job.folder / f".{job.stem}.checkpoint.pt"
        history = train(
            trainee,
            job.stem,
            report,
            saved=saved,
            key=provenance.digest(identity, provenance.code_hash(job.training.start.__module__)),
            steps=job.order.steps,
            max_minutes=job.order.minutes,
        )
        _write(job, trainee, history, identity, device, report)
        saved.unlink(missing_ok=True)
    return True


def _finished(job: Job, identity: str) -> bool:
    try:
        record = json.loads(job.record_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return record.get("identity") == identity and all(path.exists() for path in job.outputs)


def _write(
    job: Job, trainee: Trainee, history: History, identity: str, device: torch.device, report: Report
) -> None:
    evidence = trainee.examine(HELD_OUT, report)
    trainee.save(job.folder, history.step, job.order.remark, job.order.half)
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
        "minutes": round(history.seconds / 60, 2),
        "photographs": len(job.photographs.files),
        "terms": job.photographs.terms,
        "weights": {path.name: provenance.files_hash([path]) for path in job.outputs},
        "quality": quality(evidence, report),
        "code_version": version(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    write_text(job.folder / f"{job.stem}.md", model_card(job, record))
    write_text(job.record_path, json.dumps(record, indent=2) + "\n")


CARD = """\
# {title}

Results made with these weights are labelled `{label}`.

- Paper: {paper}
- Weights: {files}
- Data: {data}
- Trained for {steps} steps in {minutes:g} minutes on {device}, threads: {threads}
- Seed: {seed}
- Code: {code_version}

    {command}

## Quality

On held-out kernels and photographs. `similarity`: median of the largest normalised cross-correlation over
shifts, 1 is perfect, `similarity_low` its 10 % quantile; `misplaced`: share of the kernel's mass in the wrong
place; `ratio`, `success`: median error ratio of restored crops, and the share of them with at most 3;
`correlation`: mean between pairs of samples; `noise loss`: mean squared error of the noise that a diffusion
model tells, 1 where it tells none.

{quality_table}

## Settings

{settings_table}
"""


def model_card(job: Job, record: Mapping[str, Any]) -> str:
    """What a person has to know of the weights, in Markdown; `record` is that of `pretrain`."""
    training, held_out = job.photographs.split()
    folders = ", ".join([*job.order.images, *job.order.pairs])
    data = f"{len(training)} photographs ({folders}), {len(held_out)} more held out"
    return CARD.format(
        **record,
        paper=job.training.paper,
        files=", ".join(f"`{name}`" + " (float16)" * job.order.half for name in record["weights"]),
        data=f"{data}; their terms: {record['terms']}" if training else "synthetic kernels, no photographs",
        quality_table=_table([{"": name, **row} for name, row in record["quality"].items()]),
        settings_table=_table([{"setting": k, "value": str(v)} for k, v in record["settings"].items()]),
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row.get(key, "")) for key in keys] for row in rows]
    return tabulate(cells, headers=keys, tablefmt="github", disable_numparse=True)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _names(settings: type) -> list[str]:
    return [entry.name for entry in fields(settings)]
