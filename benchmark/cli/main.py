"""The command `blindbench`: its verbs, in the groups that `--help` shows."""

import sys
from typing import Annotated

import typer
from typer.models import CommandInfo

from benchmark.cli import data, figures, photo, run, tables, tools
from benchmark.core.resources import version
from benchmark.core.types import InputError

# The verbs that people type, by purpose. All other verbs are steps of the workflow.
GROUPS = {
    "Deblur a photo": ["deblur", "methods"],
    "Run the benchmark": ["run", "plan"],
    "Get and see data": ["datasets", "download", "sheet"],
    "Check a number": ["detective", "doctor"],
    "Train and time methods": ["pretrain", "bench"],
}
STEPS = "Steps of the workflow, which `run` takes by itself"

app = typer.Typer(
    help="Benchmark of blind motion deblurring. `blindbench VERB --help` explains a verb.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(is_given: bool) -> None:
    if is_given:
        typer.echo(f"blindbench {version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version  # its callback has done the work


def _grouped(verbs: list[CommandInfo]) -> list[CommandInfo]:
    """Order the verbs by `GROUPS`, each with its group's title; steps of the workflow last."""
    by_name = {verb.name or getattr(verb.callback, "__name__", ""): verb for verb in verbs}
    typed = {name for names in GROUPS.values() for name in names}
    groups = GROUPS | {STEPS: [name for name in by_name if name not in typed]}
    for title, names in groups.items():
        for name in names:
            by_name[name].rich_help_panel = title
    return [by_name[name] for names in groups.values() for name in names]


app.registered_commands = _grouped(
    [verb for part in (photo, run, data, tools, tables, figures) for verb in part.app.registered_commands]
)


def main() -> None:
    """Run the command line; bad input is one line and exit code 2, never a traceback."""
    try:
        code = app(prog_name="blindbench", standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        message = error.format_message()
        stop = "" if message.endswith((".", "?")) else "."
        _fail(f"{message}{stop} See: {context.command_path} --help" if context else message, 2)
    except InputError as error:
        _fail(str(error), 2)
    if code == 130:  # what typer returns after Ctrl-C
        _fail("stopped; a workflow, a download or a training continues with the same command", code)
    sys.exit(code)


def _fail(message: str, code: int) -> None:
    print(f"blindbench: {message}", file=sys.stderr)
    sys.exit(code)
