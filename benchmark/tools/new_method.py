"""Write the files of a new method: its code, its test, and a config that runs it."""

import importlib.util
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.errors import InputError
from benchmark.core.files import write_text
from benchmark.core.resources import checkout
from methods.parts.registry import is_taken

TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 30  # characters, so that a row of a table has room
CONFIG = Path("config/mine.yaml")  # git ignores it


@dataclass(frozen=True)
class Written:
    """What was written, and what comes next."""

    files: list[Path]
    steps: list[str]  # commands, each with a remark behind '#'


def new_method(name: str, folder: Path) -> Written:
    """Write a complete method that a person changes into theirs.

    In a checkout it becomes a file of `methods/`. An installed copy gets a package beside it, which offers
    the method by an entry point.

    Args:
        name: Of the method, such as wiener-tv.
        folder: Where the package of an installed copy goes: the working directory.

    Raises:
        InputError: The name is not allowed or taken, or a file of that name is there already.
    """
    require_name(name)
    top = checkout()
    return _in_checkout(name, top) if top else _as_package(name, folder)


def require_name(name: str) -> None:
    """Raise InputError unless a new method may have this name."""
    advice = "write small letters and digits, joined by hyphens, such as wiener-tv"
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise InputError(f"{name!r} is not allowed as the name of a method; {advice}")
    if keyword.iskeyword(module):
        raise InputError(f"'{name}' is a word of Python; choose another name")
    if is_taken(name):
        raise InputError(f"there is a method '{name}' already; choose another name")


def _in_checkout(name: str, top: Path) -> Written:
    """Write the method into the repository at `top`."""
    module = name.replace("-", "_")
    if (top / "methods" / module).exists():
        raise InputError(f"methods/{module} is a folder of the suite; choose another name")
    test = top / "tests" / "methods" / f"test_{module}.py"
    files = {top / "methods" / f"{module}.py": "method.py", test: "test_method.py"}
    config, remark = top / CONFIG, "the new method beside the blurry input"
    if config.exists():
        remark = f"first add '{name}: {{}}' below `methods`"
    else:
        files[config] = "config.yaml"
    return Written(
        _write(files, _names(name, module)),
        [
            f"blindbench check-method {name}  # does it keep what every method promises?",
            f"pytest {test.relative_to(top)}  # its own test",
            f"snakemake --cores 4 tables --configfile {CONFIG}  # {remark}",
            "make test  # names the rows that tests/methods/defaults.yaml and docs/methods.md lack",
        ],
    )


def _as_package(name: str, folder: Path) -> Written:
    """Write the method as a package of its own below `folder`."""
    module, project = f"blindbench_{name.replace('-', '_')}", f"blindbench-{name}"
    if importlib.util.find_spec(module):
        raise InputError(f"there is a package {module} already; choose another name")
    own = folder / project
    files = {
        own / f"{module}.py": "method.py",
        own / f"test_{module}.py": "test_method.py",
        own / "pyproject.toml": "pyproject.toml",
        own / "config.yaml": "config.yaml",
    }
    return Written(
        _write(files, _names(name, module)),
        [
            f"pip install --editable {own}  # from then on the suite knows the method",
            f"blindbench check-method {name}  # does it keep what every method promises?",
            f"pytest {own}  # its own test",
            f"blindbench run --cores 4 tables --configfile {own}/config.yaml  # beside the blurry input",
        ],
    )


def _names(name: str, module: str) -> dict[str, str]:
    """Return what stands for each placeholder of the templates."""
    return {"NAME": name, "MODULE": module, "TITLE": name.replace("-", " ").capitalize()}


def _write(files: Mapping[Path, str], names: Mapping[str, str]) -> list[Path]:
    """Write each file from its template, or none of them where one is there already."""
    for path in files:
        if path.exists():
            raise InputError(f"{path} is there already; choose another name, or move it away")
    for path, template in files.items():
        text = (TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
        write_text(path, re.sub("<([A-Z]+)>", lambda match: names[match[1]], text))
    return list(files)
