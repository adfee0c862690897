"""A training that a fork of a server runs is the same as one that runs by itself, and stops as that does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from impls import fork_server
from impls.engine.record import read_record
from impls.fork_server import SERVERS, start

pytestmark = [pytest.mark.slow("starts programs"), pytest.mark.xdist_group("fork_server")]

TRAINING = "train stale_gradients --data embedded --device cpu --threads 1 --depth 3 --hidden-units 8 --batch-size 8"
# Starts a server as Snakemake does, prints where it is and its process number, and goes on until its input is closed.
PARENT = """\
import os, sys
from impls import fork_server
fork_server.start([sys.argv[1]], 1, "cpu")
print(os.environ[fork_server.SERVERS], fork_server._running[0].pid, flush=True)
sys.stdin.read()
"""
LONG = ("--iterations", "1000000", "--evaluate-every", "1000000", "--checkpoint-minutes", "0.01")


class Server:
    """A server, the process that has started it, and the trainings that are handed over to it."""

    def __init__(self, framework: str, source: Path) -> None:
        self.framework, self.source = framework, source
        self.parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, framework],
            cwd=source,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.parent.stdout
        folder, process = self.parent.stdout.readline().split()
        self.folder, self.process = Path(folder), int(process)
        wait_until(lambda: any(self.folder.iterdir()))

    def close(self) -> None:
        """End the server with the process that has started it."""
        self.parent.kill()
        self.parent.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def train(self, output: Path, *flags: str, handed_over: bool = True) -> subprocess.Popen[str]:
        """Start a training, which lists the modules that its own process imports (`took_over`)."""
        flags = (*TRAINING.split(), "--framework", self.framework, "--output", str(output), *flags)
        environment = {name: value for name, value in os.environ.items() if name != SERVERS}
        return subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "impls", *flags],
            cwd=self.source,
            env=environment | ({SERVERS: str(self.folder)} if handed_over else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def took_over(messages: str) -> bool:
    """Whether a server has trained: then the training's own process has not imported the engine."""
    assert "impls.fork_server" in messages
    return "impls.engine.train" not in messages


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def fork_of(server: Server) -> int:
    """The process number of the only fork."""
    (fork,) = Path(f"/proc/{server.process}/task/{server.process}/children").read_text().split()
    return int(fork)


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    server = Server("jax", root)
    yield server
    server.close()


@pytest.fixture
def torch_server(root: Path) -> Iterator[Server]:
    server = Server("torch", root)
    yield server
    server.close()


@pytest.fixture
def own_server(root: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of a copy of the sources, for one test."""
    shutil.copytree(root / "impls", tmp_path / "impls", ignore=shutil.ignore_patterns("__pycache__"))
    server = Server("jax", tmp_path)
    yield server
    server.close()


@pytest.fixture
def long_training(server: Server, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A training that is handed over, and has saved a checkpoint."""
    training = server.train(tmp_path, *LONG)
    wait_until(lambda: (tmp_path / "checkpoint.npz").exists())
    yield training
    training.kill()
    training.communicate()


@pytest.mark.parametrize("fixture", ["server", "torch_server"])
def test_a_fork_computes_the_same_bits(fixture: str, request: pytest.FixtureRequest, tmp_path: Path):
    server = request.getfixturevalue(fixture)
    results = []
    for handed_over in (True, False):
        output = tmp_path / str(handed_over)
        training = server.train(output, "--iterations", "20", "--evaluate-every", "10", handed_over=handed_over)
        printed, messages = training.communicate()
        assert training.returncode == 0, messages
        assert took_over(messages) == handed_over
        assert "complete at iteration 20 of 20" in printed
        results.append([(output / file).read_bytes() for file in ("curves.parquet", "parameters.npz")])
    assert results[0] == results[1]


def test_a_mistake_has_its_message_and_its_exit_code(server: Server, tmp_path: Path):
    training = server.train(tmp_path, "--depth", "1")
    _, messages = training.communicate()
    assert training.returncode == 2
    assert took_over(messages)
    assert "error: --depth" in messages


def test_other_threads_run_by_themselves(server: Server, tmp_path: Path):
    training = server.train(tmp_path, "--depth", "1", "--threads", "2")
    assert not took_over(training.communicate()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_fork_at_a_checkpoint(server, long_training, tmp_path: Path, number: signal.Signals):
    fork = fork_of(server)
    long_training.send_signal(number)
    assert long_training.wait(60) == 130
    assert read_record(tmp_path / "run.json").status == "partial"
    wait_until(lambda: not exists(fork))


def test_a_fork_whose_training_is_killed_stops_at_a_checkpoint(server, long_training, tmp_path: Path):
    fork = fork_of(server)
    long_training.kill()
    wait_until(lambda: not exists(fork))
    assert read_record(tmp_path / "run.json").status == "partial"


def test_a_fork_that_is_killed_is_a_failure(server, long_training):
    os.kill(fork_of(server), signal.SIGKILL)
    assert "error: the training was killed" in long_training.communicate(timeout=60)[1]
    assert long_training.returncode == 137


def test_after_a_change_of_a_source_file_trainings_run_by_themselves(own_server: Server, tmp_path: Path):
    os.utime(tmp_path / "impls/engine/launches.py")
    training = own_server.train(tmp_path / "output", "--iterations", "10", "--evaluate-every", "10")
    _, messages = training.communicate()
    assert training.returncode == 0, messages
    assert not took_over(messages)
    wait_until(lambda: not exists(own_server.process))


def test_a_change_while_the_server_starts_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sys, "argv", ["fork_server", str(tmp_path), "jax", "1", "cpu"])
    monkeypatch.setattr(fork_server, "_import_everything", lambda *_: None)
    monkeypatch.setattr(fork_server, "_source_times", lambda: {"changed.py": time.time_ns() + 1})
    fork_server.main()
    assert not list(tmp_path.iterdir()), "it serves what it has read"


def test_a_server_ends_with_the_process_that_started_it_and_leaves_nothing(own_server: Server):
    own_server.parent.kill()
    wait_until(lambda: not exists(own_server.process))
    assert not own_server.folder.exists()


def test_without_trainings_no_server_is_started(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(SERVERS, raising=False)
    start([], 1, "cpu")
    assert SERVERS not in os.environ
