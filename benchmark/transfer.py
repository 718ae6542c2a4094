"""One file from one address: resumed where it broke off, checked, and moved into place by pooch."""

import json
import logging
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

from benchmark.files import write_text
from benchmark.types import InputError

TIMEOUT = (20, 60)  # seconds without a connection, without a byte
CHUNK = 2**20


class TransferError(Exception):
    """The network or the server failed; the same command later may succeed. The message is one line."""


def fetch(url: str, target: Path, checksum: str | None, by_hand: str) -> None:
    """Download `url` to `target`; what arrives before a failure stays in `<target>.part` and is continued.

    `checksum` is "md5:..." or "sha256:..."; a file with another one is deleted. `by_hand` says what a person
    can do instead. Raises TransferError, and InputError when only a person can help.
    """
    pooch.get_logger().setLevel(logging.WARNING)  # it would advise on its own arguments
    resume = _Resume(target.with_name(f"{target.name}.part"), by_hand)
    try:
        pooch.retrieve(url, known_hash=checksum, fname=target.name, path=target.parent, downloader=resume)
    except InputError:
        raise
    except ValueError as error:  # pooch's: the checksum
        raise TransferError(f"{url}: {error}") from error


@dataclass(frozen=True)
class _Version:
    """What tells one state of a file on a server from another."""

    url: str
    validator: str = ""  # a strong ETag, else the date of its last change
    size: int | None = None  # bytes of the whole file

    @staticmethod
    def of(url: str, response: requests.Response) -> "_Version":
        """What the headers say of the whole file."""
        headers = response.headers
        tag = headers.get("ETag", "")
        validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            size = headers.get("Content-Range", "").rpartition("/")[2]
        else:
            size = headers.get("Content-Length", "")
        return _Version(url, validator, int(size) if size.isdigit() else None)


@dataclass(frozen=True)
class _Resume:
    """A pooch downloader that continues a partial file where the server can and still has the same file."""

    part: Path
    by_hand: str

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        try:
            known = self._known(url)
            if known is None or known.size != self.part.stat().st_size:  # else killed after the last byte
                self._receive(url, known)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise TransferError(self._broken(url, error)) from error
        except OSError as error:
            raise InputError(
                f"{self.part}: cannot be written ({error.strerror}); free some space or check the folder, "
                "then give the same command again: it continues there"
            ) from error
        self.part.replace(output_file)
        self._notes.unlink(missing_ok=True)

    @property
    def _notes(self) -> Path:
        return self.part.with_name(f"{self.part.name}.json")

    def _known(self, url: str) -> _Version | None:
        """The version that the partial file belongs to; None when there is nothing to continue."""
        try:
            known = _Version(**json.loads(self._notes.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return known if known.url == url and self.part.exists() and self.part.stat().st_size else None

    def _receive(self, url: str, known: _Version | None) -> None:
        offset = 0 if known is None else self.part.stat().st_size
        headers = {"Accept-Encoding": "identity"}
        if known is not None:
            headers["Range"] = f"bytes={offset}-"
            if known.validator:
                headers["If-Range"] = known.validator
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            version = _Version.of(url, response)
            continues = response.status_code == HTTPStatus.PARTIAL_CONTENT
            if known is not None and (
                response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                or (continues and not _same(known, version, response, offset))
            ):
                return self._receive(url, None)  # another file by now: from the start
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                raise TransferError(
                    f"{url}: the server answers {response.status_code} {response.reason}; try again later, "
                    f"or {self.by_hand}"
                )
            if not continues:
                offset = 0
                self._refuse_page(url, response)
                self.part.unlink(missing_ok=True)  # before the notes: they must never speak of older bytes
                write_text(self._notes, json.dumps(asdict(version)))
            self._write(response, offset, version.size)
        arrived = self.part.stat().st_size
        if version.size is not None and arrived < version.size:
            raise TransferError(self._truncated(url))
        return None

    def _write(self, response: requests.Response, offset: int, size: int | None) -> None:
        name = self.part.name.removesuffix(".part")
        with self.part.open("ab" if offset else "wb") as file, _progress(name, offset, size) as show:
            # Not decoded: a server may call a .tar.gz an encoding of a .tar.
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                if file.tell() == 0 and chunk.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
                    file.truncate(0)
                    raise InputError(self._page(response.url))
                file.write(chunk)
                show(file.tell())

    def _refuse_page(self, url: str, response: requests.Response) -> None:
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise InputError(self._page(url))

    def _page(self, url: str) -> str:
        return f"{url}: leads to a web page, perhaps a login, and not to a file; {self.by_hand}"

    def _truncated(self, url: str) -> str:
        kept = decimal(self.part.stat().st_size)
        return f"{url}: the connection broke after {kept}; give the same command again: it continues there"

    def _broken(self, url: str, error: Exception) -> str:
        if self.part.exists() and isinstance(error, urllib3.exceptions.HTTPError):
            return self._truncated(url)
        if isinstance(error, requests.ConnectionError | requests.Timeout):
            return (
                f"{url}: no connection to {urlsplit(url).hostname}; check the network and try again, or "
                f"{self.by_hand}"
            )
        return f"{url}: {error}; {self.by_hand}"


def _same(known: _Version, version: _Version, response: requests.Response, offset: int) -> bool:
    """Whether a partial answer is the rest of the version that is partly here."""
    return (
        response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
        and version.size == known.size
        and version.validator in ("", known.validator)
    )


@contextmanager
def _progress(name: str, done: int, size: int | None) -> Iterator[Callable[[int], None]]:
    """Shows how many bytes are there: a bar on a terminal, a line every tenth of the way elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), SpeedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
            task = bars.add_task(name, total=size, completed=done)
            yield lambda bytes_: bars.update(task, completed=bytes_)
    else:
        shown = -1

        def in_lines(bytes_: int) -> None:
            nonlocal shown
            tenth = 10 * bytes_ // size if size else 0
            if tenth > shown:
                shown = tenth
                of = f" of {decimal(size)}" if size else ""
                console.print(f"{name}: {decimal(bytes_)}{of}", highlight=False, soft_wrap=True)

        yield in_lines
