"""Shared by all command lines: exit codes, one line for each mistake, and output that may be closed or full."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable
from typing import IO, Any, NoReturn

from impls.errors import UserError, nearest

MISTAKE = 2  # exit code: something outside the code must be changed
UNFINISHED = 75  # exit code: a training reached its time limit before its end; the same command goes on
STOPPED = 130  # exit code after a stop signal, as a shell has it after Ctrl-C
ADVICE = {
    errno.EACCES: "Check its permissions, or choose another place.",
    errno.EPERM: "Check its permissions, or choose another place.",
    errno.EROFS: "Choose a place that can be written.",
    errno.ENOSPC: "Free some space, or choose another place.",
    errno.EDQUOT: "Free some space, or choose another place.",
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "A part of the path is a file: choose another place.",
    errno.EEXIST: "It is a file: choose another place.",
    errno.EISDIR: "It is a folder: give a file.",
    errno.ENAMETOOLONG: "Choose a shorter path.",
    errno.EMFILE: "Raise the limit of open files: ulimit -n 4096.",
}

_for_programmers = warnings.formatwarning


class Parser(argparse.ArgumentParser):
    """Reports a mistake in one line and says where to find help, without the usage of every flag."""

    mistake = MISTAKE

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """Check the flags first: argparse would name a missing one before one that is misspelt."""
        flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
        for word in sys.argv[1:] if args is None else args:
            flag = word.partition("=")[0]
            if self._subparsers is None and flag.startswith("--") and not any(f.startswith(flag) for f in flags):
                near = nearest(flag, flags)
                self.error(f"unknown flag {flag}" + (f"; did you mean {near}?" if near else ""))
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, with the nearest choice, and exit."""
        chosen = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if chosen and (near := nearest(chosen[1], re.findall(r"[\w.-]+", chosen[2]))):
            message += f"; did you mean {near}?"
        self.exit(self.mistake, f"error: {message}; see {self.prog} --help\n")


def run_command(command: Callable[[], int | None], mistake: int = MISTAKE) -> int:
    """Run a command; returns its exit code, or `mistake` after an `error: ...` line on stderr, or 130 if it is stopped.

    What the user can change is a mistake: every `UserError`, and everything that the system refuses.
    """
    try:
        return command() or 0
    except UserError as error:
        message = str(error)
    except OSError as error:
        message = in_words(error)
    except KeyboardInterrupt:
        return STOPPED
    print(f"error: {message}", file=sys.stderr)
    return mistake


def in_words(error: OSError) -> str:
    """What the system refused, with the path and what to do.

    >>> in_words(PermissionError(errno.EACCES, "Permission denied", "results/x"))
    'results/x: permission denied. Check its permissions, or choose another place.'
    """
    reason = (error.strerror or str(error)).strip()
    parts = [f"{part}: " for part in (error.filename,) if part is not None]
    return "".join([*parts, reason[:1].lower() + reason[1:], ". ", ADVICE.get(error.errno or 0, "")]).strip()


def run_program(main: Callable[[], int] | str) -> NoReturn:
    """Run `main` as this process's program, and exit with its code.

    A reader of its output that goes away, such as `head`, does not end the work: the rest of the output is dropped.

    Args:
        main: the function, or the name of the module that has it. The module is then imported here, and Ctrl-C during
            its imports ends the process without a traceback.
    """
    _occupy_standard_files()
    streams = [_Lasting(sys.stdout), _Lasting(sys.stderr)]
    sys.stdout, sys.stderr = streams
    warnings.formatwarning = _warning_in_words
    before = signal.getsignal(signal.SIGINT)
    if isinstance(main, str):
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        function: Callable[[], int] = importlib.import_module(main).main
        signal.signal(signal.SIGINT, before)
    else:
        function = main
    try:
        code = function()
    except KeyboardInterrupt:  # before or after its `run_command`
        code = STOPPED
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what libraries do at the end is not worth a traceback
    for stream in streams:
        stream.flush()
    if lost := streams[0].lost:
        print(f"error: the output could not be written: {in_words(lost)}", file=sys.stderr)
        code = code or MISTAKE
    sys.exit(code)


def _warning_in_words(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """One line, without the place in the code, which helps only with warnings for programmers."""
    if category is UserWarning:
        return f"warning: {message}\n"
    return _for_programmers(message, category, filename, lineno, line)


def _occupy_standard_files() -> None:
    """Open what the caller has closed (`2>&-`). Otherwise the next file would get its number, and messages with it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


class _Lasting:
    """A text stream that drops what cannot be written: its reader has gone, or its disk is full."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.lost: OSError | None = None  # why output is missing; a reader that has gone does not count

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, action: Callable[..., Any], *arguments: Any) -> None:
        try:
            action(*arguments)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.lost = error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # also for what is buffered, and for other code's messages
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
