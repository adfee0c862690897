"""Every command line: one line for a mistake, and work that goes on when nobody reads its output."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from impls.command_line import in_words, run_command
from impls.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys, warnings
from impls.command_line import run_program
def main():
    warnings.warn('a long way')
    warnings.warn('going away', DeprecationWarning)
    for line in range(20000):
        print("a line of text", line)
        if line % 1000 == 0:
            print("a message", file=sys.stderr)
    open({done!r}, "w").close()
    return 0
run_program(main)
"""


def run(done: Path, shell: str) -> subprocess.CompletedProcess:
    """Run a shell command in which RUN stands for a program that makes the file `done` when it ends."""
    program = done.with_suffix(".py")
    program.write_text(PROGRAM.format(done=str(done)))
    words = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))}"
    command = ["bash", "-c", f"set -o pipefail; {shell.replace('RUN', words)}"]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


@pytest.mark.parametrize("shell", ["RUN | head -c 20", "RUN 2>&1 | head -c 20", "RUN 2>&1 | true"])
def test_work_goes_on_after_its_reader_has_gone(tmp_path, shell):
    found = run(tmp_path / "done", shell)
    assert (found.returncode, (tmp_path / "done").exists()) == (0, True)
    assert "Traceback" not in found.stderr


def test_a_warning_for_users_is_one_line(tmp_path):
    lines = run(tmp_path / "done", "RUN").stderr.splitlines()
    assert [line for line in lines if "a long way" in line] == ["warning: a long way"]
    assert any(line.endswith("DeprecationWarning: going away") for line in lines)  # says where, as usual


@pytest.mark.parametrize("shell", ["RUN 2>&-", "RUN >&- 2>&-", "RUN <&- >&- 2>&-"])
def test_closed_output_is_no_output(tmp_path, shell):
    assert run(tmp_path / "done", shell).returncode == 0
    assert (tmp_path / "done").read_text() == ""  # no message went into a file that got its number


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_lost_results_are_no_success(tmp_path):
    found = run(tmp_path / "done", "RUN >/dev/full")
    assert (found.returncode, (tmp_path / "done").exists()) == (2, True)
    assert "error: the output could not be written: no space left on device" in found.stderr


def test_lost_messages_change_nothing(tmp_path):
    assert run(tmp_path / "done", "RUN 2>/dev/full").returncode == 0


def test_ctrl_c_during_the_imports_prints_nothing(tmp_path):
    (tmp_path / "slow_module.py").write_text("import time\nopen('started', 'w').close()\ntime.sleep(60)\n")
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.path.insert(0, '.'); "
    program += "from impls.command_line import run_program; run_program('slow_module')"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate()
    assert (process.returncode, messages) == (-signal.SIGINT, "")


def test_ctrl_c_before_and_after_the_work_prints_no_traceback(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import atexit, os, signal, sys, time\n"
        "from impls.command_line import run_program\n"
        "def interrupt(): os.kill(os.getpid(), signal.SIGINT); time.sleep(1)\n"
        "def work(): atexit.register(interrupt); return 0\n"
        "run_program(interrupt if sys.argv[1] == 'before' else work)\n"
    )
    for moment, code in (("before", 130), ("after", -signal.SIGINT)):
        command = [sys.executable, program, moment]
        found = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
        assert (found.returncode, found.stderr) == (code, "")


def raising(error: BaseException):
    def command() -> int:
        raise error

    return command


def test_what_the_system_refuses_is_one_line_with_the_path(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for action, words in (
        (lambda: (tmp_path / "file" / "x").mkdir(), "not a directory. A part of the path is a file"),
        (lambda: (tmp_path / "file").mkdir(), "file exists. It is a file"),
        (lambda: (tmp_path / "none").read_text(), "no such file or directory. Check the path."),
        (lambda: tmp_path.read_text(), "is a directory. It is a folder: give a file."),
    ):
        assert run_command(action) == 2
        message = capsys.readouterr().err
        assert message.startswith(f"error: {tmp_path}") and words in message and message.count("\n") == 1


def test_the_exit_codes(capsys):
    assert run_command(lambda: None) == 0
    assert run_command(lambda: 3) == 3
    assert run_command(raising(UserError("too few")), mistake=4) == 4
    assert capsys.readouterr().err == "error: too few\n"
    assert run_command(raising(KeyboardInterrupt())) == 130
    with pytest.raises(ZeroDivisionError):  # a defect keeps its traceback
        run_command(raising(ZeroDivisionError()))


def test_an_error_without_a_path_is_told_too():
    assert in_words(OSError("it broke")) == "it broke."


@pytest.mark.parametrize("package", ["impls", "paper_figures", "benchmarks"])
def test_a_wrong_flag_is_one_line(package):
    found = subprocess.run([sys.executable, "-m", package, "--nonsense"], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode in (2, 4)
    assert found.stderr.startswith("error: ") and found.stderr.count("\n") == 1
    assert f"python -m {package}" in found.stderr and "--help" in found.stderr
