"""Which section of the paper a claim, table or figure belongs to: the order of the report, and its headings."""

from __future__ import annotations

from functools import lru_cache

from paper_figures.claims.matching import read_claims

ADDITIONS = "Additions of this suite"
# Plots of which the paper gives no number, so that no claim names their section.
WITHOUT_NUMBERS = {
    "fig_underfitting": "Every layer DNI",
    "fig_linear_dni": "Every layer DNI",
    "fig_gradient_quality": "Single DNI",
    "fig_copy_progress": "Recurrent nets",
}


def section(place: str) -> str:
    """The section of the paper in a claim's column `section`: what stands before the first comma."""
    return place.partition(",")[0]


@lru_cache
def section_by_artifact() -> dict[str, str]:
    """By artifact, its section, in the order of claims.csv; an artifact of which the paper has nothing is not there."""
    claims = read_claims()
    found = dict(zip(claims["artifact"], claims["section"].map(section), strict=True))
    order = list(dict.fromkeys(found.values()))
    together = {**found, **WITHOUT_NUMBERS}
    return dict(sorted(together.items(), key=lambda item: order.index(item[1])))


def section_of(artifact: str) -> str:
    """The section of the paper that a table or figure is about, or `ADDITIONS`."""
    return section_by_artifact().get(artifact, ADDITIONS)


def by_section(artifacts: list[str]) -> dict[str, list[str]]:
    """Artifacts by section, both in the order of the paper; the additions come last, sorted by name."""
    known = list(section_by_artifact())
    ranked = sorted(artifacts, key=lambda name: (known.index(name) if name in known else len(known), name))
    return {
        heading: [name for name in ranked if section_of(name) == heading]
        for heading in dict.fromkeys(map(section_of, ranked))
    }
