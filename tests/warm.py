"""A stand-in for the interpreter whose programs start warm: as forks of one that has imported the libraries.

To import torch and others takes most of the seconds of a short program. Each program still has arguments,
variables, a folder and files of its own, and imports the project's modules itself.
Who kills the stand-in kills the program. Programs that start others by `sys.executable` start them warm, too.
"""

import gc
import json
import os
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = (
    "cv2", "jsonschema", "matplotlib.figure", "matplotlib.backends.backend_agg", "pandas", "PIL.Image",
    "psutil", "requests", "safetensors.torch", "scipy.fft", "scipy.ndimage", "scipy.optimize", "scipy.signal",
    "scipy.stats", "skimage.feature", "skimage.filters", "skimage.metrics", "skimage.restoration",
    "skimage.transform", "snakemake.cli", "snakemake.workflow", "tifffile", "torch", "torch.utils._pytree",
    "typer.main", "yaml",
)  # fmt: skip
STAND_IN = """\
#!/bin/sh
[ "$1" = -m ] || exec {python} "$@"
exec {python} -I -S {file} ask {address} "$@"
"""


@contextmanager
def interpreter(*modules):
    """The path of the stand-in, which takes `-m MODULE ARGUMENTS`; all else it gives to the interpreter.

    Beside the libraries its programs have imported `modules` of the project.
    """
    folder = Path(tempfile.mkdtemp(prefix="warm-"))  # a short path: sockets take 107 characters
    address, path = folder / "socket", folder / "python"
    words = {"python": sys.executable, "file": __file__, "address": address}
    path.write_text(STAND_IN.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
    path.chmod(0o755)
    command = [sys.executable, __file__, "serve", str(address), str(path), *modules]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=variables, text=True, **pipes) as server:
        try:
            assert server.stdout.readline() == "ready\n"
            yield path
        finally:
            server.stdin.close()  # ends it
            shutil.rmtree(folder)


def ask(address, *words):
    """Have a program run with the files of this process, and end as it ends."""
    about = {"words": words, "folder": str(Path.cwd()), "variables": dict(os.environ)}
    request = json.dumps(about).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
        server.sendall(request)
        code = int(server.recv(16) or 1)
    if code < 0:
        os.kill(os.getpid(), -code)
    sys.exit(code)


def serve(address, path, *modules):
    """Fork a process for each request, until standard input ends. Returns in the process of a program alone.

    Returns:
        The module of the program.
    """
    del sys.path[0]  # the folder of this file, which has packages of the same names as the project
    for name in LIBRARIES:
        with suppress(ImportError):  # then programs import it themselves, or do without
            __import__(name)
    for name in modules:
        __import__(name)
    gc.freeze()  # else each program would copy what it shares, to look for garbage
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            with suppress(ChildProcessError):  # there is none
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            client, _ = listener.accept()
            if not os.fork():
                listener.close()
                return _answer(client, path)
            client.close()
    os._exit(0)


def _answer(client, path):
    """Fork the program, wait for it, and send its exit code. Returns in the program's process alone."""
    size, files, *_ = socket.recv_fds(client, 8, 3)
    with client.makefile("rb") as stream:
        request = json.loads(stream.read(int.from_bytes(size, "big")))
    if program := os.fork():
        ended = os.pidfd_open(program)
        if ended not in select.select([ended, client], [], [])[0]:  # the one who asked is gone
            os.kill(program, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
        with suppress(OSError):
            client.sendall(str(code).encode())
        os._exit(0)
    client.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    own, theirs = (_folders(variables) for variables in (os.environ, request["variables"]))
    sys.path[: len(own)] = [request["folder"], *theirs]
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["variables"])
    sys.executable = path
    _, module, *arguments = request["words"]
    sys.argv = ["-m", *arguments]
    return module


def _folders(variables):
    """Where `variables` have Python look for modules first."""
    return [folder for folder in variables.get("PYTHONPATH", "").split(os.pathsep) if folder]


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        ask(*sys.argv[2:])
    runpy.run_module(serve(*sys.argv[2:]), run_name="__main__", alter_sys=True)
