"""The runs that the figures of feed-forward nets show, cell by cell."""

import itertools
import math

from paper_figures import registry
from tests.support.runs_on_disk import write_run

FRAMEWORKS = ("torch", "jax")


def quality(cut, conditioned):
    """Smooth stand-ins for the four measures of one cut, as `metrics` of write_run: (replica, iteration) -> value."""
    norm, worst = 0.2 / cut, 47 if conditioned else 49

    def at(start, end):
        return lambda replica, iteration: (end + (start - end) * math.exp(-iteration / 30_000)) * (1 + 0.004 * replica)

    values = {
        "l2_error": at(norm * 1.3, norm * 0.9),
        "true_norm": at(norm * 1.1, norm * 0.8),
        "cosine_similarity": at(0.01, (0.3 if conditioned else 0.1) / cut),
        "sign_error": at(50, worst - 2 * (5 - cut)),
    }
    return {("batch", f"h{cut}.{metric}"): value for metric, value in values.items()}


def cells(artifact):
    """The keyword arguments of write_run for every cell that a figure shows."""
    nets = {"metrics": {("train", "error"): 1.5}}
    if artifact == "fig_feedforward_curves":
        for method, depth in itertools.product(("no_bprop", "bprop", "dni", "cdni"), (3, 4, 5, 6)):
            yield {"method": method, "depth": depth}
    elif artifact == "fig_underfitting":
        for method, depth in itertools.product(("bprop", "dni", "cdni"), (3, 4)):
            train = {"bprop": 3.0, "dni": 10.0 * (depth - 2), "cdni": 6.0}[method]
            metrics = {("train", "error"): train}
            yield {"dataset": "cifar10", "model": "cnn", "method": method, "depth": depth, "metrics": metrics} | {
                "final": [20 + train / 3 + i / 3 for i in range(3)]
            }
    elif artifact == "fig_gradient_quality":
        for method, cut in itertools.product(("dni", "cdni"), range(1, 6)):
            metrics = quality(cut, method == "cdni")
            yield {"method": method, "depth": 6, "cell": {"cut_after": cut}, "metrics": metrics}
    elif artifact in ("fig_linear_dni", "fig_depth_choice"):
        for depth, hidden in itertools.product((3, 4, 5, 6), (0, 1, 2)):
            errors = [(1.8 + 0.7 * (depth - 3)) * (1 + 0.3 * (2 - hidden)) * (0.97 + 0.03 * i) for i in range(3)]
            valid = [error + 0.2 * (hidden == 2) for error in errors] if depth < 4 else [e + hidden for e in errors]
            metrics = {**nets["metrics"], ("valid", "error"): valid}
            yield {"depth": depth, "cell": {"synthetic_gradient_depth": hidden}, "final": errors, "metrics": metrics}
    elif artifact == "fig_bp_lambda":
        for method, bp_lambda in itertools.product(("dni", "cdni"), (0.0, 0.25, 0.5, 0.75, 1.0)):
            errors = [
                (2.9 if method == "dni" else 2.0) - 0.9 * bp_lambda * (method == "dni") + i / 15 for i in range(3)
            ]
            yield {"method": method, "cell": {"bp_lambda": bp_lambda}, "final": errors}
    elif artifact == "fig_target_scale":
        for (scale, epsilon), error in zip(
            (("example", 1e-8), ("batch_mean", 1e-8), ("batch_mean", 1e-12)), (1.8, 2.4, 1.9), strict=True
        ):
            cell = {"target_scale": scale, "adam_epsilon": epsilon}
            yield {"method": "cdni", "cell": cell, "final": [error + i / 15 for i in range(3)]}
    elif artifact == "fig_initial_weights":
        weights = {"lecun_normal": 2.2, "torch_uniform": 1.9, "glorot_uniform": 2.0}
        for method, (name, error) in itertools.product(("bprop", "cdni"), weights.items()):
            final = [error - 0.3 * (method == "bprop") + i / 15 for i in range(3)]
            yield {"method": method, "cell": {"initial_weights": name}, "final": final}


ARTIFACTS = [
    "fig_feedforward_curves",
    "fig_underfitting",
    "fig_gradient_quality",
    "fig_linear_dni",
    "fig_depth_choice",
    "fig_bp_lambda",
    "fig_target_scale",
    "fig_initial_weights",
]


def write_cells(results, artifact, frameworks=FRAMEWORKS, chosen=slice(None), **settings):
    """The cells of a figure; `settings` are further arguments of write_run, or functions of the cell's number."""
    experiment = registry.module(artifact).EXPERIMENT
    for framework in frameworks:
        for number, cell in list(enumerate(cells(artifact)))[chosen]:
            given = {name: value(number) if callable(value) else value for name, value in settings.items()}
            write_run(
                results,
                framework,
                experiment=experiment,
                **{"iterations": 100_000, "evaluate_every": 5000, **cell, **given},
            )
