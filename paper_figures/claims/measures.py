"""The metrics of claims: where the curves hold each, how it is read (`readings`, `comparisons`) and printed."""

from __future__ import annotations

from paper_figures.claims.paired_runs import (
    data_fraction,
    difference,
    snapshot_difference,
    steps_fraction,
    steps_further,
)
from paper_figures.claims.single_run import (
    NEAR,
    SOLVED,
    Measure,
    at_iteration,
    best_snapshot,
    constant_guess,
    data_per_iteration,
    early_stops,
    error_at_p_update,
    excess_over_guess,
    exponent_in_p_update,
    last_over_peak,
    last_until,
    training_mean,
)
from paper_figures.claims.timed_workers import fraction_of_seconds

# Beside the measures, what the drawings need of how they are read.
__all__ = ["MEASURES", "NEAR", "Measure", "constant_guess", "data_per_iteration", "early_stops"]

ERROR = ("test", "error")
BITS = ("test", "bits_per_character")
# The least steps between two results, where they are coarser than the last digit printed.
STREAM = 0.05  # percentage points, one of 2,000 streams
STEP = 1  # of a curriculum

MEASURES = {
    # The paper's numbers.
    "test_error": Measure(*ERROR, True, at_iteration, 2),
    "test_error_at_p_update": Measure(*ERROR, True, error_at_p_update, 2, bin="centre"),
    "max_solved_task_length": Measure(*SOLVED, False, last_until, 1, on_ladder=True, step=STEP),
    "test_bits_per_character": Measure(*BITS, True, best_snapshot, 3),
    # What it finds of one run.
    "mean_cosine_similarity": Measure("batch", "h{cut_after}.cosine_similarity", False, training_mean, 3),
    "mean_sign_error": Measure("batch", "h{cut_after}.sign_error", True, training_mean, 1),
    "l2_error_last_over_peak": Measure("batch", "h{cut_after}.l2_error", True, last_over_peak, 2),
    "test_error_exponent": Measure(*ERROR, None, exponent_in_p_update, 3),
    "excess_over_guess_b": Measure("test", "error_b", False, excess_over_guess, 2, step=STREAM),
    # What it finds of two.
    "test_error_difference": Measure(*ERROR, True, difference, 2),
    "train_error_difference": Measure("train", "error", True, difference, 2),
    "steps_further": Measure(*SOLVED, False, steps_further, 1, step=STEP),
    "test_bits_difference": Measure(*BITS, True, snapshot_difference, 3),
    "data_fraction_to_reach_bptt20": Measure(*BITS, True, data_fraction, 2, failure="never reached it"),
    **{
        f"steps_fraction_{network}": Measure(
            *("test", f"error_{network}", True, steps_fraction, 2), failure="never reached it"
        )
        for network in ("a", "b")
    },
    "seconds_fraction_to_2_percent": Measure(*ERROR, True, fraction_of_seconds, 2, failure="never reached it"),
    "final_difference_b": Measure("test", "error_b", True, difference, 2, step=STREAM),
}
