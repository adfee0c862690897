"""The table of docs/verdicts.md: how often the verdicts are what, in a simulation (`claims.simulation`)."""

from __future__ import annotations

from functools import cache

from paper_figures.claims import simulation


@cache  # some seconds
def simulated_verdicts() -> str:
    """A line for each truth and number of replicas, and before it what was simulated."""
    lines = ["| truth / paper | replicas | consistent, old rule | consistent | reproduced | differs | inconclusive |"]
    lines.append("| --: | --: | --: | --: | --: | --: | --: |")
    for truth in simulation.TRUTHS:
        for n in simulation.REPLICAS:
            found = simulation.shares(truth, n)
            words = [simulation.OLD, "consistent", "reproduced", "differs", "inconclusive"]
            lines.append(f"| {truth:g} | {n} | {' | '.join(f'{100 * found[word]:.2f}%' for word in words)} |")
    what = (
        f"{simulation.DRAWS:,} simulated results a line. The paper's number is {simulation.PUBLISHED}, read to "
        f"{simulation.READING_ERROR}, with the margin {simulation.MARGIN}. Our runs are normal, with a standard "
        f"deviation of {100 * simulation.SPREAD:g}% of their mean."
    )
    return "\n".join([what, "", *lines])
