"""Saves the imports of a training: a server imports a framework once, and forks for each training.

Snakemake starts one server for each framework. A training that it starts hands its arguments, its environment and its
open files to the server (`hand_over`), and a fork of the server trains. The training's first process waits for the
fork, passes signals on to it, and exits with its code. No result depends on this. Where no server answers, or a source
file has changed since the server read it, a training imports everything itself.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import itertools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

from impls.engine.stop_signals import STOP_SIGNALS

SERVERS = "DNI_FORK_SERVERS"  # environment variable: the folder of the servers' sockets
# What trainings import late, because short ones can do without it.
LATE = {"torch": ("torch.fx.experimental.proxy_tensor",), "jax": ()}
LARGEST = 2**17  # bytes of a message
_running: list[subprocess.Popen[bytes]] = []  # servers of this process: they end when their standard input is closed


def start(frameworks: Collection[str], threads: int, device: str) -> None:
    """Start servers for the trainings that this process starts with `--threads` and `--device`.

    They end with this process, however it ends. Only on Linux, where a fork after an import is safe.
    """
    if sys.platform != "linux" or not frameworks:
        return
    folder = os.environ[SERVERS] = tempfile.mkdtemp(prefix="dni-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # if this process is killed, the servers remove it
    for framework in frameworks:
        command = [sys.executable, "-m", "impls.fork_server", folder, framework, str(threads), device]
        # A session of its own: Ctrl-C in the terminal stops the trainings, and each of them passes it on to its fork.
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        _running.append(server)


def hand_over(arguments: list[str]) -> None:
    """Let a server train, and exit with the code of its fork; return if this process must train itself.

    Args:
        arguments: those of `python -m impls`.
    """
    path = _socket_for(arguments)
    if not path:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # until they can be passed on
    try:
        fork = _ask(path, arguments)
    except OSError:
        fork = None
    passed_on = []
    if fork:
        connection, process = fork

        def pass_on(number: int, _frame: object) -> None:
            passed_on.append(number)
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(process, number)

        for number in STOP_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    if not fork:
        return
    code = connection.recv(LARGEST)
    connection.recv(1)  # returns when the fork has ended
    if code:
        sys.exit(int(code))
    if not passed_on:
        print("error: the training was killed; see whether the machine ran out of memory", file=sys.stderr)
    sys.exit(128 + (passed_on or [signal.SIGKILL])[-1])


def _socket_for(arguments: list[str]) -> Path | None:
    if arguments[:1] != ["train"] or SERVERS not in os.environ:
        return None
    given = dict(itertools.pairwise(arguments))
    kind = [given.get(flag) for flag in ("--framework", "--threads", "--device")]
    return Path(os.environ[SERVERS], _name(*kind)) if all(kind) else None


def _name(*kind: object) -> str:
    return "-".join(map(str, kind))


def _ask(path: Path, arguments: list[str]) -> tuple[socket.socket, int] | None:
    """The connection to a fork that trains, and its process number; None if the server refuses."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(str(path))
    request = {
        "arguments": arguments,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "ignored": [number for number in STOP_SIGNALS if signal.getsignal(number) == signal.SIG_IGN],
    }
    socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
    answer = connection.recv(LARGEST)
    return (connection, int(answer)) if answer else None


def main() -> None:
    """Serve until standard input is closed or a source file changes: `fork_server FOLDER FRAMEWORK THREADS DEVICE`."""
    folder, framework, threads, device = sys.argv[1:]
    started = time.time_ns()
    _import_everything(framework, int(threads), device)
    times = _source_times()
    if max(times.values()) > started:  # changed meanwhile: which of its texts was imported is not known
        return
    gc.freeze()  # memory that the forks share is not written to by a collection of garbage
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks that have ended need nobody to ask for their code
    path = Path(folder, _name(framework, threads, device))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(socket.SOMAXCONN)
        connection = _fork_for_each(listener, times)
    if connection:
        _train(connection)
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # another server is still there
        path.parent.rmdir()


def _fork_for_each(listener: socket.socket, times: dict[str, int]) -> socket.socket | None:
    """In each fork, the connection to its training; in the server None, when it must end."""
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        is_current = _source_times() == times
        if is_current and os.fork() == 0:
            return connection
        connection.close()
        if not is_current:
            break
    return None


def _import_everything(framework: str, threads: int, device: str) -> None:
    from impls.engine.environment import prepare_environment
    from impls.registry import experiments, implementation

    prepare_environment(threads, device)
    for name in ("impls.cli", f"impls.engine.{framework}_engine", *LATE[framework]):
        importlib.import_module(name)
    for experiment in experiments():
        implementation(experiment, framework)


def _source_times() -> dict[str, int]:
    """The times at which this project's imported files were last changed."""
    own = Path(__file__).parent.parent
    files = {str(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
    return {file: os.stat(file).st_mtime_ns for file in files if own in Path(file).parents}


def _train(connection: socket.socket) -> NoReturn:
    """Become the training that the other end of the connection asks for."""
    from impls.command_line import run_program

    message, files, _, _ = socket.recv_fds(connection, LARGEST, 3)
    request = json.loads(message)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in STOP_SIGNALS:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in request["ignored"] else usual)
    sys.argv[1:] = request["arguments"]
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    connection.send(str(os.getpid()).encode())
    threading.Thread(target=_stop_without, args=(connection,), daemon=True).start()
    code: object = 1
    try:
        run_program("impls.cli")
    except SystemExit as ended:
        code = ended.code
        raise
    finally:
        connection.send(str(code).encode())


def _stop_without(connection: socket.socket) -> None:
    """Stop at a checkpoint when the process that handed the training over is killed."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
