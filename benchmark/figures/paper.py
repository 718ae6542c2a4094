"""Draw a paper's figure as its definition says, with what a profile has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from benchmark.core.types import Array, InputError
from benchmark.figures.analyses import gradients_plot, kernel_models_plot, landscape_plot
from benchmark.figures.comparisons import comparison, nothing_to_show, training_sheets
from benchmark.figures.definition import PRETRAINED, WITHOUT_METHODS, PaperFigure
from benchmark.figures.fields import kernel_fields
from benchmark.figures.images import restored
from benchmark.figures.scores import conditions_plot, gaps_plot, runs_plot, sensitivity_plot, success_plot
from benchmark.runs.names import Titles
from benchmark.runs.store import Store
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, SCORE_COLUMNS, read_frame
from benchmark.scoring.scores import score_method
from benchmark.tables.convergence import stopping_losses


@dataclass(frozen=True)
class Shown:
    """What of a figure a profile has; no cases and no conditions: nothing."""

    cases: Mapping[str, Sequence[str]]  # by dataset
    methods: Sequence[str]
    seeds: Sequence[int]
    protocol: str
    titles: Titles
    conditions: Mapping[str, str] = field(default_factory=dict)  # or words to dataset, all of its cases

    @property
    def datasets(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys([*self.cases, *self.conditions.values()]))


def draw(figure: PaperFigure, store: Store, shown: Shown, texts: Sequence[str], out: Path) -> list[str]:
    """Write `out`.png and `out`.pdf; returns a sentence on each thing that is missing.

    Under the figure stand its title, the dataset, the definition's caption, `texts`, and what is missing:
    where nothing can be shown, they are all there is.
    """
    missing = _nothing(figure, store, shown)
    methods = [method for method in shown.methods if shown.conditions or _has_image(store, shown, method)]
    without = [method for method in shown.methods if method not in methods]
    about = f"{', '.join(shown.datasets)}." if shown.datasets else ""
    if figure.kind == "comparison" and shown.datasets:
        about = f"{about[:-1]}, seed {shown.seeds[0]}, PSNR by protocol {shown.protocol}."
    said = missing or [f"no image of these cases by {', '.join(without)}"] * bool(without)
    parts = [
        f"{figure.title.rstrip('.')}.",
        about,
        figure.caption,
        *texts,
        *(f"{line[0].upper()}{line[1:]}." for line in said),
    ]
    text = " ".join(part for part in parts if part)
    if missing:
        nothing_to_show(text, out)
    elif figure.reads:
        _draw_scores(figure, store, shown, text, out)
    else:
        _draw_images(figure, store, replace(shown, methods=methods), text, out)
    return said


def _draw_scores(figure: PaperFigure, store: Store, shown: Shown, text: str, out: Path) -> None:
    """A figure of a profile's table of scores."""
    scores = _collected(figure, store, shown)
    match figure.kind:
        case "conditions":
            conditions_plot(scores, shown.conditions, out, text, shown.titles)
        case "success":
            success_plot(scores, out, text, shown.titles)
        case "gaps":
            gaps_plot(stopping_losses(scores), out, text)
        case "runs":
            runs_plot(scores, out, text, shown.titles)


def _draw_images(figure: PaperFigure, store: Store, shown: Shown, text: str, out: Path) -> None:
    """A figure of restorations, observations, trained networks, or of nothing but formulas."""
    seed, titles = shown.seeds[0] if shown.seeds else 0, shown.titles
    match figure.kind:
        case "pretraining":
            training_sheets(figure.found_sheets(store.root), text, out)
        case "sensitivity":
            sensitivity_plot(_scores(store, shown), out, text, titles)
        case "gradients":
            gradients_plot(_images(store, shown), out, text)
        case "landscape":
            landscape_plot(out, text)
        case "kernel-models":
            kernel_models_plot(*_known_blur(store, shown), figure.steps, out, text)
        case "fields":
            kernel_fields(store, shown.cases, shown.methods, seed=seed, text=text, out=out, titles=titles)
        case _:
            comparison(
                store, shown.cases, shown.methods,
                seed=seed, protocol=shown.protocol, text=text, out=out, titles=titles,
            )  # fmt: skip


def _has_image(store: Store, shown: Shown, method: str) -> bool:
    seed = shown.seeds[0]
    folders = [
        store.case_folder(dataset, method, seed, case)
        for dataset, cases in shown.cases.items()
        for case in cases
    ]
    return any(restored(folder)[0] is not None for folder in folders)


def _nothing(figure: PaperFigure, store: Store, shown: Shown) -> list[str]:
    """Why nothing can be shown; empty when something can."""
    if figure.kind == "pretraining":
        if figure.found_sheets(store.root):
            return []
        return [f"there is no {figure.sheets} in {store.root / PRETRAINED}: see `blindbench pretrain`"]
    if not shown.cases and not shown.conditions and figure.kind != "landscape":
        return ["none of its datasets is here"]
    if not shown.methods and figure.kind not in ("comparison", *WITHOUT_METHODS):
        return ["none of its methods is in this profile"]
    if figure.reads and _collected(figure, store, shown).value.dropna().empty:
        return [f"{figure.reads} has no score of them"]
    return []


def _images(store: Store, shown: Shown) -> dict[str, list[Array]]:
    """The sharp images of all cases, each once, and what is observed of them in each dataset."""
    sharp: dict[str, Array] = {}
    observed: dict[str, list[Array]] = {}
    for dataset, cases in shown.cases.items():
        for case in cases:
            truth = store.read_truth(dataset, case).sharp
            if truth is not None:
                sharp.setdefault(case, truth)
            observed.setdefault(f"observed, {dataset}", []).append(
                store.read_observation(dataset, case).blurry
            )
    return ({"sharp": list(sharp.values())} if sharp else {}) | observed


def _known_blur(store: Store, shown: Shown) -> tuple[Array, Array]:
    """(sharp image, kernel) of the first case."""
    (dataset, (case, *_)), *_ = shown.cases.items()
    truth = store.read_truth(dataset, case)
    if truth.sharp is None or truth.kernels is None:
        raise InputError(f"{dataset}/{case}: no sharp image or no true kernel is known")
    return truth.sharp, truth.kernels[0]


def _collected(figure: PaperFigure, store: Store, shown: Shown) -> pd.DataFrame:
    """The profile's scores of what is shown, methods and metrics in the figure's order."""
    columns = CONVERGENCE_COLUMNS if figure.reads == "convergence.csv" else SCORE_COLUMNS
    scores = read_frame(store.root / figure.reads, columns)
    chosen = scores[scores.dataset.isin(list(shown.conditions.values()))]
    ordered = [
        chosen[(chosen.metric == metric) & (chosen.method == method)]
        for metric in figure.metrics
        for method in shown.methods
    ]
    return pd.concat(ordered, ignore_index=True)


def _scores(store: Store, shown: Shown) -> pd.DataFrame:
    """PSNR of every case, method and seed."""
    frames = [
        score_method(store, dataset, method, cases, seed=seed, protocol=shown.protocol, metrics=["psnr"])
        for dataset, cases in shown.cases.items()
        for method in shown.methods
        for seed in shown.seeds
    ]
    return pd.concat(frames, ignore_index=True)
