"""The form of a loaded data set."""

from dataclasses import dataclass, field

import numpy as np


def read_only(array: np.ndarray) -> np.ndarray:
    """A C-contiguous, read-only view of `array` (a copy only if its memory order needs one)."""
    view = np.ascontiguousarray(array).view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True, eq=False)
class Split:
    """Examples and their labels, of equal length; both arrays are made read-only.

    Images: inputs uint8 [n, height, width] or [n, height, width, 3], labels uint8 [n].
    Text: inputs [n] all tokens except the last, labels [n] all tokens except the first.
    """

    inputs: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.labels):
            raise ValueError(f"{len(self.inputs)} inputs, but {len(self.labels)} labels")
        object.__setattr__(self, "inputs", read_only(self.inputs))
        object.__setattr__(self, "labels", read_only(self.labels))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A loaded data set, with its description for the run record."""

    name: str  # as in the registry, e.g. "mnist"
    source: str  # "original", "stand-in", or "generated": the real task, drawn from the seed
    description: str  # one line, printed on every table and figure
    # File name -> sha256 of the file read (CIFAR-10: of the batch, however it is packed); for a stand-in, sha256 of the
    # array or arrays in its place. Empty for a generated data set.
    files: dict[str, str]
    # "train", "test" and, where the data set has one, "valid"; none for a generated data set
    splits: dict[str, Split]
    # Exactly known numbers about the data, e.g. "entropy_rate" in bits per character.
    facts: dict[str, float] = field(default_factory=dict)

    def manifest(self) -> dict[str, str | dict[str, str] | dict[str, float]]:
        """Name, source, description, checksums and facts, which identify the data."""
        names = ("name", "source", "description", "files", "facts")
        return {name: getattr(self, name) for name in names}
