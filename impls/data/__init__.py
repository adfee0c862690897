"""Data sets: readers of the original file formats, and an embedded stand-in for each.

To add a data set, write a file with two functions that take no arguments and return a `Dataset`, one for the original
and one for the stand-in, and enter them in `REGISTRY`. A data set that is drawn from the seed has one function, which
is entered twice.
"""

from collections.abc import Callable

from impls.data import cifar10, generated, markov_text, mnist, ptb, standin
from impls.data.dataset import Dataset, Split
from impls.errors import unknown

__all__ = ["SOURCES", "Dataset", "Split", "load", "names"]

SOURCES = ("embedded", "original")

# name -> (load_original, load_embedded)
REGISTRY: dict[str, tuple[Callable[[], Dataset], Callable[[], Dataset]]] = {
    "mnist": (mnist.load_original, standin.load_mnist),
    "cifar10": (cifar10.load_original, standin.load_cifar10),
    "ptb": (ptb.load_original, markov_text.load_ptb),
    "copy": (generated.load_copy, generated.load_copy),
    "repeat_copy": (generated.load_repeat_copy, generated.load_repeat_copy),
}


def names() -> tuple[str, ...]:
    """The data sets that `load` knows."""
    return tuple(REGISTRY)


def load(name: str, source: str = "embedded") -> Dataset:
    """Load a data set.

    name: one of `names()`.
    source: "embedded" for the stand-in that needs neither files nor network; "original" for the published files,
        taken from $DNI_DATA_DIR if it is set, else from the download cache, else downloaded into it. A data set drawn
        from the seed is the same for both.
    Returns: the data set; all its arrays are C-contiguous and read-only.
    Raises: UserError for an unknown name or source, and if a file is missing, damaged or not the original.
    """
    if name not in REGISTRY:
        raise unknown("data set", name, REGISTRY)
    if source not in SOURCES:
        raise unknown("data source", source, SOURCES)
    load_original, load_embedded = REGISTRY[name]
    return load_original() if source == "original" else load_embedded()
