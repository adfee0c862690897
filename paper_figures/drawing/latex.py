"""LaTeX tables with booktabs rules and the caption below, in ASCII."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace

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

TEXT_WIDTH, TEXT_HEIGHT = 497, 645  # of a page in points: two columns and the gap between them
CAPTION_LINE = 125  # characters in a line of the caption, which is 9.5 points high
GROUP_SPACE, BLOCK_SPACE = 3, 45  # points between two groups; points for a block's rules, headings and margins
# Font sizes from the largest, none below 7 points: commands, space between columns, width of a character, height of a
# line. The last three are in points.
SIZES = (
    (r"\footnotesize", 12, 4.6, 9.5),
    (r"\footnotesize\setlength{\tabcolsep}{3pt}", 6, 4.6, 9.5),
    (r"\scriptsize\setlength{\tabcolsep}{3pt}", 6, 4.15, 8),
    (r"\scriptsize\setlength{\tabcolsep}{2pt}", 4, 4.15, 8),
)
NAME = 12  # characters in a line of the first column, at least, if the column is wrapped
SLIM, SLIM_WIDTH = set(" .,:;()[]ijlt"), 0.6  # narrow characters, and their width relative to other characters


@dataclass(frozen=True)
class Block:
    """A part of a table, with separate columns.

    Attributes:
        headings, lines: plain text. In a cell, text after a line break is set below, in small print. A line whose first
            cell is not empty starts a group.
        names: the number of columns before the numbers. They are left-aligned, and numbers are centred.
        title: printed above the headings, if it is not empty.
    """

    headings: list[str]
    lines: list[list[str]]
    names: int
    title: str = ""

    def wrapped(self) -> Block:
        """A copy with number headings wrapped to the width of the cells below them, but at least ten characters."""
        wrapped = list(self.headings)
        for column in range(self.names, len(wrapped)):
            room = max([10, *(int(_width(line[column])) for line in self.lines)])
            wrapped[column] = "\n".join(textwrap.wrap(wrapped[column], room, break_long_words=False))
        return replace(self, headings=wrapped)

    def squeezed(self) -> Block:
        """A copy whose first column is wrapped to the width that the others leave on the page in the smallest size."""
        _, between, character, _ = SIZES[-1]
        excess = int((self.width(between, character) - TEXT_WIDTH) / character) + 1
        room = max(NAME, int(max(_width(line[0]) for line in self.lines)) - excess)
        names = ["\n".join(textwrap.wrap(line[0], room, break_long_words=False)) for line in self.lines]
        return replace(self, lines=[[name, *line[1:]] for name, line in zip(names, self.lines, strict=True)])

    def width(self, between: float, character: float) -> float:
        """The approximate width in points, from the space between columns and the width of a character."""
        columns = zip(*[self.headings, *self.lines], strict=True)
        widest = [max(map(_width, column)) for column in columns]
        return sum(widest) * character + between * (len(widest) - 1)

    def height(self, line_height: float) -> float:
        """The approximate height in points."""
        count = sum(max(cell.count("\n") + 1 for cell in line) for line in self.lines)
        groups = sum(bool(line[0]) for line in self.lines) if self.has_groups else 0
        return BLOCK_SPACE + count * line_height + groups * GROUP_SPACE

    @property
    def has_groups(self) -> bool:
        """Whether any group has several lines; there is then space between groups."""
        return any(not line[0] for line in self.lines)


def fits(block: Block) -> bool:
    """Whether a block is at most as wide as the page in the smallest size."""
    _, between, character, _ = SIZES[-1]
    return block.wrapped().width(between, character) <= TEXT_WIDTH


def escape(text: str) -> str:
    """LaTeX source that prints `text`. A character that is neither ASCII nor listed above becomes "?"."""
    escaped = "".join(_SPECIAL.get(character, character) for character in text)
    return escaped.replace("--", "-{}-").encode("ascii", "replace").decode()  # two hyphens would become a dash


def table(blocks: list[Block], notes: list[str], foot: str, label: str) -> str:
    r"""A `table*` environment (as wide as the page; needs \usepackage{booktabs}), in the largest size that fits.

    Args:
        notes: the sentences of the caption.
        foot: small print below the caption.
    """
    blocks = [block if fits(block) else block.squeezed() for block in (block.wrapped() for block in blocks)]
    room = TEXT_HEIGHT - 9.5 * (len(" ".join([*notes, foot])) / CAPTION_LINE + 2)
    fitting = (
        size
        for size, between, character, line in SIZES
        if max(block.width(between, character) for block in blocks) <= TEXT_WIDTH
        and sum(block.height(line) for block in blocks) <= room
    )
    size = next(fitting, SIZES[-1][0])
    letters, *_ = size.partition(r"\setlength")  # the caption has the same size
    body = "\n\\par\\medskip\n".join(map(_tabular, blocks))
    caption = "\n  ".join(escape(note) for note in notes)
    small = escape(foot).replace("/", r"/\allowbreak{}")  # allows line breaks in paths
    return rf"""% Needs \usepackage{{booktabs}}.
\begin{{table*}}
\centering{size}
{body}
\caption{{{letters} {caption}}}
\label{{{label}}}
\par\smallskip{{\scriptsize {small}}}
\end{{table*}}
"""


def _tabular(block: Block) -> str:
    body: list[str] = []
    for line in block.lines:
        if line[0] and body and block.has_groups:
            body.append(rf"\addlinespace[{GROUP_SPACE}pt]")
        cells = [_cell(cell, "l" if column < block.names else "c") for column, cell in enumerate(line)]
        body.append(" & ".join(cells) + r" \\")
    rows = "\n".join(body)
    count = len(block.headings)
    title = rf"\multicolumn{{{count}}}{{@{{}}l}}{{{escape(block.title)}}} \\" + "\n" if block.title else ""
    return rf"""\begin{{tabular}}{{@{{}}{"l" * block.names}{"c" * (count - block.names)}@{{}}}}
\toprule
{title}{" & ".join(map(_cell, block.headings))} \\
\midrule
{rows}
\bottomrule
\end{{tabular}}"""


def _cell(text: str, side: str = "c") -> str:
    number, *below = text.split("\n")
    if not below:
        return escape(number)
    small = "".join(rf"\\{{\scriptsize {escape(line)}}}" for line in below)
    return rf"\begin{{tabular}}[t]{{@{{}}{side}@{{}}}}{escape(number)}{small}\end{{tabular}}"


def _width(cell: str) -> float:
    """The width of a cell's longest line, in characters of normal width."""
    return max(sum(SLIM_WIDTH if character in SLIM else 1.0 for character in line) for line in cell.split("\n"))
