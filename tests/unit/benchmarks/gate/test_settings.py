"""The settings of the gate: which margin applies, and when the machine counts as busy."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import machine
from benchmarks.gate import settings as gate_module
from benchmarks.gate.settings import Busy, Gate, read_gate
from tests.support.gate_records import benchmark, saved


def test_the_gate_is_valid_and_the_last_margin_that_fits_holds(tmp_path, monkeypatch):
    gate = read_gate()
    assert 0 < gate.margin("feedforward/dni/x1") < 0.1 and all(len(m.reason) > 20 for m in gate.margins)
    text = (
        gate_module.FILE.read_text() + '\n[[margins]]\nbenchmarks = "recurrent/*"\nmargin = 0.08\nreason = "a test"\n'
    )
    monkeypatch.setattr(gate_module, "FILE", tmp_path / "gate.toml")
    gate_module.FILE.write_text(text)
    assert read_gate().margin("recurrent/copy_dni/x1") == 0.08
    assert read_gate().margin("feedforward/dni/x1") == gate.margin("feedforward/dni/x1")
    for broken in (text + "margn = 0.1\n", text.replace('"*"', '"a*"'), text.replace("level = 0.05", "level = 5")):
        gate_module.FILE.write_text(broken)
        with pytest.raises(ValueError, match=r"margn|one must be for benchmarks|less than 0\.5"):
            read_gate()


def test_the_margin_is_that_of_the_gate(judge, monkeypatch):
    gate = read_gate()
    wide = Gate(**gate.model_dump() | {"margins": [{"benchmarks": "*", "margin": 0.2, "reason": "a test"}]})
    assert judge(saved(benchmark(0.1)))[0] == 1
    monkeypatch.setattr("benchmarks.gate.compare.read_gate", lambda: wide)
    assert judge(saved(benchmark(0.1)))[0] == 0


def test_what_counts_as_busy():
    busy = Busy(steal=0.02, others=0.10, tries=3)
    assert busy.was({"steal": 0.03, "others": 0.0}) and busy.was({"steal": 0.0, "others": 0.2})
    assert not busy.was({"steal": 0.02, "others": 0.1, "load_average": 99}) and not busy.was({})


def test_who_else_uses_the_cores_is_told_from_the_systems_ticks(monkeypatch):
    """In 100 ticks of two cores 60 were used, 20 of them by this process; the host took 10. By hand."""
    rows = {0: "cpu{} 100 10 50 900 40 5 5 20 0 0", 1: "cpu{} 115 12 58 910 44 7 6 25 0 0"}

    def at(moment: int) -> SimpleNamespace:
        """Counters of two cores that this process may use, of one that it may not use, and their sum."""
        lines = [rows[moment].format(core) for core in ("0", "1")] + [
            f"cpu9 {99999 * moment} 0 0 0 0 0 0 0 0 0",
            "intr 1 2",
        ]
        return SimpleNamespace(read_text=lambda: "\n".join(["cpu  9 9 9 9 9 9 9 9 9 9", *lines]))

    now = [0]
    monkeypatch.setattr(machine, "Path", lambda path: at(now[0]) if path == "/proc/stat" else Path(path))
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(machine.os, "times", lambda: (now[0] * 0.05, 0.0, now[0] * 0.1, now[0] * 0.05, 0.0))
    monkeypatch.setattr(machine.os, "sysconf", lambda _: 100)
    watch = machine.Watch()
    now[0] = 1
    found = watch.stop()
    used, total, steal = 2 * (15 + 2 + 8 + 2 + 1), 2 * (15 + 2 + 8 + 10 + 4 + 2 + 1 + 5), 2 * 5
    assert found["steal"] == pytest.approx(steal / total)
    assert found["others"] == pytest.approx((used - 20) / total)
