"""Download one file: continue where the last attempt broke off, verify the checksum, move it into place."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests
import urllib3
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import TransferSpeedColumn as SpeedColumn

from benchmark.core.errors import InputError
from benchmark.core.files import write_text

TIMEOUT = (10, 60)  # seconds to wait for a connection to each address of a host, and for the next byte
CHUNK = 2**20  # bytes read at once


class TransferError(Exception):
    """The network or the server failed, and the same command may succeed later. The message is one line."""


def fetch(url: str, target: Path, checksum: str | None, by_hand: str) -> None:
    """Download a file. What arrived before a failure stays in `<target>.part`; the next call continues it.

    Args:
        url: Its address.
        target: Where it goes.
        checksum: "md5:..." or "sha256:..."; a file with another one is deleted.
        by_hand: Tells a person what to do instead.

    Raises:
        TransferError: The network or the server failed, or the checksum is another.
        InputError: Only a person can help, such as behind a login or with a full disk.
    """
    part = _Part(target.with_name(f"{target.name}.part"), by_hand)
    part.complete(url)
    if checksum is not None:
        algorithm, _, expected = checksum.partition(":")
        actual = pooch.file_hash(str(part.path), alg=algorithm)
        if actual != expected.lower():
            part.path.unlink()
            part.notes.unlink(missing_ok=True)
            raise TransferError(
                f"{url}: another file arrived: expected {checksum} but got {actual}; give the same command "
                f"again, or {by_hand}"
            )
    part.notes.unlink(missing_ok=True)
    part.path.replace(target)


@dataclass(frozen=True)
class _Version:
    """Identifies a version of a file on a server."""

    url: str
    validator: str = ""  # a strong ETag, else the date of the last change
    size: int | None = None  # of the whole file, in bytes

    @staticmethod
    def of(url: str, response: requests.Response) -> "_Version":
        """Read it from the headers of a response."""
        headers = response.headers
        tag = headers.get("ETag", "")
        validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            size = headers.get("Content-Range", "").rpartition("/")[2]
        else:
            size = headers.get("Content-Length", "")
        return _Version(url, validator, int(size) if size.isdigit() else None)


@dataclass(frozen=True)
class _Part:
    """A partial file, which continues if the server can and has the same version."""

    path: Path
    by_hand: str

    def complete(self, url: str) -> None:
        """Receive what is missing."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            known = self._known(url)
            if known is None or known.size != self.path.stat().st_size:  # otherwise it is whole already
                self._receive(url, known)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise TransferError(self._broken(url, error)) from error
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); free some space or check the folder, "
                "then give the same command again: it continues there"
            ) from error

    @property
    def notes(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def _known(self, url: str) -> _Version | None:
        """Read of which version the partial file is; None when there is nothing to continue."""
        try:
            known = _Version(**json.loads(self.notes.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError, RecursionError):
            return None
        if not (isinstance(known.validator, str) and isinstance(known.size, int | None)):
            return None
        here = self.path.stat().st_size if self.path.exists() else 0
        return known if here and known.url == url and known.size is not None else None

    def _receive(self, url: str, known: _Version | None) -> None:
        offset = 0 if known is None else self.path.stat().st_size
        headers = {"Accept-Encoding": "identity"}
        if known is not None:
            headers["Range"] = f"bytes={offset}-"
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            version, status = _Version.of(url, response), response.status_code
            continues = known is not None and status == HTTPStatus.PARTIAL_CONTENT
            is_rest = response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
            if (known is not None and status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE) or (
                continues and not (is_rest and version == known)
            ):
                return self._receive(url, None)  # the server has another version now: start again
            if status >= HTTPStatus.BAD_REQUEST:
                raise TransferError(
                    f"{url}: the server answers {status} {response.reason}; try again later, or "
                    f"{self.by_hand}"
                )
            # Not decoded: a server may call a .tar.gz an encoding of a .tar.
            chunks = response.raw.stream(CHUNK, decode_content=False)
            if not continues:
                first = next(chunks, b"")
                if _is_page(response, first):  # perhaps only now, so the partial file is kept
                    raise InputError(
                        f"{url}: leads to a web page, perhaps a login, and not to a file; {self.by_hand}"
                    )
                self.path.unlink(missing_ok=True)  # first, for the notes must never describe older bytes
                write_text(self.notes, json.dumps(asdict(version)))
                chunks, offset = itertools.chain([first], chunks), 0
            return self._write(chunks, offset, version.size)

    def _write(self, chunks: Iterator[bytes], offset: int, size: int | None) -> None:
        name = self.path.name.removesuffix(".part")
        with self.path.open("ab" if offset else "wb") as file, _progress(name, offset, size) as show:
            for chunk in chunks:
                file.write(chunk)
                show(file.tell())

    def _truncated(self, url: str) -> str:
        kept = decimal(self.path.stat().st_size)
        return f"{url}: the connection broke after {kept}; give the same command again: it continues there"

    def _broken(self, url: str, error: Exception) -> str:
        if self.path.exists() and isinstance(error, urllib3.exceptions.HTTPError):
            return self._truncated(url)
        host = urlsplit(url).hostname
        if isinstance(error, requests.exceptions.SSLError):
            return (
                f"{url}: the certificate of {host} cannot be verified, so it may not be {host}; check this "
                f"machine's clock and certificates, or {self.by_hand}"
            )
        if isinstance(error, requests.ConnectionError | requests.Timeout):
            return f"{url}: no connection to {host}; check the network and try again, or {self.by_hand}"
        return f"{url}: {error}; {self.by_hand}"


def _is_page(response: requests.Response, start: bytes) -> bool:
    kind = response.headers.get("Content-Type", "")
    return kind.startswith("text/html") or start.lstrip()[:14].lower().startswith(
        (b"<!doctype html", b"<html")
    )


@contextmanager
def _progress(name: str, done: int, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show how many bytes have arrived: a bar on a terminal, elsewhere a line for each tenth."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), SpeedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
            task = bars.add_task(name, total=size, completed=done)
            yield lambda bytes_: bars.update(task, completed=bytes_)
    else:
        last_tenth = -1

        def in_lines(bytes_: int) -> None:
            nonlocal last_tenth
            tenth = 10 * bytes_ // size if size else 0
            if tenth > last_tenth:
                last_tenth = tenth
                whole = f" of {decimal(size)}" if size else ""
                console.print(f"{name}: {decimal(bytes_)}{whole}", highlight=False, soft_wrap=True)

        yield in_lines
