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


def draw(figure: PaperFigure, store: Store, content: Content, texts: Sequence[str], out: Path) -> list[str]:
    """Write `out`.png and `out`.pdf.

    The caption has the figure's title, the datasets, the definition's caption, `texts`, and what is missing.
    Where nothing can be shown, the caption is all there is.

    Args:
        figure: The definition.
        store: The results folder.
        content: What the profile can show.
        texts: Sentences for the caption.
        out: The files without their suffix.

    Returns:
        A sentence, without a full stop, on each thing that is missing.
    """
    drawing = Drawing(figure, store, content, "", out)
    why_empty = _why_empty(drawing)
    absent: list[str] = []
    if figure.kind.reads == "cases":
        absent = [method for method in content.methods if not _has_image(drawing, method)]
    missing = [why_empty] if why_empty else [f"no image of these cases by {', '.join(absent)}"] * bool(absent)
    parts = [
        f"{figure.title.rstrip('.')}.",
        _datasets(drawing),
        figure.caption,
        *texts,
        *(f"{sentence[0].upper()}{sentence[1:]}." for sentence in missing),
    ]
    text = " ".join(part for part in parts if part)
    if why_empty:
        text_figure(text, out)
    else:
        methods = [method for method in content.methods if method not in absent]
        figure.kind.draw(replace(drawing, content=replace(content, methods=methods), text=text))
    return missing


def _datasets(drawing: Drawing) -> str:
    """Name the datasets and, where PSNR is shown, the seed and the protocol."""
    content = drawing.content
    if not content.datasets:
        return ""
    names = ", ".join(content.datasets)
    if drawing.figure.kind.names_protocol:
        return f"{names}, seed {drawing.seed}, PSNR by protocol {content.protocol}."
    return f"{names}."


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
    if figure.kind.reads == "sheets" and not find_sheets(figure.sheets, results):
        return f"there is no {figure.sheets} in {results / PRETRAINED}: see `blindbench pretrain`"
    if figure.kind.reads in ("sheets", "nothing"):
        return ""
    if not content.datasets:
        return "none of its datasets is here"
    if not content.methods and figure.kind.methods == "required":
        return "none of its methods is in this profile"
    if figure.kind.shows_conditions and read_scores(drawing).value.dropna().empty:
        return f"{figure.kind.reads} has no score of them"
    return ""
