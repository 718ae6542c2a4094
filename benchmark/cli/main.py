"""The command `blindbench`. Each step of the workflow is one verb, so that it can be run by hand."""

import sys

import typer

from benchmark.cli import data, figures, photo, run, tables, tools
from benchmark.core.types import InputError

app = typer.Typer(
    help="A benchmark and reproducibility suite for blind motion deblurring.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for part in (photo, run, tables, figures, data, tools):
    app.add_typer(part.app)


def main() -> None:
    """Run the command line; bad input is one line and exit code 2, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message(), 2)
    except InputError as error:
        _fail(str(error), 2)
    if code == 130:  # typer's word for Ctrl-C
        _fail(
            "stopped; a workflow, a download or a training continues when you give the same command again",
            code,
        )
    sys.exit(code)


def _fail(message: str, code: int) -> None:
    print(f"blindbench: {message}", file=sys.stderr)
    sys.exit(code)
