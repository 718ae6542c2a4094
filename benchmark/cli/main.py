"""The command `blindbench`: its verbs, in the groups that `--help` shows."""

import sys
from contextlib import suppress
from typing import Annotated

import typer
from typer.models import CommandInfo

from benchmark.cli import data, figures, photo, report, run, shipped, tables, tools
from benchmark.core import stop
from benchmark.core.errors import InputError
from benchmark.core.faults import MachineError, fault_behind, require_memory
from benchmark.core.resources import version

# The verbs that people type, by purpose. All other verbs are steps of the workflow.
GROUPS = {
    "Deblur a photo": ["deblur", "app", "methods"],
    "Run the benchmark": ["run", "plan", "match", "check"],
    "Get and see data": ["datasets", "download", "sheet"],
    "Check a number": ["explain", "verify", "ship", "fill", "leaderboard", "detective", "doctor", "verdicts"],
    "Write a method": ["new-method", "check-method"],
    "Train and time methods": ["pretrain", "bench"],
}
STEPS = "Steps of the workflow, which `run` takes by itself"

# What an option needs, by pydantic's names for what is wrong with its value.
NEEDED = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "yes or no",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}

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
    require_memory()


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
    [
        verb
        for part in (photo, run, data, tools, shipped, tables, report, figures)
        for verb in part.app.registered_commands
    ]
)


def main() -> None:
    """Run the command line; bad input and a failing machine are one line and exit code 2, no traceback."""
    stop.listen()
    try:
        code = app(prog_name="blindbench", standalone_mode=False)
    except KeyboardInterrupt:  # before typer has found the verb; later it returns STOPPED
        code = stop.STOPPED
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        message = _message_of(error)
        end = "" if message.endswith((".", "?")) else "."
        _fail(f"{message}{end} See: {context.command_path} --help" if context else message, 2)
    except Exception as error:
        # A reader may take a full disk or too many open files for a damaged file: the machine comes first.
        known = fault_behind(error) or _in_words(error)
        if not isinstance(known, InputError | MachineError):
            raise
        _fail(str(known), 2)
    if code == stop.STOPPED:
        _fail(stop.SENTENCE, code)
    sys.exit(code)


def _message_of(error: typer.TyperException) -> str:
    """Return the sentence on a wrong option or argument, with the value where a library leaves it out."""
    wrong = getattr(error.__cause__, "errors", None)  # typer has pydantic check values
    if wrong is None:
        return str(error.format_message())
    first = wrong()[0]
    needed = NEEDED.get(first["type"])
    if needed is None:
        error.message = first["msg"].removeprefix("Value error, ")
    else:
        error.message = f"{needed.format(**first.get('ctx', {}))} is needed, not '{first['input']}'"
    return str(error.format_message())


def _in_words(error: Exception) -> Exception:
    """Return an error of the system as one with a sentence: a folder that is closed, or too little memory."""
    if isinstance(error, OSError) and error.filename is not None:
        return InputError(
            f"{error.filename}: {error.strerror}; check that it is there and that you may use it"
        )
    if isinstance(error, MemoryError):
        return InputError("there is too little memory; close other programs, or take smaller images")
    return error


def _fail(message: str, code: int) -> None:
    with suppress(OSError):  # the log may lie on the disk that is full
        print(f"blindbench: {message}", file=sys.stderr, flush=True)
    sys.exit(code)
