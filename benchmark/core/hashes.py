"""Short hashes of values and of files."""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any


def digest(*parts: Any) -> str:
    """Hash values that JSON can write, and bytes, into 16 hexadecimal digits.

    >>> digest({"iterations": 100}) == digest({"iterations": 100})
    True
    >>> digest("a", "b") == digest("ab")
    False
    """
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode())
        sha.update(b"\x1f")
    return sha.hexdigest()[:16]


def files_hash(files: Sequence[Path]) -> str:
    """Hash the names and contents of files; empty when there are none."""
    return digest(*(part for file in files for part in (file.name, _content_hash(file)))) if files else ""


def _content_hash(file: Path) -> str:
    try:
        status = file.stat()
        return _hash_of(file, status.st_ino, status.st_mtime_ns, status.st_size)
    except OSError:  # whoever needs the file says what is wrong with it
        return ""


@lru_cache(maxsize=4096)  # the weights of a network belong to every case
def _hash_of(file: Path, *state: int) -> str:
    del state  # another one, another content
    return digest(file.read_bytes())
