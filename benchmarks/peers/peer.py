"""What a peer provides, and the names by which a checkout is reported."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from impls.errors import UserError
from impls.repository import commit_of_code
from impls.sources import sources_sha256


@dataclass(frozen=True)
class Peer:
    """A public implementation of the paper.

    Attributes:
        repository: owner and name on GitHub.
        marks: files of a checkout, each with a text that it contains.
        methods: our names of its methods; of each, the experiment and the fields of our cell with its sizes.
        batch_size, input_units: sizes of its batches, which are random numbers.
        differences: what still differs between the two nets, in a sentence.
        training_step: from a checkout and a method, a function that trains once on inputs [B, D] and labels [B] and
            returns the loss.
    """

    repository: str
    marks: Mapping[str, str]
    methods: Mapping[str, tuple[str, dict[str, Any]]]
    batch_size: int
    input_units: int
    differences: str
    training_step: Callable[[Path, str], Callable[[Any, Any], Any]]

    def has(self, checkout: Path) -> bool:
        """Whether a folder is a checkout of this repository."""
        files = {checkout / name: text for name, text in self.marks.items()}
        return all(file.is_file() and text in file.read_text(errors="replace") for file, text in files.items())


def named(checkout: Path) -> str:
    """The state of a checkout: its commit, with "with changes" if files differ from it, or a hash of its Python files.

    Raises:
        UserError: the folder has no Python file.
    """
    commit = commit_of_code(checkout)
    if commit.name and not commit.reason:  # a reason: it is the commit of our code, from the environment
        return f"commit {commit}"
    files = sorted(path.relative_to(checkout).as_posix() for path in checkout.rglob("*.py"))
    if not files:
        raise UserError(f"{checkout} has no Python file")
    digest = sources_sha256(files, lambda name: (checkout / name).read_bytes())
    return f"commit unknown, SHA-256 of its Python files {digest[:10]}"


def imported(file: Path) -> ModuleType:
    """A module of a checkout, which runs the code in it."""
    found = importlib.util.spec_from_file_location(f"peer_{file.stem}", file)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
