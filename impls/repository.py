"""The git repository of this code: its commit, and whether the files differ from it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from impls.errors import UserError
from impls.sources import ROOT, sources_sha256

NAMED = "DNI_GIT_COMMIT"  # names the commit where the code travelled without its repository


class Commit(NamedTuple):
    """The commit of the code, and whether its files were edited since; `reason` says why one of them is not known."""

    name: str | None
    dirty: bool | None
    reason: str | None = None

    def __str__(self) -> str:
        if self.name is None:
            return f"no commit ({self.reason})"
        return self.name[:10] + (" with changes" if self.dirty else f" ({self.reason})" if self.reason else "")


def git(*arguments: str, folder: Path = ROOT) -> bytes:
    """The output of git in a folder.

    Variables such as GIT_DIR, which may name another repository, do not count. The repository may belong to another
    user: nothing that its configuration names is run.

    Raises:
        OSError: there is no git.
        CalledProcessError: git failed, or the folder is in no repository.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    safe = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "--no-optional-locks"]
    command = ["git", *safe, "-C", str(folder), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def commit_of_code(folder: Path = ROOT) -> Commit:
    """The commit of the repository whose top is `folder`, or the one that $DNI_GIT_COMMIT names.

    Raises:
        UserError: $DNI_GIT_COMMIT is not the full name of a commit.
    """
    try:
        top = Path(git("rev-parse", "--show-toplevel", folder=folder).decode().strip())
        if top.resolve() != folder.resolve():
            return _named("the code is not the top folder of a git repository")
        head = git("rev-parse", "HEAD", folder=folder).decode().strip()
        return Commit(head, bool(git("status", "--porcelain", "--untracked-files=no", folder=folder)))
    except OSError:
        return _named("git is not installed")
    except subprocess.CalledProcessError:
        return _named("git finds no repository with a commit here")


def has_sources(commit: str, sources: list[str], expected_sha256: str) -> bool:
    """Whether these files have this hash in a commit. True as well if the commit is not known here.

    >>> has_sources("0" * 40, ["impls/sources.py"], "anything")
    True
    """
    try:
        git("cat-file", "-e", f"{commit}^{{commit}}")
    except (OSError, subprocess.CalledProcessError):
        return True
    try:
        return sources_sha256(sources, lambda name: git("show", f"{commit}:{name}")) == expected_sha256
    except subprocess.CalledProcessError:  # it lacks one of the files
        return False


def _named(reason: str) -> Commit:
    named = os.environ.get(NAMED)
    if not named:
        return Commit(None, None, reason)
    if not re.fullmatch("[0-9a-f]{40}", named):
        raise UserError(f"{NAMED} must be the full name of a commit, 40 digits as `git rev-parse HEAD` prints them")
    return Commit(named, None, f"named by {NAMED}; {reason}")
