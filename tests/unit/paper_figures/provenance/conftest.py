"""Drawings that the tests of this folder read; none of them changes one in place."""

import pytest

from paper_figures.cli import main
from tests.support.stamped_drawings import write_runs


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A results folder with two runs, a figure, a table and the claims; not to be changed."""
    results = tmp_path_factory.mktemp("made")
    write_runs(results)
    for name in ("fig_underfitting", "text_deep", "claims"):
        assert main([name, "--results", str(results)]) == 0
    return results
