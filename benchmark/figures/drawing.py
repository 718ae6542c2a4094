"""Draw a paper's figure with what a profile can show of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.figures.definition import Content, Drawing, PaperFigure
from benchmark.figures.image_grids import read_restored
from benchmark.figures.kinds import read_scores
from benchmark.figures.layout import text_figure
from benchmark.figures.training_sheets import PRETRAINED, find_sheets
from benchmark.runs.store import Store


def draw(
    figure: PaperFigure, store: Store, content: Content, text: str, notes: Sequence[str], out: Path
) -> list[str]:
    """Write `out`.png and `out`.pdf.

    The caption has the figure's title, the datasets, the definition's caption, `text`, and what is not shown.
    Where nothing can be shown, one sentence says why.

    Args:
        figure: The definition.
        store: The results folder.
        content: What the profile can show.
        text: What the caption says of the profile.
        notes: What the plan leaves out; each without a full stop.
        out: The files without their suffix.

    Returns:
        A sentence, without a full stop, on each thing that is missing besides what the plan leaves out.
    """
    drawing = Drawing(figure, store, content, "", "", out)
    if why := _why_empty(drawing):
        text_figure(f"{figure.title.rstrip('.')}: {why}.", out)
        return [why]
    absent: list[str] = []
    if figure.kind.reads == "cases":
        absent = [method for method in content.methods if not _has_image(drawing, method)]
    missing = [f"No image of these cases by {', '.join(absent)}"] * bool(absent)
    parts = [f"{figure.title.rstrip('.')}.", _datasets(drawing), figure.caption, text]
    methods = [method for method in content.methods if method not in absent]
    figure.kind.draw(
        replace(
            drawing,
            content=replace(content, methods=methods),
            text=" ".join(filter(None, parts)),
            excluded=" ".join(f"{note}." for note in (*notes, *missing)),
        )
    )
    return missing


def _datasets(drawing: Drawing) -> str:
    """Name the datasets and, where PSNR is shown, the protocol and the seed of the methods."""
    content = drawing.content
    if not content.datasets:
        return ""
    names = f"Shown here: {', '.join(content.datasets)}"
    if drawing.figure.kind.names_protocol and _has_sharp(drawing):
        seed = f", seed {drawing.seed}" if content.methods else ""
        return f"{names}{seed}; PSNR by protocol {content.protocol}."
    return f"{names}."


def _has_sharp(drawing: Drawing) -> bool:
    """Tell whether there is anything to compare an image of the figure with."""
    truths = (
        drawing.store.read_truth(dataset, case)
        for dataset, cases in drawing.content.cases.items()
        for case in cases
    )
    return any(truth.sharp is not None or truth.frames for truth in truths)


def _has_image(drawing: Drawing, method: str) -> bool:
    """Tell whether a method has restored any of the cases."""
    folders = [
        drawing.store.case_folder(dataset, method, drawing.seed, case)
        for dataset, cases in drawing.content.cases.items()
        for case in cases
    ]
    return any(read_restored(folder)[0] is not None for folder in folders)


def _why_empty(drawing: Drawing) -> str:
    """Say why nothing can be shown; an empty text when something can."""
    figure, content, results = drawing.figure, drawing.content, drawing.store.root
    kind = figure.kind
    if kind.reads == "sheets" and not find_sheets(figure.sheets, results):
        return f"there is no {figure.sheets} in {results / PRETRAINED}: see `blindbench pretrain`"
    if kind.reads in ("sheets", "nothing"):
        return ""
    if not content.datasets:
        return "none of its datasets is here"
    if not content.methods and kind.methods == "required":
        return "none of its methods is in this profile"
    if kind.shows_conditions and not read_scores(drawing).scored.any():
        return f"{kind.reads} has no score of them"
    return kind.why_not(drawing)
