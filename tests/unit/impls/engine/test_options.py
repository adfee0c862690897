"""The command that a record names: read back, it gives the cell and the options that were run."""

import shlex
from pathlib import Path

import pytest

from impls.cli import _from_flags, build_parser
from impls.engine.options import Options, train_command
from impls.registry import spec_class

RUNS = {
    "defaults": ("feedforward", {}, {}),
    "tuples": ("feedforward", {"learning_rate_drops": (3, 7), "adam_decays": (0.5, 0.75)}, {"replicas": 3}),
    "an empty tuple": ("feedforward", {"learning_rate_drops": ()}, {"device": "cpu"}),
    "small numbers": ("feedforward", {"learning_rate": 3e-5}, {"max_minutes": 1e-3, "checkpoint_minutes": 0}),
    "switches off": ("recurrent", {"peepholes": False, "regression_gradient": False}, {"resume": False}),
    "switches on": ("recurrent", {"factor_in_target": True, "carry_state": True}, {"resume": True}),
    "no value given": ("unlock", {"p_update": None}, {"threads": None, "output": None}),
    "a variant": ("small_copy", {}, {"framework": "jax", "first_seed": 4}),
    "a path with spaces": ("two_network", {"messages": False}, {"output": Path("my results/it's here")}),
}


@pytest.mark.parametrize("run", RUNS)
def test_the_command_gives_the_same_cell_and_options(run):
    experiment, fields, chosen = RUNS[run]
    spec, options = spec_class(experiment)(**fields), Options(**{"framework": "torch"} | chosen)
    words = shlex.split(train_command(experiment, spec, options))
    assert words[:3] == ["python", "-m", "impls"]
    parsed = build_parser().parse_args(words[3:])
    assert parsed.experiment == experiment
    assert _from_flags(spec_class(experiment), parsed) == spec
    assert _from_flags(Options, parsed) == options
