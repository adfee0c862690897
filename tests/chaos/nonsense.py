"""Random settings and presets: refused in words, or of a size that a machine can hold."""

from __future__ import annotations

import contextlib
import io
import math
import random
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from impls import cli
from impls.engine.memory import estimated_bytes
from impls.errors import UserError
from impls.presets import cells, load_preset, replicas
from impls.registry import experiments, spec_class
from tests.chaos.outcomes import must

NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0, -1, 1, 2, 3, 10**4, 10**6, 10**9, 10**13, math.inf, math.nan, 1e-300, 1e300]),
)
VALUES = st.recursive(
    st.one_of(NUMBERS, st.booleans(), st.none(), st.text(max_size=8), st.sampled_from(["dni", "mnist", "3", "1e-3"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def random_spec(rng: random.Random, _place: Path, _folder: Path) -> None:
    """Random values of some fields of a spec: each is refused, or taken as what it says."""
    spec = spec_class(rng.choice(experiments()))
    names = sorted(spec.model_fields)

    @seed(rng.randrange(2**32))
    @settings(max_examples=30, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(st.sampled_from(names), VALUES, min_size=1, max_size=4))
    def check(fields: dict[str, Any]) -> None:
        try:
            found = spec(**fields)
        except ValidationError:
            return
        for name, value in fields.items():
            is_switch = isinstance(getattr(found, name), bool)
            must(is_switch or not isinstance(value, bool), f"{name}={value!r} was taken for a number")
        must(math.isfinite(found.operations_per_step()), f"{fields}: endless operations")
        must(math.isfinite(estimated_bytes(found, 1)), f"{fields}: endless memory")
        must(len(found.evaluation_iterations()) <= 100_002, f"{fields}: endless evaluations")

    check()


def random_preset(rng: random.Random, _place: Path, folder: Path) -> None:
    """A preset with one random change: refused in a few lines, or every cell has the replicas that it says."""
    content = yaml.safe_load((Path(__file__).resolve().parents[2] / "config/smoke.yaml").read_text())
    path = folder / "preset.yaml"

    @seed(rng.randrange(2**32))
    @settings(max_examples=10, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False), VALUES)
    def check(choose: random.Random, value: Any) -> None:
        changed = yaml.safe_load(yaml.safe_dump(content))
        node = changed
        while True:
            key = choose.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if isinstance(node[key], dict | list) and node[key] and choose.random() < 0.8:
                node = node[key]
                continue
            node[key] = value
            break
        path.write_text(yaml.safe_dump(changed))
        try:
            preset = load_preset(path)
        except UserError as error:
            must(len(str(error)) < 20_000, f"a message of {len(str(error))} characters")
            return
        for experiment in preset.experiments:
            for cell in cells(preset, experiment):
                must(1 <= replicas(preset, experiment, cell) <= 10_000, f"{experiment} {cell}: its replicas")

    check()


def random_flags(rng: random.Random, _place: Path, folder: Path) -> None:
    """Random words after `train`: one line and exit code 2. (What would train is not started.)"""
    experiment = rng.choice(experiments())
    flags = ["--framework", "--output", "--replicas", "--depth", "--batch-size", "--iterations", "--preset", "--jobs"]
    odd = ["", "nan", "-1", "0", "1e400", "../../x", "\x00", "a" * 5000, "torch", "10**9", str(10**30), "true", "--"]
    words = [word for _ in range(rng.randint(1, 4)) for word in (rng.choice(flags), rng.choice(odd))]
    messages = io.StringIO()
    with contextlib.redirect_stderr(messages), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = cli.main(["train", experiment, *words, "--learning-rate", "nan"])
        except SystemExit as end:
            code = int(end.code or 0)
    lines = messages.getvalue().splitlines()
    must(code == 2 and len(lines) == 1 and lines[0].startswith("error: "), f"{words}: {code}, {messages.getvalue()!r}")
