"""Write the model card of trained weights: what a person has to know of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

CARD = """\
# {title}

Results made with these weights are labelled `{label}`.

- Paper: {paper}
- Weights: {files}
- Data: {data}
- Trained for {steps} steps in {minutes:g} minutes on {device}, threads: {threads}{before}
- Seed: {seed}
- Code: {code_version}

    {command}

## Quality

On held-out kernels and photographs. `similarity`: median of the largest normalised cross-correlation over
shifts, 1 is perfect; `similarity_low`: its 10 % quantile; `misplaced`: share of the kernel's mass in the
wrong place; `ratio`, `success`: median error ratio of restored crops, and the share of them with at most 3;
`correlation`: mean over pairs of samples; `noise loss`: mean squared error of the noise that a diffusion
model predicts, 1 where it has learnt nothing.

{quality_table}

## Settings

{settings_table}
"""


def model_card(record: Mapping[str, Any], *, paper: str, data: str, half: bool) -> str:
    """Write the card in Markdown.

    Args:
        record: As in the training's `<stem>.json`.
        paper: What the training implements.
        data: What it was trained on, and the terms.
        half: Whether the weights are stored in half precision.
    """
    return CARD.format(
        **record,
        paper=paper,
        files=", ".join(f"`{name}`" + " (float16)" * half for name in record["weights"]),
        data=data,
        before=f"; begun with weights of {earlier} steps" if (earlier := record["earlier_steps"]) else "",
        quality_table=_table([{"": name, **row} for name, row in record["quality"].items()]),
        settings_table=_table(
            [{"setting": name, "value": str(value)} for name, value in record["settings"].items()]
        ),
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row.get(key, "")) for key in keys] for row in rows]
    return tabulate(cells, headers=keys, tablefmt="github", disable_numparse=True)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
