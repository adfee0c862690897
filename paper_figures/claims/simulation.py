"""How often the rules of `statistics` say what, where the truth is known: the table of docs/verdicts.md."""

from __future__ import annotations

import numpy as np

from paper_figures.claims.estimates import mean_of
from paper_figures.claims.statistics import verdict

PUBLISHED, MARGIN = 4.2, 0.55  # an error of the paper in percent, and how far a result may be from it
TRUTHS = (1.0, 1.5, 2.0)  # the mean of our runs over the published number
READING_ERROR = 0.1
SPREAD = 0.1  # standard deviation of our runs over their mean
REPLICAS = (2, 3, 5)
DRAWS = 10_000
OLD = "consistent by the old rule"


def shares(truth: float, n: int, draws: int = DRAWS) -> dict[str, float]:
    """The share of simulated results, from 0 to 1, by verdict, and the share that the old rule called consistent.

    Args:
        truth: the mean of our runs over the published number.
        n: replicas.

    The old rule said *consistent* of every published number in the prediction interval, from two replicas on and
    however wide the interval was.
    """
    found = dict.fromkeys([OLD, "reproduced", "consistent", "inconclusive", "differs"], 0.0)
    mean = truth * PUBLISHED
    for values in np.random.default_rng(n).normal(mean, SPREAD * mean, (draws, n)):
        result = verdict(mean_of(values), PUBLISHED, MARGIN, True, READING_ERROR)
        found[result.word.partition(" ")[0]] += 1 / draws
        inside = result.prediction_low - READING_ERROR <= PUBLISHED <= result.prediction_high + READING_ERROR
        found[OLD] += (inside and result.word != "reproduced") / draws
    return found
