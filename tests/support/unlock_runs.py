"""Runs of sparse updates and of complete unlock, whose replicas differ by p_update."""

from tests.support.runs_on_disk import write_run


def value(replica, iteration):
    """A test error that is different for every replica and iteration."""
    return 2 + replica / 100 + 1e4 / (iteration + 200)


def write_unlock(results, framework="torch", method="dni", unlock="sparse", replicas=20, **changes):
    """Replica i of n has p_update i / (n - 1)."""
    settings = {"p_update": [i / (replicas - 1) for i in range(replicas)]}
    place = {"experiment": "unlock", "cell": {"unlock": unlock}, "replica_settings": settings}
    metrics = {("test", "error"): value}
    changes = {"evaluate_every": 1000, "seeds": tuple(range(5, 5 + replicas)), "metrics": metrics, **place, **changes}
    return write_run(results, framework, 4, method, **changes)
