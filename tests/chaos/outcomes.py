"""What an attack found, and the table of all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

BEGIN, END = "<!-- attacks: begin -->", "<!-- attacks: end -->"


class Wrong(AssertionError):
    """The suite did something wrong; the message says what."""


def must(holds: bool, otherwise: str) -> None:
    """Raise `Wrong` unless a condition holds."""
    if not holds:
        raise Wrong(otherwise)


def with_block(page: str, block: str) -> str:
    """A page's text with another block between its markers.

    >>> with_block("a\\n<!-- attacks: begin -->\\nold\\n<!-- attacks: end -->\\n", "new")
    'a\\n<!-- attacks: begin -->\\n\\nnew\\n\\n<!-- attacks: end -->\\n'
    """
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{block.strip()}\n\n{END}{rest.split(END)[1]}"


@dataclass
class Tally:
    """How often each kind of attack was tried and went right, and what went wrong."""

    tried: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, kind: str, problem: str | None) -> None:
        """Count one attack; `problem` is None if all went right."""
        self.tried[kind] += 1
        if problem is None:
            self.right[kind] += 1
        else:
            self.wrong.append(f"{kind}: {problem}")

    def as_markdown(self) -> str:
        """A table with a row for each kind."""
        rows = [
            f"| {kind} | {n} | {self.right[kind]} | {n - self.right[kind]} |" for kind, n in sorted(self.tried.items())
        ]
        total = sum(self.tried.values())
        rows.append(f"| all | {total} | {sum(self.right.values())} | {len(self.wrong)} |")
        return "\n".join(["| attack | tried | right | wrong |", "| --- | --: | --: | --: |", *rows]) + "\n"
