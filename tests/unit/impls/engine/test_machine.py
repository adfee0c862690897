"""Cores and GPUs as the system gives them to this process, not as the machine has them."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from impls.engine import environment, machine
from impls.engine.machine import finds_gpu, processor_quota

SECOND_VERSION = {
    "no quota": ({"cpu.max": "max 100000"}, math.inf),
    "a quota": ({"cpu.max": "150000 100000"}, 1.5),
    "its parent's quota": ({"cpu.max": "50000 100000", "kube/pod/cpu.max": "max 100000"}, 0.5),
    "its own quota": ({"kube/pod/cpu.max": "200000 100000"}, 2.0),
    "a sibling's quota": ({"kube/other/cpu.max": "200000 100000"}, math.inf),
}


def system(root: Path, groups: str, files: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


@pytest.mark.parametrize("case", SECOND_VERSION)
def test_a_quota_of_control_groups_version_2(case, tmp_path):
    files, expected = SECOND_VERSION[case]
    assert processor_quota(system(tmp_path, "0::/kube/pod\n", files)) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", math.inf), ("250000", 2.5)])
@pytest.mark.parametrize("place", ["cpu,cpuacct/docker/x", "cpu/docker/x", "cpu"])
def test_a_quota_of_control_groups_version_1(quota, expected, place, tmp_path):
    groups = "5:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n"
    files = {f"{place}/cpu.cfs_quota_us": quota, f"{place}/cpu.cfs_period_us": "100000"}
    assert processor_quota(system(tmp_path, groups, files)) == expected


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert processor_quota(tmp_path) == math.inf


def test_a_quota_bounds_the_cores(monkeypatch):
    monkeypatch.setattr(machine, "processor_quota", lambda: 0.5)
    assert machine.usable_cpus() == 1


def test_a_driver_without_a_gpu_is_no_gpu(monkeypatch):
    monkeypatch.setattr(machine, "nvidia_smi", lambda *_fields: None)
    assert not finds_gpu()
    monkeypatch.setattr(machine, "nvidia_smi", lambda *_fields: ["a GPU"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert finds_gpu()
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not finds_gpu()


def test_the_packages_that_bring_cudas_libraries_are_recorded(monkeypatch):
    names = ["numpy", "nvidia-cudnn-cu13", "jax-cuda13-plugin", "jax", "nvidia-cublas"]
    monkeypatch.setattr(machine, "distributions", lambda: [SimpleNamespace(metadata={"Name": n}) for n in names])
    assert machine.cuda_packages() == ["jax-cuda13-plugin", "nvidia-cublas", "nvidia-cudnn-cu13"]


def test_threads_are_the_given_ones_or_the_users(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert (environment.threads_of(None), environment.threads_of(2)) == (3, 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert environment.threads_of(None) == machine.usable_cpus()


def test_a_cache_that_cannot_be_written_costs_a_warning_and_no_run(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DNI_CACHE_DIR", str(tmp_path / "file"))
    environment.program_directory.cache_clear()
    try:
        for framework in ("torch", "jax"):
            with pytest.warns(UserWarning, match="compiled programs cannot be kept in .*set DNI_CACHE_DIR"):
                folder = environment.program_directory(framework)
            assert folder.is_dir() and tmp_path not in folder.parents
    finally:
        environment.program_directory.cache_clear()
