"""The report's tables and figures, as they were drawn: read from their files, by section of the paper."""

from __future__ import annotations

import base64
import itertools
import json
import re
from pathlib import Path
from typing import Any

from impls.errors import UserError
from paper_figures import registry
from paper_figures.claims.sections import by_section
from paper_figures.provenance.stamps import one_line

TABLE_FILES = (".csv", ".md", ".tex", ".json")
FIGURE_FILES = (".pdf", ".svg", ".png", ".csv", ".json")
LARGEST_SVG = 600_000  # bytes; of a larger drawing, with thousands of points, the report holds the .png


def drawings(results: Path) -> dict[str, list[dict[str, Any]]]:
    """By section of the paper, its tables and figures; those that are not drawn have no `kind`."""
    names = [name for name in registry.names() if name.startswith(("table_", "text_", "fig_"))]
    return {heading: [_drawing(results, name) for name in part] for heading, part in by_section(names).items()}


def _drawing(results: Path, name: str) -> dict[str, Any]:
    table, figure = results / "tables" / f"{name}.md", results / "figures" / f"{name}.json"
    if table.is_file():
        return {"name": name, "kind": "table", "files": _links(results, table, TABLE_FILES), **read_markdown(table)}
    if figure.is_file():
        return {"name": name, "kind": "figure", "files": _links(results, figure, FIGURE_FILES), **_figure(figure)}
    return {"name": name, "kind": ""}


def _links(results: Path, path: Path, suffixes: tuple[str, ...]) -> list[dict[str, str]]:
    """The files of an artifact that are there, as links relative to the report."""
    files = [path.with_suffix(suffix) for suffix in suffixes]
    return [{"href": file.relative_to(results).as_posix(), "name": file.suffix[1:]} for file in files if file.is_file()]


def _figure(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        title, caption, stamp_line = record["title"], record["caption"], one_line(record["stamp"])
    except (ValueError, KeyError) as error:
        raise UserError(f"{path}: not the record of a figure ({error!r}). Draw it again.") from None
    svg, png = path.with_suffix(".svg"), path.with_suffix(".png")
    chosen = svg if svg.is_file() and svg.stat().st_size <= LARGEST_SVG else png
    if not chosen.is_file():
        raise UserError(f"{chosen}: missing, though {path.name} is beside it. Draw the figure again.")
    content, kind = chosen.read_bytes(), "svg+xml" if chosen == svg else "png"
    return {
        "title": title[0].upper() + title[1:],
        "caption": caption,
        "stamp": stamp_line,
        "alt": f"Figure: {title}. The caption says how it is to be read, the csv file has its numbers.",
        "image": f"data:image/{kind};base64,{base64.b64encode(content).decode()}",
    }


def read_markdown(path: Path) -> dict[str, Any]:
    """Title, notes (the first is about data), tables and stamp of a .md, as `tables.markdown` writes it."""
    text = re.sub(r"<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    blocks = [block.strip() for block in re.split(r"\n{2,}", text) if block.strip()]
    prose = [block for block in blocks if not block.startswith(("|", "#"))]
    tables = [
        {"title": before.removeprefix("## ") if before.startswith("## ") else "", **_table(block)}
        for before, block in itertools.pairwise(blocks)
        if block.startswith("|")
    ]
    if not tables or not blocks[0].startswith("# ") or len(prose) < 2:
        raise UserError(f"{path}: not a table of this suite. Draw it again.")
    *notes, stamp_line = prose
    return {
        "title": blocks[0].removeprefix("# "),
        "tables": tables,
        "notes": [note.strip("*") if note.startswith("**") else note for note in notes],
        "stamp": stamp_line,
    }


def _table(block: str) -> dict[str, Any]:
    headings, _, *lines = map(_cells, block.splitlines())
    return {"headings": headings, "lines": lines}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
