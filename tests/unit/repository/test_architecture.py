"""docs/architecture.md: its boxes are the rooms of the code, its arrows the imports between them, all of them."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("impls", "paper_figures", "benchmarks")
ROOMS = {
    init.parent.relative_to(ROOT).as_posix() for package in PACKAGES for init in ROOT.glob(f"{package}/*/__init__.py")
}
VERDICT, IMPORTS = re.findall(r"^```mermaid\n(.*?)^```", (ROOT / "docs/architecture.md").read_text(), re.M | re.S)


def room(parts: tuple[str, ...]) -> str:
    """`impls/engine` for anything below that folder, `impls` for a module at the top of the package."""
    folder = "/".join(parts[:2])
    return folder if folder in ROOMS else parts[0]


def imported(code: str) -> set[str]:
    """The rooms that Python code imports from, functions included."""
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {room(tuple(name.split("."))) for name in names if name.split(".")[0] in PACKAGES}


def sources() -> dict[Path, str]:
    """Python code by file; of a workflow file, its import statements."""
    found = {path: path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    for path in (ROOT / "Snakefile", *(ROOT / "workflows").glob("*.smk")):
        found[path] = "\n".join(re.findall(r"^(?:import|from) .*$", path.read_text(), re.M))
    return found


def arrows() -> set[tuple[str, str]]:
    """(room, room that it imports), drawn as the page says."""
    found = set()
    for path, code in sources().items():
        parts = path.relative_to(ROOT).parts
        start = room(parts) if parts[0] in PACKAGES else "workflows"
        for end in imported(code):
            if start.split("/")[0] != end.split("/")[0]:
                found.add((start if "/" in end else start.split("/")[0], end))
            elif start != end and "/" in start and "/" in end:
                found.add((start, end))
    return found


def test_the_boxes_are_the_rooms():
    boxes = {line.split()[-1] for line in IMPORTS.splitlines()[1:] if line.strip() and "-->" not in line} - {"end"}
    assert boxes == {*ROOMS, *PACKAGES, "workflows"}


def test_the_arrows_are_the_imports():
    drawn, real = set(re.findall(r"^ *(\S+) --> (\S+)$", IMPORTS, re.M)), arrows()
    lines = "\n".join(f"    {start} --> {end}" for start, end in sorted(real))
    assert drawn == real, (
        f"not drawn: {sorted(real - drawn)}; drawn without an import: {sorted(drawn - real)}.\n"
        f"The arrows of docs/architecture.md should be:\n{lines}"
    )


def test_no_rooms_import_each_other_in_a_circle():
    graph: dict[str, set[str]] = {}
    for start, end in arrows():
        graph.setdefault(start, set()).add(end)
    assert list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the rooms


def test_the_files_on_the_way_to_a_verdict_exist():
    files = re.findall(r"(?:config|impls|paper_figures)/[\w/]+\.\w+", VERDICT)
    assert len(files) >= 7
    assert [file for file in files if not (ROOT / file).is_file()] == []
