"""Data sets without files: the experiment draws their sequences from the seed of each replica.

They are the paper's tasks and not stand-ins, for either source.
"""

from impls.data.dataset import Dataset


def load_copy() -> Dataset:
    """Copy: no files and no splits."""
    return Dataset("copy", "generated", "characters drawn from the seed; read once, then written once", {}, {})


def load_repeat_copy() -> Dataset:
    """Repeat Copy: no files and no splits."""
    description = "characters drawn from the seed; read once, then written as often as asked"
    return Dataset("repeat_copy", "generated", description, {}, {})
