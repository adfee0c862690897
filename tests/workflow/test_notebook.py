"""The notebook runs from its first cell to its last, as on a machine that has the packages."""

import os
import subprocess
import sys

import nbformat
import pytest

pytestmark = pytest.mark.slow("trains a cell in both frameworks")

# Runs the cells of the notebook, for fewer iterations; Jupyter is only needed for what it would show.
PROGRAM = """
import sys, types
import nbformat
shown = []
display = types.ModuleType("IPython.display")
display.Image = shown.append
sys.modules |= {"IPython": types.ModuleType("IPython"), "IPython.display": display}
cells = [cell for cell in nbformat.read("docs/one-cell.ipynb", as_version=4).cells if cell.cell_type == "code"]
names = {}
for cell in cells:
    source = cell.source.replace('DATA = "original"', f'DATA = "{sys.argv[1]}"')
    exec(source.replace('"--iterations", 1000', f'"--iterations", {sys.argv[2]}'), names)
print("shown", *shown)
print("difference", names["table"]["torch"].sub(names["table"]["jax"]).abs().iloc[-1].max())
print("learns", names["table"].iloc[-1].max())
"""


def test_the_notebook_trains_in_both_frameworks_and_draws(checkout):
    notebook = nbformat.read(checkout / "docs/one-cell.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "results do not belong into the repository"
    assert 'DATA = "original"' in notebook.cells[3].source
    # Not from the network. After as many iterations both nets have learned most.
    data, iterations = ("original", "300") if os.environ.get("DNI_DATA_DIR") else ("embedded", "100")
    command = [sys.executable, "-c", PROGRAM, data, iterations]
    ran = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    said = dict(line.split(" ", 1) for line in ran.stdout.splitlines() if line.startswith(("shown", "diff", "learns")))
    assert (checkout / said["shown"]).read_bytes().startswith(b"\x89PNG")
    assert float(said["difference"]) < 3 and float(said["learns"]) < 20  # percent
