"""What every data set looks like once it is loaded."""

from dataclasses import dataclass

import numpy as np


def read_only(array: np.ndarray) -> np.ndarray:
    """A C-contiguous, read-only view of `array` (a copy only where its memory order asks for one)."""
    view = np.ascontiguousarray(array).view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True, eq=False)
class Split:
    """Examples and what is to be predicted for each, equally long; both arrays are made read-only.

    Images: inputs uint8 [n, height, width] or [n, height, width, 3], labels uint8 [n].
    Text: inputs [n] the tokens but the last, labels [n] the tokens but the first.
    """

    inputs: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        if len(self.inputs) != len(self.labels):
            raise ValueError(f"{len(self.inputs)} inputs, but {len(self.labels)} labels")
        object.__setattr__(self, "inputs", read_only(self.inputs))
        object.__setattr__(self, "labels", read_only(self.labels))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A loaded data set together with what a run record says about it."""

    name: str  # as in the registry, e.g. "mnist"
    source: str  # "original" or "stand-in"
    description: str  # one line, printed on every table and figure
    # File name -> sha256 of the file read (CIFAR-10: of the batch, however it is packed); for a stand-in, sha256 of the
    # array or arrays in its place.
    files: dict[str, str]
    splits: dict[str, Split]  # "train", "test" and, where the data set has one, "valid"

    def manifest(self) -> dict[str, str | dict[str, str]]:
        """Name, source, description and checksums: which data these are."""
        return {"name": self.name, "source": self.source, "description": self.description, "files": self.files}
