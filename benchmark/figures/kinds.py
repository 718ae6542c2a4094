"""The kinds of figures that papers have: `KINDS` has one entry for each, and a function that draws it.

To add a kind, write its function and its entry here, or its function in a file of its own; definitions in
papers.yaml name it.
"""

import pandas as pd

from benchmark.core.types import Array, InputError
from benchmark.figures.comparisons import comparison
from benchmark.figures.definition import Drawing, Kind
from benchmark.figures.gradients import gradients_plot
from benchmark.figures.iteration_plots import runs_plot, stopping_plot
from benchmark.figures.kernel_fields import kernel_fields
from benchmark.figures.kernel_frequencies import kernel_frequencies_plot
from benchmark.figures.landscape import landscape_plot
from benchmark.figures.score_plots import conditions_plot, sensitivity_plot, success_plot
from benchmark.figures.training_sheets import find_sheets, training_sheets
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, SCORE_COLUMNS, read_frame
from benchmark.scoring.scores import score_method
from benchmark.tables.convergence import stopping_losses


def _sensitivity(drawing: Drawing) -> None:
    """Draw PSNR of every seed, case by case."""
    content = drawing.content
    frames = [
        score_method(
            drawing.store, dataset, method, cases, seed=seed, protocol=content.protocol, metrics=["psnr"]
        )
        for dataset, cases in content.cases.items()
        for method in content.methods
        for seed in content.seeds
    ]
    sensitivity_plot(pd.concat(frames, ignore_index=True), drawing.out, drawing.text, content.titles)


def _pretraining(drawing: Drawing) -> None:
    """Show what pre-trained networks do with held-out data."""
    sheets = find_sheets(drawing.figure.sheets, drawing.store.root)
    training_sheets(sheets, drawing.text, drawing.out)


def _conditions(drawing: Drawing) -> None:
    """Draw mean scores, a line per method from one condition to the next."""
    content = drawing.content
    conditions_plot(read_scores(drawing), content.conditions, drawing.out, drawing.text, content.titles)


def _success(drawing: Drawing) -> None:
    """Draw the share of images that are at least as good as a threshold."""
    success_plot(read_scores(drawing), drawing.out, drawing.text, drawing.content.titles)


def _stopping(drawing: Drawing) -> None:
    """Draw how far the results of early stopping, and the last iterations, fall short of the best ones."""
    stopping_plot(stopping_losses(read_scores(drawing)), drawing.out, drawing.text)


def _runs(drawing: Drawing) -> None:
    """Draw PSNR over the iterations of single runs."""
    runs_plot(read_scores(drawing), drawing.out, drawing.text, drawing.content.titles)


def _gradients(drawing: Drawing) -> None:
    """Draw the distribution of gradients in sharp images and in what is observed of them."""
    sharp: dict[str, Array] = {}
    observed: dict[str, list[Array]] = {}
    for dataset, cases in drawing.content.cases.items():
        for case in cases:
            truth = drawing.store.read_truth(dataset, case).sharp
            if truth is not None:
                sharp.setdefault(case, truth)
            blurry = drawing.store.read_observation(dataset, case).blurry
            observed.setdefault(f"observed, {dataset}", []).append(blurry)
    images = {"sharp": list(sharp.values())} if sharp else {}
    gradients_plot(images | observed, drawing.out, drawing.text)


def _landscape(drawing: Drawing) -> None:
    """Draw regularisers of three pixels."""
    landscape_plot(drawing.out, drawing.text)


def _kernel_frequencies(drawing: Drawing) -> None:
    """Draw the errors of kernel priors over the steps of their fit to the kernel of the first case."""
    (dataset, (case, *_)), *_ = drawing.content.cases.items()
    truth = drawing.store.read_truth(dataset, case)
    if truth.sharp is None or truth.kernels is None:
        raise InputError(f"{dataset}/{case}: no sharp image or no true kernel is known")
    steps = int(drawing.figure.options["steps"])
    kernel_frequencies_plot(truth.sharp, truth.kernels[0], steps, drawing.out, drawing.text)


def read_scores(drawing: Drawing) -> pd.DataFrame:
    """Read the profile's scores of a figure's conditions, methods and metrics in the figure's order."""
    kind = drawing.figure.kind
    columns = CONVERGENCE_COLUMNS if kind.reads == "convergence.csv" else SCORE_COLUMNS
    scores = read_frame(drawing.store.root / kind.reads, columns)
    of_conditions = scores[scores.dataset.isin(list(drawing.content.conditions.values()))]
    ordered = [
        of_conditions[(of_conditions.metric == metric) & (of_conditions.method == method)]
        for metric in drawing.figure.metrics
        for method in drawing.content.methods
    ]
    return pd.concat(ordered, ignore_index=True)


_ENTRIES = (
    Kind("comparison", "cases", comparison, methods="optional", names_protocol=True),
    Kind("fields", "cases", kernel_fields),
    Kind("sensitivity", "cases", _sensitivity, all_seeds=True),
    Kind("pretraining", "sheets", _pretraining, methods="none"),
    Kind("conditions", "scores.csv", _conditions, all_seeds=True),
    Kind("success", "scores.csv", _success, all_seeds=True),
    Kind("stopping", "convergence.csv", _stopping, all_seeds=True),
    Kind("runs", "convergence.csv", _runs, all_seeds=True),
    Kind("gradients", "cases", _gradients, methods="none"),
    Kind("landscape", "nothing", _landscape, methods="none"),
    Kind("kernel-frequencies", "cases", _kernel_frequencies, methods="none", options=("steps",)),
)
KINDS = {kind.name: kind for kind in _ENTRIES}
