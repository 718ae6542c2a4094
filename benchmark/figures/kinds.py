"""The kinds of figures that papers have: `KINDS` has one entry for each, and a function that draws it.

To add a kind, write its function and its entry here, or its function in a file of its own; definitions in
papers.yaml name it.
"""

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.types import Array
from benchmark.figures.comparisons import comparison
from benchmark.figures.data_grids import kernel_sizes, observations, scene_frames
from benchmark.figures.definition import Drawing, Kind
from benchmark.figures.field_of_view import field_of_view
from benchmark.figures.gradients import gradients_plot
from benchmark.figures.iteration_plots import runs_plot, stopping_plot
from benchmark.figures.kernel_fields import kernel_fields
from benchmark.figures.kernel_frequencies import kernel_frequencies_plot
from benchmark.figures.landscape import landscape_plot
from benchmark.figures.patch_boundaries import patch_boundaries
from benchmark.figures.score_plots import conditions_plot, sensitivity_plot, success_plot
from benchmark.figures.training_sheets import find_sheets, training_sheets
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, SCORE_COLUMNS, read_frame
from benchmark.scoring.protocols import find_protocol
from benchmark.scoring.scores import score_image, score_method
from benchmark.tables.convergence import stopping_losses
from benchmark.tables.missing import completed
from benchmark.tables.sensitivity import psnr_of_methods
from methods.parts import registry


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
    scores = completed(pd.concat([*frames, _blurry_scores(drawing)], ignore_index=True))
    shown = psnr_of_methods(scores, list(content.cases))
    sensitivity_plot(shown, drawing.out, drawing.text, content.titles, drawing.excluded)


def _blurry_scores(drawing: Drawing) -> pd.DataFrame:
    """Score the blurry inputs as the floor's restorations, which may not have run."""
    (floor,) = (method.name for method in registry.built_in().values() if method.role == "floor")
    store, protocol = drawing.store, find_protocol(drawing.content.protocol)
    metric = protocol.metric("psnr")
    rows = []
    for dataset, cases in drawing.content.cases.items():
        for case in cases:
            blurry, truth = store.read_observation(dataset, case).blurry, store.read_truth(dataset, case)
            (value,) = score_image(blurry, truth, protocol, [metric])
            names = (dataset, truth.group, case, floor, drawing.seed, protocol.name, metric.name)
            rows.append((*names, value, ""))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _pretraining(drawing: Drawing) -> None:
    """Show what pre-trained networks do with held-out data."""
    sheets = find_sheets(drawing.figure.sheets, drawing.store.root)
    training_sheets(sheets, drawing.caption(), drawing.out)


def _conditions(drawing: Drawing) -> None:
    """Draw mean scores, a line per method from one condition to the next."""
    content, scores = drawing.content, read_scores(drawing)
    conditions_plot(scores, content.conditions, drawing.out, drawing.text, content.titles, drawing.excluded)


def _success(drawing: Drawing) -> None:
    """Draw the share of images that are at least as good as a threshold."""
    scores, titles = read_scores(drawing), drawing.content.titles
    success_plot(scores, drawing.out, drawing.text, titles, drawing.excluded)


def _stopping(drawing: Drawing) -> None:
    """Draw how far the results of early stopping, and the last iterations, fall short of the best ones."""
    stopping_plot(stopping_losses(read_scores(drawing)), drawing.out, drawing.caption())


def _runs(drawing: Drawing) -> None:
    """Draw PSNR over the iterations of single runs."""
    runs_plot(read_scores(drawing), drawing.out, drawing.caption(), drawing.content.titles)


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
    gradients_plot(images | observed, drawing.out, drawing.caption())


def _landscape(drawing: Drawing) -> None:
    """Draw regularisers of three pixels."""
    landscape_plot(drawing.out, drawing.caption())


def _kernel_frequencies(drawing: Drawing) -> None:
    """Draw the errors of kernel priors over the steps of their fit to the kernel of the first case."""
    (dataset, (case, *_)), *_ = drawing.content.cases.items()
    truth = drawing.store.read_truth(dataset, case)
    if truth.sharp is None or truth.kernels is None:
        raise InputError(f"{dataset}/{case}: no sharp image or no true kernel is known")
    steps = int(drawing.figure.options["steps"])
    kernel_frequencies_plot(truth.sharp, truth.kernels[0], steps, drawing.out, drawing.caption())


def _one_seed(drawing: Drawing) -> str:
    """Refuse a spread over one seed."""
    advice = "put config/three-seeds.yaml on top of the config"
    return "" if len(drawing.content.seeds) > 1 else f"one seed has no spread; {advice}"


def _one_dataset(drawing: Drawing) -> str:
    """Refuse to compare one condition with itself."""
    datasets = drawing.content.datasets
    return "" if len(datasets) > 1 else f"it compares conditions, and only {datasets[0]} is here"


def _single_frames(drawing: Drawing) -> str:
    """Refuse to select a frame where each scene has one."""
    store, cases = drawing.store, drawing.content.cases
    frames = [(dataset, case) for dataset, names in cases.items() for case in names]
    scenes = {store.read_truth(*frame).group for frame in frames}
    why = "it selects among the frames of a scene, and each scene here has one"
    return "" if len(scenes) < len(frames) else why


def read_scores(drawing: Drawing) -> pd.DataFrame:
    """Read the profile's scores of a figure's conditions, methods and metrics in the figure's order.

    Those of restorations are `completed`; those over iterations are of the runs that have any.
    """
    kind = drawing.figure.kind
    of_runs = kind.reads == "convergence.csv"
    scores = read_frame(drawing.store.root / kind.reads, CONVERGENCE_COLUMNS if of_runs else SCORE_COLUMNS)
    scores = scores.assign(scored=True) if of_runs else completed(scores)
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
    Kind("sensitivity", "cases", _sensitivity, all_seeds=True, why_not=_one_seed),
    Kind("pretraining", "sheets", _pretraining, methods="none"),
    Kind("conditions", "scores.csv", _conditions, all_seeds=True, why_not=_one_dataset),
    Kind("success", "scores.csv", _success, all_seeds=True),
    Kind("stopping", "convergence.csv", _stopping, all_seeds=True),
    Kind("runs", "convergence.csv", _runs, all_seeds=True),
    Kind("kernel-sizes", "cases", kernel_sizes, methods="none"),
    Kind("observations", "cases", observations, methods="none", names_protocol=True, why_not=_one_dataset),
    Kind("frames", "cases", scene_frames, methods="none", why_not=_single_frames),
    Kind("field-of-view", "cases", field_of_view, methods="none"),
    Kind("patch-boundaries", "cases", patch_boundaries, methods="none", names_protocol=True),
    Kind("gradients", "cases", _gradients, methods="none"),
    Kind("landscape", "nothing", _landscape, methods="none"),
    Kind("kernel-frequencies", "cases", _kernel_frequencies, methods="none", options=("steps",)),
)
KINDS = {kind.name: kind for kind in _ENTRIES}
