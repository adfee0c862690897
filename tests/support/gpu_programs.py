"""`python -m tests.support.gpu_programs PRECISION`: compiles JAX's programs of every ladder row for a GPU, without one.

It needs `jax[cuda13]`, and must be a process of its own, because it sets what JAX reads at its import.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ |= {"JAX_PLATFORMS": "cpu", "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1"}
os.environ["XLA_FLAGS"] = "--xla_gpu_autotune_level=0"  # there is no GPU to time algorithms on

import jax
from jax._src import xla_bridge
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

from impls.engine import jax_engine
from tests.support.harness import IDS, ROWS, SEEDS, inputs_of, runner

jax.config.update("jax_enable_compilation_cache", False)  # JAX cannot read such programs back without a GPU
TARGET = Path(__file__).with_name("h100.txtpb")


def h100() -> SingleDeviceSharding:
    """The place of an array on an H100, as a target of the compiler."""
    xla_bridge._discover_and_register_pjrt_plugins()
    topology = topologies.get_topology_desc(
        platform="cuda", topology_name="", target_config=TARGET.read_text(), topology="1x1x1"
    )
    return SingleDeviceSharding(topology.devices[0])


def compile_row(number: int, precision: str, place: SingleDeviceSharding) -> None:
    """Compile the launch, the evaluation and the measurement of a row of the ladder; raises what XLA raises."""

    def at_place(tree):
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), tree)

    experiment, spec = ROWS[number]
    run = runner(experiment, spec, "jax", precision=precision)
    block = at_place({name: run._array(value) for name, value in inputs_of(run, SEEDS, 0, 4).items()})
    state, data = at_place(run.state), at_place(run.train_data)
    programs = jax_engine.programs(run.implementation, spec, jax_engine.compiler_options("cuda"))
    with jax_engine.precision_mode(precision):
        programs.launch.lower(state, data, block).compile()
        if test := at_place(run.splits.get("test", {})):
            programs.evaluate.lower(state, test["inputs"], test["labels"]).compile()
        if programs.measure:
            first = {name: jax.ShapeDtypeStruct(x.shape[1:], x.dtype, sharding=place) for name, x in block.items()}
            programs.measure.lower(state, data, first).compile()


def main() -> None:
    """Compile every row; print the failures."""
    precision, place, failures = sys.argv[1], h100(), 0
    for number, name in enumerate(IDS):
        try:
            compile_row(number, precision, place)
        except jax.errors.JaxRuntimeError as error:
            failures += 1
            print(f"{name}: {str(error).splitlines()[0]}", flush=True)
    print(f"{len(IDS) - failures} of {len(IDS)} rows compiled in {precision}")


if __name__ == "__main__":
    main()
