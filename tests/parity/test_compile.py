"""PyTorch's compiled step is the plain one, in every twin: in float64, and in float32 with oneDNN's products."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import _inductor
from torch._dynamo.backends.debugging import aot_eager
from torch._dynamo.utils import counters

from impls.engine import torch_compile, torch_engine, torch_onednn
from impls.registry import spec_class
from tests.support import recorder
from tests.support.harness import DEVICE, IDS, ROWS, SEEDS, inputs_of, runner

pytestmark = pytest.mark.slow("compiles PyTorch's steps to C++, some ten seconds each")

# For each twin the method that uses most of its code, as small as it can be with all parts: compiling an operation that
# no other cell has takes a second.
CELLS = {
    experiment: (experiment, spec_class(experiment).tiny(method="dni", **fields))
    for experiment, fields in {
        "feedforward": {"depth": 3},
        "unlock": {"unlock": "sparse", "depth": 2, "input_model_units": 6},
        "recurrent": {"truncation_length": 2},
        "two_network": {},
    }.items()
}
SMALLEST = ROWS[next(n for n, cell in enumerate(IDS) if cell.startswith("feedforward-mnist-fcn-2-bprop"))]


def use_compiler(monkeypatch: pytest.MonkeyPatch, compiler: Callable) -> None:
    """Another compiler in place of Inductor: a function of a program and its first arguments."""
    monkeypatch.setattr(_inductor, "compile", lambda program, arguments, options: compiler(program, arguments))


def advanced(experiment, spec, precision="fp64", compiles=True, captures=True):
    """A run, captured and compiled unless told otherwise: its state after five iterations, and the one it began with.

    Where a plain run is only compared with, it is not captured: to trace the step takes seconds.
    """
    run = runner(experiment, spec, "torch", precision=precision, captures=captures, compiles=compiles, device=DEVICE)
    before = run.leaves()
    for first, last in [(0, 2), (2, 5)]:
        run.advance(inputs_of(run, SEEDS, first, last))
    return run.leaves(), before


def assert_compiled_equals_plain(experiment, spec):
    compiled, _ = advanced(experiment, spec)
    plain, before = advanced(experiment, spec, compiles=False, captures=False)
    for name, value in plain.items():
        np.testing.assert_allclose(compiled[name], value, rtol=1e-9, atol=1e-12, err_msg=name)
    assert any(not np.array_equal(value, before[name]) for name, value in plain.items())


@pytest.mark.parametrize("cell", CELLS)
def test_the_compiled_step_equals_the_plain_one(cell):
    assert_compiled_equals_plain(*CELLS[cell])


# The other rows of the ladder for each twin, without nets with convolutions, which are not compiled.
OTHERS = [
    pytest.param(*row, id=cell)
    for cell, row in zip(IDS, ROWS, strict=True)
    if cell.startswith((*CELLS, "unlocked")) and "-cnn-" not in cell and row not in CELLS.values()
]


@pytest.mark.parametrize(("experiment", "spec"), OTHERS)
def test_the_compiler_takes_every_other_step(monkeypatch, experiment, spec):
    """Everything but the last stage of compiling, which writes C++ and takes longest."""
    use_compiler(monkeypatch, aot_eager)
    assert_compiled_equals_plain(experiment, spec)


@pytest.mark.parametrize("cell", ["feedforward", "recurrent"])
def test_a_gpu_captures_the_compiled_step(monkeypatch, cell):
    """With the recorder in place of a CUDA graph, and without the last stage of compiling, which writes Triton."""
    use_compiler(monkeypatch, aot_eager)
    monkeypatch.setattr(torch_engine, "capture", recorder.capture)
    monkeypatch.setattr(torch_engine.Runner, "_capture_operations", torch_engine.Runner._capture_graph)
    assert_compiled_equals_plain(*CELLS[cell])


def test_a_compiler_that_fails_is_told_of_and_done_without(monkeypatch):
    def fails(program, example_inputs):
        raise RuntimeError("no such flag")

    use_compiler(monkeypatch, fails)
    with pytest.warns(UserWarning, match="compiler failed, so this run continues without it.*no such flag"):
        compiled, _ = advanced(*SMALLEST)
    plain, _ = advanced(*SMALLEST, compiles=False)
    for name, value in plain.items():
        np.testing.assert_array_equal(compiled[name], value, err_msg=name)


def test_a_compiler_that_was_ended_by_a_signal_is_tried_again(monkeypatch, recwarn):
    tried = []

    def fails_once(program, example_inputs):
        tried.append(program)
        if len(tried) == 1:
            raise RuntimeError("C++ compile error")
        return aot_eager(program, example_inputs)

    use_compiler(monkeypatch, fails_once)
    run = runner(*SMALLEST, "torch", captures=True, compiles=True)
    run.advance(inputs_of(run, SEEDS, 0, 2))
    assert (len(tried), run.execution) == (2, "compiled")
    assert not [warning for warning in recwarn if "compiler failed" in str(warning.message)]


def test_a_resumed_run_takes_the_compiled_program_from_disk_and_computes_the_same_bits():
    runs = [runner(*CELLS["feedforward"], "torch", captures=True, compiles=True) for _ in range(2)]
    for run, start in zip(runs, (0, 20), strict=True):
        counters.clear()
        run.advance(inputs_of(run, SEEDS, start, start + 2))
    assert counters["inductor"]["fxgraph_cache_hit"] == 1, "of the second run"
    runs[1].load(runs[0].leaves())
    for run in runs:
        run.advance(inputs_of(run, SEEDS, 2, 4))
    for name, value in runs[0].leaves().items():
        np.testing.assert_array_equal(value, runs[1].leaves()[name], err_msg=name)


NET = {"method": "dni", "depth": 2, "synthetic_gradient_units": 64, "batch_size": 128}  # M has large products
COPY = {"dataset": "copy", "method": "dni"}


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs PyTorch with oneDNN")
@pytest.mark.parametrize(
    ("experiment", "fields", "least", "compiler", "expected"),
    [
        ("feedforward", NET, 128 * 64 * 10 + 1, _inductor.compile, {"dni.product.default", "aten.bmm.default"}),
        ("recurrent", COPY, 1, aot_eager, {"dni.product.default", "dni.product_and_offset.default"}),
        ("recurrent", COPY, 10**9, aot_eager, {"aten.bmm.default", "aten.baddbmm.default"}),
    ],
)
def test_large_products_go_to_onednn_and_small_ones_to_mkl(monkeypatch, experiment, fields, least, compiler, expected):
    spec = spec_class(experiment).tiny(**fields)
    monkeypatch.setattr(torch_onednn, "LEAST_PRODUCT", least)
    recorded = []

    def recording(program, arguments):
        recorded.extend(str(node.target) for node in program.graph.nodes)
        return compiler(program, arguments)

    use_compiler(monkeypatch, recording)
    compiled, before = advanced(experiment, spec, "fp32")
    plain, _ = advanced(experiment, spec, "fp32", compiles=False, captures=False)
    assert expected <= set(recorded)
    assert "dni.power.default" in recorded, "Adam's d^t is computed again in the loop over the parameters"
    assert not any("mkldnn" in name or "_fused_adam" in name for name in recorded)
    for name, value in plain.items():
        # Adam takes full-sized steps even along gradients that are only rounding errors.
        if name.startswith("parameters."):
            assert np.linalg.norm(compiled[name] - value) <= 0.05 * np.linalg.norm(value - before[name]), name


def test_a_net_with_convolutions_is_captured_and_not_compiled(monkeypatch):
    monkeypatch.setattr(_inductor, "compile", None)
    cell = next(i for i in IDS if "-cnn-" in i)
    after, before = advanced(*ROWS[IDS.index(cell)])
    assert any(not np.array_equal(value, before[name]) for name, value in after.items())


def test_without_a_compiler_beneath_it_nothing_is_compiled(monkeypatch, tmp_path):
    assert torch_compile.has_compiler("cpu") == (shutil.which("g++") is not None)
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    long = spec_class("feedforward").tiny(method="dni").model_copy(update={"iterations": 10**6})
    assert not runner("feedforward", long, "torch", compiles=None).compiles
    monkeypatch.setenv("CXX", shutil.which("sh"))
    assert runner("feedforward", long, "torch", compiles=None).compiles
