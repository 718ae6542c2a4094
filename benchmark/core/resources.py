"""Find the files that ship with the code, and the folder for downloaded data.

Descriptors of datasets, configs, schemas and the workflow lie in folders at the top of a checkout. An
installed copy has them inside the package, in `benchmark/shipped/` (see `pyproject.toml`).
"""

import os
import subprocess
from importlib import metadata
from pathlib import Path

from benchmark.core.errors import InputError

MIRROR = "BLINDBENCH_MIRROR"  # environment variable: the data/ and weights/ in its folder are searched first
_CHECKOUT = Path(__file__).resolve().parents[2]
_INSTALLED = _CHECKOUT / "benchmark" / "shipped"  # does not exist in a checkout


def checkout() -> Path | None:
    """Return the top of the repository; None for an installed copy."""
    return None if _INSTALLED.is_dir() else _CHECKOUT


def shipped(name: str) -> Path:
    """Return the path of a shipped file or folder.

    Args:
        name: Its path from the top of the repository, such as `config/demo.yaml`.
    """
    return (_INSTALLED if _INSTALLED.is_dir() else _CHECKOUT) / name


def here_or_shipped(path: Path) -> Path:
    """Return `path` if it exists, else the shipped file of that name; `path` if there is none of both."""
    own = shipped(str(path))
    return own if own.exists() and not path.exists() else path


def data_folder() -> Path:
    """Return the folder that holds `<source>/` for each downloaded source.

    It is `datasets/` of the checkout. For an installed copy it is `datasets/` below the current directory.
    """
    return Path.cwd() / "datasets" if _INSTALLED.is_dir() else _CHECKOUT / "datasets"


def mirror() -> Path | None:
    """Return the folder of data and weights that is searched first; None where there is none.

    The environment variable `MIRROR` names it; `~` is the user's home.

    Raises:
        InputError: there is no such folder.
    """
    name = os.environ.get(MIRROR)
    if not name:
        return None
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise InputError(f"{MIRROR}={name}: no such folder; correct it, or unset it")
    return folder


def version() -> str:
    """Return the version: `git describe` of a checkout, else that of the installed package.

    Changes that are not committed add `-dirty`. Without either source the version is 'unknown'.
    """
    if (_CHECKOUT / ".git").exists():
        command = ["git", "describe", "--tags", "--always", "--dirty", "--abbrev=12"]
        try:
            described = subprocess.run(
                command, cwd=_CHECKOUT, capture_output=True, text=True, check=True, timeout=20
            )
            return described.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass  # no git program, or a checkout of another user
    try:
        return metadata.version("blindbench")
    except metadata.PackageNotFoundError:
        return "unknown"
