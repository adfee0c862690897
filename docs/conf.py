"""The documentation site: `make docs` builds it into build/docs, from the Markdown pages and the docstrings.

The source folder is the repository's root: links between pages, tables and code are checked as they stand there.
The code is parsed and not imported: neither PyTorch nor JAX is needed.
"""

import re
import shutil
import sys
from pathlib import Path

from astroid.manager import AstroidManager

project = html_title = "Decoupled Neural Interfaces, reproduced"
extensions = ["myst_parser", "sphinx.ext.napoleon", "autoapi.extension", "sphinxcontrib.mermaid"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md", "config/*.md", "results/published/*/tables/*.md", "build/api/**"]
exclude_patterns = [".*", "build/docs"]
html_theme = "furo"
highlight_language = "none"
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]

autoapi_dirs = ["impls", "paper_figures", "benchmarks"]
autoapi_ignore = ["*/benchmarks/suite/*", "*/benchmarks/conftest.py"]
autoapi_root = "build/api"
autoapi_options = ["members", "undoc-members", "show-module-summary"]
# A sidebar that lists every module on every page would double the time of the build; docs/index.md links to the API.
autoapi_add_toctree_entry = False
suppress_warnings = ["toc.not_included", "autoapi.python_import_resolution"]


class Foreign:
    """All packages but this repository's and the standard library; to parse them too would double the time again."""

    def __contains__(self, module: str) -> bool:
        return module.split(".")[0] not in {*autoapi_dirs, *sys.stdlib_module_names}


AstroidManager.brain["module_denylist"] = Foreign()

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = ("Args:", "Returns:", "Raises:")  # napoleon reads these
FIELD = re.compile(r"(Returns|Raises|[a-z_]+(, [a-z_]+)*): ")
LITERAL = r"^::\n\n(?:(?: .*)?(?:\n|\Z))*|^ *>>> .*(?:\n.+)*"
MARKUP = re.compile(rf"(?P<literal>{LITERAL})|`(?P<code>[^`]+)`|(?P<special>[*|\\]|(?<=\w)_(?!\w))", re.MULTILINE)


def as_restructured_text(app, what, name, obj, options, lines: list[str]) -> None:
    """Docstrings are plain text with `code` in backticks, indented formulas and lines such as `name: what it is`."""
    # Napoleon takes the first line of an attribute for "type: description", so that line is an empty comment.
    text, kind = ["..", ""] if what in ("attribute", "data", "property") else [], "prose"
    for line in lines:
        before = kind
        if kind == "section" or line in SECTIONS:
            kind = "section"
        elif line.startswith(" "):
            kind = "field" if kind == "field" else "formula"
        elif line:
            kind = "field" if FIELD.match(line) else "prose"
        if kind != before:
            text += ["", "::", ""] if kind == "formula" else [""]
        if kind == "field" and line:
            line = f"  {line.strip()}" if line.startswith(" ") else f"- {line}"
        text.append(line)
    lines[:] = MARKUP.sub(_replacement, "\n".join(text)).split("\n")


def _replacement(match: re.Match) -> str:
    if match["literal"]:
        return match[0]
    # Inline code must not touch a letter: "\ " separates them and is not shown.
    return f"\\ ``{match['code']}``\\ " if match["code"] else f"\\{match[0]}"


def front_page(app, exception: Exception | None) -> None:
    """The site opens with the report of the published runs, beside the files that it links to; without runs, with the
    first page.
    """
    if exception:
        return
    reports = []
    for folder in sorted((ROOT / "results/published").glob("*/")):
        from paper_figures import registry

        place = Path(app.outdir, folder.relative_to(ROOT))
        for part in ("figures", "tables"):
            shutil.copytree(folder / part, place / part, dirs_exist_ok=True)
        page = registry.module("report").make(folder)[".html"].decode()
        to_pages = "../" * len(folder.relative_to(ROOT).parts) + "docs/index.html"
        page = page.replace("<body>", f'<body>\n<p><a href="{to_pages}">Documentation</a></p>', 1)
        (place / "report.html").write_text(page, encoding="utf-8")
        reports.append((place / "report.html").relative_to(app.outdir).as_posix())
    first = next(iter(reports), "docs/index.html")
    Path(app.outdir, "index.html").write_text(f'<meta http-equiv="refresh" content="0; url={first}">\n')


def setup(app) -> None:
    app.connect("autodoc-process-docstring", as_restructured_text, priority=400)
    app.connect("build-finished", front_page)
