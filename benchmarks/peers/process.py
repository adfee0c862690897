"""Times one net of `python -m benchmarks peers` in one process: a peer's, or ours with the peer's sizes."""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from benchmarks.cases import CLASSES, Case
from benchmarks.measure import LAUNCHES, Training
from benchmarks.peers.known import peer_of
from benchmarks.peers.peer import Peer
from impls.engine.environment import prepare_environment
from impls.engine.machine import usable_cpus

THEIRS = "theirs"  # instead of a framework of ours


def theirs(peer: Peer, checkout: Path, method: str, steps: int) -> Callable[[], float]:
    """A launch of the peer's net: so many steps on batches that are prepared; returns its duration in seconds."""
    import torch

    torch.manual_seed(0)
    step = peer.training_step(checkout, method)
    inputs = torch.randn(steps, peer.batch_size, peer.input_units)
    labels = torch.randint(CLASSES, (steps, peer.batch_size))
    batches = list(zip(inputs, labels, strict=True))

    def launch() -> float:
        started = time.perf_counter()
        for batch in batches:
            loss = step(*batch)
        loss.item()
        return time.perf_counter() - started

    return launch


def ours(peer: Peer, method: str, framework: str, replicas: int, steps: int) -> Callable[[], float]:
    """A launch of our cell with the peer's sizes."""
    experiment, fields = peer.methods[method]
    return Training("a peer's cell", framework, device="cpu", case=Case(experiment, fields, steps, replicas)).launch


def main() -> None:
    """Write the seconds of a step, the median of the launches after the first one, which compiles."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.process", description=__doc__)
    parser.add_argument("net", choices=(THEIRS, "torch", "jax"))
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--method", required=True)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    prepare_environment(usable_cpus(), "cpu")
    peer = peer_of(options.checkout)
    if options.net == THEIRS:
        warnings.simplefilter("ignore")  # of names that have changed since their code was written
        launch = theirs(peer, options.checkout, options.method, options.steps)
    else:
        launch = ours(peer, options.method, options.net, options.replicas, options.steps)
    launch()
    seconds = statistics.median(launch() for _ in range(LAUNCHES))
    options.output.write_text(json.dumps({"seconds_per_step": seconds / options.steps}))


if __name__ == "__main__":
    main()
