"""`python -m benchmarks peers`: our training speed beside that of public implementations, on this machine."""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import machine
from benchmarks.digits import table, to_the_range
from benchmarks.gate.settings import read_gate
from benchmarks.gate.trees import say
from benchmarks.peers.known import clone_commands, peer_of
from benchmarks.peers.peer import Peer, named
from benchmarks.peers.process import THEIRS
from impls.engine.files import write_atomically
from impls.engine.machine import cpu_name, package_versions, usable_cpus
from impls.errors import UserError
from impls.repository import commit_of_code

ROUNDS, STEPS = 5, 200  # by default; fewer than three rounds show no range


class Net(NamedTuple):
    """One row of the table: their net, or ours in a framework with so many replicas."""

    method: str
    name: str  # THEIRS, "torch" or "jax"
    replicas: int


def peers(options: argparse.Namespace) -> int:
    """Time the nets in turn and print a table for each checkout; returns 0."""
    if not options.checkouts:
        raise UserError(f"give the folder of a checkout. To get one: {clone_commands()}")
    if options.rounds < 3:
        raise UserError("--rounds must be at least 3")
    if options.replicas < 1 or options.steps < 1:
        raise UserError("--replicas and --steps must be at least 1")
    if options.save and not options.save.parent.is_dir():
        raise UserError(f"there is no folder {options.save.parent} for {options.save.name}")
    known = [(peer_of(checkout), checkout.resolve()) for checkout in options.checkouts]
    found = {
        "date": str(datetime.date.today()),
        "code": f"commit {commit_of_code()}",
        "machine": {"cpu": cpu_name(), "threads": usable_cpus()},
        "versions": package_versions("numpy", "torch", "jax", "jaxlib"),
        "peers": [_measured(peer, checkout, options) for peer, checkout in known],
    }
    if options.save:
        write_atomically(options.save, json.dumps(found, indent=1).encode())
    print(as_markdown(found))
    return 0


def _measured(peer: Peer, checkout: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The times of all nets of a checkout, in rounds."""
    nets = [
        Net(method, name, replicas)
        for method in peer.methods
        for replicas in dict.fromkeys((1, options.replicas))
        for name in ((THEIRS, "torch", "jax") if replicas == 1 else ("torch", "jax"))
    ]
    seconds: dict[Net, list[float]] = {net: [] for net in nets}
    watch = machine.Watch()
    for number in range(1, options.rounds + 1):
        for net in nets:
            seconds[net].append(_in_own_process(peer, checkout, net, options.steps))
            text = f"{net.method}, {net.name}, {net.replicas} at once: {1e3 * seconds[net][-1]:.3g} ms/step"
            say(f"{peer.repository}, round {number} of {options.rounds}: {text}")
    return {
        "repository": peer.repository,
        "state": named(checkout),
        "differences": peer.differences,
        "watched": watch.stop(),
        "nets": [net._asdict() | {"seconds_per_step": times} for net, times in seconds.items()],
    }


def _in_own_process(peer: Peer, checkout: Path, net: Net, steps: int) -> float:
    """Seconds of a step in a separate process."""
    with tempfile.TemporaryDirectory(prefix="dni-peers-") as folder:
        file = Path(folder, "seconds.json")
        flags = ["--checkout", str(checkout), "--method", net.method, "--replicas", str(net.replicas)]
        command = [sys.executable, "-m", "benchmarks.peers.process", net.name, *flags, "--steps", str(steps)]
        result = subprocess.run([*command, "--output", str(file)], capture_output=True, text=True)
        if result.returncode:
            words = result.stderr.strip().splitlines() or ["no error message"]
            raise UserError(f"{peer.repository}, {net.method}, {net.name}: {words[-1]}")
        return json.loads(file.read_text())["seconds_per_step"]


def as_markdown(found: dict[str, Any]) -> str:
    """A table for each checkout, and what differs between the nets."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    lines = [
        f"Measured on {found['date']}: {found['machine']['cpu']}, threads {found['machine']['threads']}, {versions}.",
        f"Ours: {found['code']}.",
    ]
    for peer in found["peers"]:
        lines += ["", f"## {peer['repository']}, {peer['state']}", ""]
        if read_gate().busy.was(peer["watched"]):
            lines += ["**The machine was busy with other work: these numbers are not to be cited.**", ""]
        lines += [_table(peer["nets"]), "", f"The nets: {peer['differences']}"]
    return "\n".join(lines)


def _table(nets: list[dict[str, Any]]) -> str:
    rows = [["method", "net", "replicas", "ms/step", "rounds, ms/step", "model-steps/s", "times as fast", "rounds"]]
    base = {net["method"]: net["seconds_per_step"] for net in nets if net["name"] == THEIRS}
    for net in nets:
        times, replicas = net["seconds_per_step"], net["replicas"]
        # Of each round, because its processes ran one after the other.
        pairs = zip(base[net["method"]], times, strict=True)
        ratio = ["", ""] if net["name"] == THEIRS else to_the_range([replicas * their / our for their, our in pairs])
        name = net["name"] if net["name"] == THEIRS else f"ours, {net['name']}"
        rate = to_the_range([replicas / seconds for seconds in times])[0]
        rows.append(
            [net["method"], name, str(replicas), *to_the_range([1e3 * seconds for seconds in times]), rate, *ratio]
        )
    return table(rows)
