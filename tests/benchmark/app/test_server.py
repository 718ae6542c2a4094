"""The server of the page: who may ask, what it takes, and that no process or file outlives it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from benchmark.app import server as module
from benchmark.app.options import Options
from benchmark.app.server import Server
from benchmark.core.errors import InputError

PATIENCE = 300  # seconds for what takes a few


def ask(server, method, path, body=None, **headers):
    """Return status, headers and content of an answer; `path` begins behind the token."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=PATIENCE)
    connection.request(method, f"/{server.token}/{path}", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.headers), content


@contextmanager
def listening(server):
    """`wait(kind)` reads events until one of this kind comes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=PATIENCE)
    connection.request("GET", f"/{server.token}/events")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream"

    def wait(*kinds):
        for line in answer:
            if line.startswith(b"data: "):
                event = json.loads(line.removeprefix(b"data: "))
                if event["kind"] in kinds:
                    return event
        raise AssertionError(f"no {kinds}")

    yield wait
    connection.close()


def upload(server, path, name=None):
    return ask(server, "POST", f"photo?name={quote(name or path.name)}", path.read_bytes())


def test_only_this_machine_can_reach_the_page(server):
    assert server.server_address[0] == "127.0.0.1"
    status, headers, content = ask(server, "GET", "")
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(rb"https?:|<script>|style=", content)


@pytest.mark.parametrize("file", ["index.html", "app.css", "app.js", "icon.svg"])
def test_the_page_takes_nothing_from_elsewhere(file):
    text = (
        (Path(module.__file__).parent / "page" / file).read_text().replace("http://www.w3.org/2000/svg", "")
    )
    assert not re.search(r"https?://|//\w+\.|@import|innerHTML|\beval\(", text)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_pages_are_refused(server, method, headers):
    told = {name: value.format(port=server.server_port) for name, value in headers.items()}
    status, _, content = ask(server, method, "" if method == "GET" else "cancel", **told)
    assert status == 403
    assert json.loads(content)["message"] == "only the page itself may ask"


def test_the_page_itself_is_not_refused(server):
    for host in ("127.0.0.1", "localhost"):
        own = f"{host}:{server.server_port}"
        assert ask(server, "POST", "cancel", Host=own, Origin=f"http://{own}")[0] == 200


@pytest.mark.parametrize("path", ["", "/", "/x/", "/{wrong}/", "/{token}", "/é/"])
def test_without_the_token_there_is_nothing(server, path):
    wrong = server.token[:-1] + ("A" if server.token[-1] != "A" else "B")
    given = path.format(token=server.token, wrong=wrong) or "/"
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=PATIENCE)
    connection.request("GET", quote(given))
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize(
    "path",
    ["server.py", "../server.py", "1/../1/photo.png", "1/upload", "1/photo.png", "2/photo.png", "x/y.png"],
)
def test_no_other_file_is_sent(server, path):
    assert ask(server, "GET", path)[0] == 404


def test_every_server_has_a_token_of_its_own(server):
    with Server() as other:
        assert other.token != server.token
        assert len(other.token) >= 40
        other.session.close()
        with pytest.raises(InputError, match=r"--port \d+: cannot be used \(Address already in use\)"):
            Server(server.server_port)


def test_a_file_that_is_too_large_or_empty_is_refused_in_one_line(server, monkeypatch, photo):
    monkeypatch.setattr(module, "LARGEST_UPLOAD", 2**20)
    status, _, content = ask(server, "POST", "photo?name=a.png", bytes(2**20 + 1))
    assert (status, json.loads(content)["message"]) == (400, "a.png: larger than 1 MiB; reduce it first")
    status, _, content = ask(server, "POST", "photo?name=a.png", b"")
    assert (status, json.loads(content)["message"]) == (
        400,
        "a.png: is empty; choose a file with something in it",
    )
    assert list(server.session.root.iterdir()) == []


@pytest.mark.parametrize("number", ["", "x", "-1", "1e3", "1000", "9" * 5000])
def test_a_wrong_number_is_refused(server, number):
    status, _, content = ask(server, "POST", f"size?number={number}")
    assert status == 400
    assert json.loads(content)["message"].startswith("a whole number from 3 to 999 is needed")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("blur=wind", "blur: there are motion and defocus, not 'wind'"),
        ("effort=max", "effort: there are low and normal and high, not 'max'"),
        ("part=1,2,3", "part: X,Y,WIDTH,HEIGHT in whole pixels is needed, not '1,2,3'"),
        ("streak=0,0,-1,2", "streak: X,Y,WIDTH,HEIGHT in whole pixels is needed, not '0,0,-1,2'"),
        ("", "there is no photo yet; choose one first"),
    ],
)
def test_wrong_options_are_refused(server, query, message):
    for path, body in (("again", None), ("kernel", b"content")):
        status, _, content = ask(server, "POST", f"{path}?{query}", body)
        assert (status, json.loads(content)["message"]) == (400, message)
    assert list(server.session.root.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "file"),
    [("k.NPZ", "kernel.npz"), ("../../k", "kernel"), ("a.b/../c", "kernel"), ("x.tar.gz", "kernel.gz")],
)
def test_a_kernels_file_is_kept_in_the_photos_folder_whatever_it_is_called(name, file):
    assert Options(kernel=name).kernel_file == file


def test_a_photo_is_worked_on_again_in_another_way(server, photo, tmp_path):
    np.save(tmp_path / "mine.npy", np.ones((1, 7)) / 7)
    with listening(server) as wait:
        upload(server, photo)
        wait("progress")
        assert ask(server, "POST", "again?effort=low&blur=defocus&part=5,6,70,60")[0] == 200
        event = wait("photo")
        while event["photo"] == 1:
            event = wait("photo")
        expected = {"name": photo.name, "effort": "low", "blur": "defocus", "part": "5,6,70,60"}
        assert expected.items() <= event.items()
        wait("opened")
        body = (tmp_path / "mine.npy").read_bytes()
        assert ask(server, "POST", "kernel?kernel=mine.npy", body)[0] == 200
        assert wait("photo")["kernel"] == "mine.npy"
        assert wait("candidate")["title"] == "given kernel, 7 px"
        wait("result")
    assert [path.name for path in server.session.root.iterdir()] == ["3"]


@pytest.mark.parametrize("length", ["-5", "x", "9" * 5000, "1_000"])
def test_a_wrong_length_is_refused(server, length):
    status, _, content = ask(server, "POST", "photo?name=a.png", **{"Content-Length": length})
    assert (status, json.loads(content)["message"]) == (
        400,
        "a.png: is empty; choose a file with something in it",
    )


def test_what_is_no_photo_is_refused_by_its_own_name(server, tmp_path):
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n" * 40)
    with listening(server) as wait:
        assert upload(server, tmp_path / "x.png", "holiday.png")[0] == 200
        message = wait("error")["message"]
    assert message == "holiday.png: not a photograph that can be read; convert it to PNG or JPEG"


def test_the_work_can_be_ended_and_another_photo_takes_its_place(server, photo):
    with listening(server) as wait:
        wait("empty")
        upload(server, photo)
        assert wait("photo")["name"] == photo.name
        wait("progress")
        assert ask(server, "GET", "1/photo.png")[2].startswith(b"\x89PNG")
        ask(server, "POST", "cancel")
        wait("stopped")
        ask(server, "POST", "restore?number=1")  # nobody is there to do it
        upload(server, photo, "second.png")
        assert {"photo": 2, "name": "second.png"}.items() <= wait("photo").items()
        wait("progress")
        server.session._worker.kill()
        assert "the work ended before it was done (too little memory)" in wait("error")["message"]
    assert [path.name for path in server.session.root.iterdir()] == ["2"]
    server.session.close()
    assert not server.session.root.exists()


def children(pid):
    """The processes that a process has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in lists for child in children.read_text().split()]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@dataclass
class Running:
    """A server in a process of its own."""

    server_port: int
    token: str


@pytest.fixture
def process(tmp_path):
    """`blindbench app`, and where it listens; its temporary files lie in `tmp_path`."""
    command = [sys.executable, "-m", "benchmark", "app"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        # A shell starts its background jobs deaf to SIGINT, and these tests may be in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as started:
        match = re.search(r"http://127.0.0.1:(\d+)/(\S+)/", started.stdout.readline())
        yield started, Running(int(match[1]), match[2])
        started.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_server_that_ends_leaves_no_process_and_no_file(process, number, photo, tmp_path):
    started, running = process
    with listening(running) as wait:
        upload(running, photo)
        wait("opened")
        assert list(tmp_path.glob("blindbench-app-*/1/photo.png"))
        workers = children(started.pid)
        assert workers
        started.send_signal(number)
        code = started.wait(PATIENCE)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    deadline = time.monotonic() + PATIENCE
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_alive, workers))
    assert not list(tmp_path.glob("blindbench-app-*"))
