"""LaTeX tables: booktabs rules, the caption below, ASCII only."""

from __future__ import annotations

_SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": r"\textendash{}",
    "<": r"$<$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    ">": r"$>$",
}


NARROW = 8  # more columns than this are set smaller, and closer together


def escape(text: str) -> str:
    """`text` as LaTeX that prints it; a character that has no entry here and is not ASCII becomes "?"."""
    escaped = "".join(_SPECIAL.get(character, character) for character in text)
    return escaped.replace("--", "-{}-").encode("ascii", "replace").decode()  # two hyphens would become a dash


def table(headings: list[str], lines: list[list[str]], notes: list[str], foot: str, label: str, names: int) -> str:
    r"""A `table*` environment (two-column width; needs \usepackage{booktabs}).

    Args:
        headings, lines: plain text; a line break inside a cell puts the rest below it, smaller. A line whose first cell
            is not empty starts a group, with a rule above.
        notes: the caption's sentences; foot: small print under it.
        names: how many columns come before the numbers; they are set to the left, the numbers centred.
    """
    narrow = len(headings) > NARROW
    body = []
    for line in lines:
        if line[0] and body:
            body.append(r"\addlinespace")
        body.append(" & ".join(_cell(cell, r"\tiny" if narrow else r"\scriptsize") for cell in line) + r" \\")
    rows = "\n".join(body)
    caption = "\n  ".join(escape(note) for note in notes)
    small = escape(foot).replace("/", r"/\allowbreak{}")  # so that a path can be broken
    size = r"\scriptsize\setlength{\tabcolsep}{3pt}" if narrow else r"\footnotesize"
    return rf"""% Needs \usepackage{{booktabs}}.
\begin{{table*}}
\centering{size}
\begin{{tabular}}{{@{{}}{"l" * names}{"c" * (len(headings) - names)}@{{}}}}
\toprule
{" & ".join(escape(heading) for heading in headings)} \\
\midrule
{rows}
\bottomrule
\end{{tabular}}
\caption{{{caption}}}
\label{{{label}}}
\par\smallskip{{\tiny {small}}}
\end{{table*}}
"""


def _cell(text: str, size: str) -> str:
    number, *below = text.split("\n")
    if not below:
        return escape(number)
    small = "".join(rf"\\{{{size} {escape(line)}}}" for line in below)
    return rf"\begin{{tabular}}[t]{{@{{}}c@{{}}}}{escape(number)}{small}\end{{tabular}}"
