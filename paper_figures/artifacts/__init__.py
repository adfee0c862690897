"""The tables, figures, `claims`, `values` and `report`, one module each. `registry` finds them by their names.

A module has `TITLE`, `OUTPUT` (the usual path under the results folder) and `make(results, request)`, which returns
{suffix: bytes}. `request` (see `stamps.Request`) has a default. A figure also has `EXPERIMENT` and `SHOWN`: the cells
of that experiment that it shows.
"""

import paper_figures.drawing  # noqa: F401  # before an artifact imports matplotlib
