"""Code shared by tables and figures: panels, axes, sizes, captions, LaTeX, and the files of a drawing."""

import contextlib
import os

# Matplotlib refuses to be imported where MPLBACKEND names what it does not know, as in some notebooks. Drawings need no
# backend: they go to files.
_named = os.environ.pop("MPLBACKEND", None)
import matplotlib  # noqa: E402

if _named is not None:
    os.environ["MPLBACKEND"] = _named
    with contextlib.suppress(ValueError):
        matplotlib.rcParams["backend"] = _named
