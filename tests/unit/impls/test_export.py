"""Exported curves are the curves of the runs, in files that TensorBoard reads."""

import struct
import sys

import pandas as pd
import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event

from impls.cli import main
from impls.engine.run_folder import CURVES
from tests.support.runs_on_disk import write_run


def events(path):
    """The events of a file: each is a length, its checksum, the content, and its checksum."""

    def masked(content):
        crc = crc32c(content)
        return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF

    rest = path.read_bytes()
    while rest:
        (length,), content = struct.unpack("<Q", rest[:8]), rest[12 : 12 + struct.unpack("<Q", rest[:8])[0]]
        sums = struct.unpack("<I", rest[8:12]) + struct.unpack("<I", rest[12 + length : 16 + length])
        assert sums == (masked(rest[:8]), masked(content))
        yield Event.FromString(content)
        rest = rest[16 + length :]


def test_every_point_of_every_replica_is_exported(tmp_path, capsys):
    run = write_run(tmp_path, seeds=(3, 4), evaluate_every=100_000, diverged=1)
    write_run(tmp_path, "jax", seeds=(3,), evaluate_every=100_000)
    assert main(["export", str(tmp_path), "--to", "tensorboard"]) == 0
    assert "2 runs exported; to see them: tensorboard --logdir" in capsys.readouterr().out
    curves = pd.read_parquet(run / CURVES)
    for seed in (3, 4):
        (file,) = (tmp_path / "tensorboard" / run.relative_to(tmp_path) / f"seed~{seed}").iterdir()
        found = [(event.step, value.tag, value.simple_value) for event in events(file) for value in event.summary.value]
        mine = curves[curves["seed"] == seed].sort_values("iteration", kind="stable")
        assert [point[:2] for point in found] == list(
            zip(mine["iteration"], mine["split"] + "/" + mine["metric"], strict=True)
        )
        assert [point[2] for point in found] == pytest.approx(list(mine["value"]), rel=1e-6, nan_ok=True)


def test_what_cannot_be_exported_says_what_to_do(tmp_path, capsys, monkeypatch):
    export = ["export", str(tmp_path), "--to", "tensorboard"]
    assert main(export) == 2
    assert "no run there. Give the folder of a preset" in capsys.readouterr().err
    write_run(tmp_path)
    assert main(export) == 0 and main(export) == 2
    assert "not empty; the curves would be there twice" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert main(export) == 2
    assert "pip install tensorboardX" in capsys.readouterr().err
