"""Results with a figure, a table and the claims, for tests of stamps and of `verify`."""

from tests.support.runs_on_disk import write_run

FIGURE, TABLE, CLAIMS = "figures/fig_underfitting.pdf", "tables/text_deep.md", "claims.csv"
FIGURE_SUFFIXES, TABLE_SUFFIXES = (".pdf", ".svg", ".png", ".csv", ".json"), (".md", ".tex", ".csv", ".json")
FILES = [
    *(FIGURE.replace(".pdf", suffix) for suffix in FIGURE_SUFFIXES),
    *(TABLE.replace(".md", suffix) for suffix in TABLE_SUFFIXES),
    *(CLAIMS, "claims.json"),
]
DEEP = "feedforward/dataset~mnist/model~fcn/depth~21/method~cdni/torch"


def write_runs(results):
    """A run for the table and one for the figure, in few points."""
    write_run(results, "torch", 21, "cdni", final=2.1, iterations=2000, evaluate_every=1000)
    train = {("train", "error"): 5.0, ("train", "loss"): 0.2}
    write_run(results, "torch", 3, "bprop", dataset="cifar10", model="cnn", iterations=2000, metrics=train)
