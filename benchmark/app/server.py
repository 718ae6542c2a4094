"""Serve the page for one's own photo to this machine alone.

The server of the standard library is enough: one page, one user. Other machines cannot reach it, for it
listens on the loopback address. Other users and pages of this machine cannot, for they do not know the token
in the address; a page that renames itself to this address (DNS rebinding) is betrayed by the header Host.
"""

import hmac
import json
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from benchmark.app.options import Options
from benchmark.app.session import Session
from benchmark.core.errors import InputError
from benchmark.core.faults import cannot_write

ADDRESS = "127.0.0.1"
LARGEST_UPLOAD = 200 * 2**20  # bytes
LARGEST_NUMBER = 999  # of a candidate, and of a kernel's size in px
BLOCK = 2**20  # bytes
PAGE = {
    "": ("index.html", "text/html; charset=utf-8"),
    "app.css": ("app.css", "text/css; charset=utf-8"),
    "app.js": ("app.js", "text/javascript; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
PICTURE = re.compile(r"(\d+)/(photo|(?:part|candidate|kernel|view|before|after|result)-\d+)\.png")
HEADERS = {
    # Nothing from elsewhere is loaded, and no other page may frame this one.
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """The server of one session.

    Args:
        port: 0 for a free one.

    Raises:
        InputError: The port cannot be used.
    """

    daemon_threads = True  # a stream to a page does not keep the program
    block_on_close = False

    def __init__(self, port: int = 0) -> None:
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise InputError(
                f"--port {port}: cannot be used ({error.strerror}); choose another, or leave it out"
            ) from error
        self.token = secrets.token_urlsafe(32)
        self.session = Session()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out that a page was closed in the middle of an answer."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def hosts(self) -> set[str]:
        """The names by which a browser on this machine calls the server."""
        return {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{ADDRESS}:{self.server_port}/{self.token}/"


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of the page."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds for the next bytes of a request
    server_version, sys_version = "blindbench", ""

    def do_GET(self) -> None:
        """Send the page, a picture, or what happens."""
        path = self._path()
        if path is None:
            return
        if path in PAGE:
            name, kind = PAGE[path]
            self._send(HTTPStatus.OK, (files("benchmark.app") / "page" / name).read_bytes(), kind)
        elif path == "events":
            self._stream()
        elif match := PICTURE.fullmatch(path):
            self._send_picture(self.server.session.folder(int(match[1])) / f"{match[2]}.png")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")

    def do_POST(self) -> None:
        """Take a photo, or a wish of the page."""
        path = self._path()
        if path is None:
            return
        query = {name: values[0] for name, values in parse_qs(self.path.partition("?")[2]).items()}
        session = self.server.session
        actions: dict[str, Callable[[], Any]] = {
            "photo": lambda: self._take_photo(query.get("name", "the photo"), Options.read(query)),
            "kernel": lambda: self._take_kernel(Options.read(query)),
            "again": lambda: session.again(Options.read(query)),
            "restore": lambda: session.wish(restore=_number(query, 1)),
            "size": lambda: session.wish(size=_number(query, 3)),
            "cancel": session.cancel,
        }
        if path not in actions:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")
            return
        try:
            if path not in ("photo", "kernel"):
                self._skip(self._length())
            actions[path]()
        except InputError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except ConnectionError:
            raise
        except OSError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, str(cannot_write(session.root, error)))
        else:
            self._send(HTTPStatus.OK, b"{}", "application/json")

    def _path(self) -> str | None:
        """Return the path behind the token; refuse a request that is not the page's own."""
        origin = self.headers.get("Origin")
        own = self.headers.get("Host") in self.server.hosts
        if not own or (origin is not None and origin.removeprefix("http://") not in self.server.hosts):
            self._refuse(HTTPStatus.FORBIDDEN, "only the page itself may ask")
            return None
        token, slash, path = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(HTTPStatus.NOT_FOUND, "use the whole address that `blindbench app` printed")
            return None
        return path

    def _take_photo(self, name: str, options: Options) -> None:
        """Store the body as the photo to work on. Raises InputError where it is missing or too large."""
        self.server.session.start(self._stored(name), name, options)

    def _take_kernel(self, options: Options) -> None:
        """Store the body as the kernel of the present photo. Raises InputError as `_take_photo`."""
        self.server.session.again(options, self._stored(options.kernel))

    def _stored(self, name: str) -> Path:
        """Store the body in a file."""
        length = self._length()
        if not length:
            raise InputError(f"{name}: is empty; choose a file with something in it")
        if length > LARGEST_UPLOAD:
            self._skip(length)
            raise InputError(f"{name}: larger than {LARGEST_UPLOAD // 2**20} MiB; reduce it first")
        with tempfile.NamedTemporaryFile(dir=self.server.session.root, delete=False) as file:
            try:
                self._copy(length, file.write)
            except BaseException:
                Path(file.name).unlink()
                raise
        return Path(file.name)

    def _length(self) -> int:
        text = self.headers.get("Content-Length", "")
        return int(text) if re.fullmatch("[0-9]{1,15}", text) else 0

    def _skip(self, length: int) -> None:
        """Read a body and forget it: a browser sends all of it before it reads the answer."""
        self._copy(length, len)

    def _copy(self, length: int, write: Callable[[bytes], Any]) -> None:
        while length:
            block = self.rfile.read(min(BLOCK, length))
            if not block:
                raise InputError("the photo did not arrive as a whole; send it again")
            write(block)
            length -= len(block)

    def _stream(self) -> None:
        """Send events as they come (server-sent events), until the page is closed."""
        self.send_response(HTTPStatus.OK)
        self._send_headers("text/event-stream")
        self.close_connection = True
        try:
            for news in self.server.session.stream():
                lines = [f"data: {json.dumps(event)}\n\n" for event in news] or [": still here\n\n"]
                self.wfile.write("".join(lines).encode())
        except OSError:
            return  # the page was closed

    def _send_picture(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such picture")
            return
        with file:
            self.send_response(HTTPStatus.OK)
            self._send_headers("image/png", path.stat().st_size)
            shutil.copyfileobj(file, self.wfile)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self.close_connection = True  # a body may be on its way
        self._send(status, json.dumps({"message": message}).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self._send_headers(kind, len(body))
        self.wfile.write(body)

    def _send_headers(self, kind: str, length: int | None = None) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        if length is None or self.close_connection:
            self.send_header("Connection", "close")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the address holds the token."""


def _number(query: dict[str, str], least: int) -> int:
    text = query.get("number", "")
    if not re.fullmatch("[0-9]{1,3}", text) or int(text) < least:
        raise InputError(f"a whole number from {least} to {LARGEST_NUMBER} is needed, not '{text}'")
    return int(text)


def serve(port: int, announce: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C; then remove all files.

    Args:
        port: 0 for a free one.
        announce: Is told the address of the page.

    Raises:
        InputError: The port cannot be used.
    """
    with Server(port) as server:
        announce(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            server.session.close()
