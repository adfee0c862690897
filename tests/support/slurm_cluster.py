"""A Slurm cluster of two nodes with one core each on this machine, for tests. It needs root."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
SETTINGS = Path("/etc/slurm")  # jobs look for it here: Snakemake's plugin removes SLURM_CONF from their environment
MARK = "# of the tests of dni-benchmark"
CONF = """\
{mark}
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=26817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool-%n
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd-%n.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=10
KillWait=10
MinJobAge=600
AccountingStorageType=accounting_storage/none
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=27001 CPUs=1 RealMemory=6000 Gres=gpu:1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=27002 CPUs=1 RealMemory=6000
PartitionName=tests Nodes=n1,n2 Default=YES MaxTime=01:00:00 State=UP
"""


def why_not() -> str | None:
    """Why no cluster can be started here; None if one can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} missing (on Debian: apt-get install slurm-wlm munge)"
    if os.geteuid() != 0:
        return "needs root"
    settings = SETTINGS / "slurm.conf"
    if settings.exists() and not settings.read_text().startswith(MARK):
        return f"{settings} is that of another cluster"
    return None


@contextmanager
def cluster() -> Iterator[Path]:
    """Start the cluster; yields the folder of its logs. It is stopped at the end."""
    place = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        _start(place)
        yield place
    finally:
        for name in ("slurmctld", "slurmd-n1", "slurmd-n2", "munged"):
            _kill(place / f"{name}.pid", signal.SIGTERM)
        for name in ("slurm.conf", "gres.conf", "cgroup.conf"):
            (SETTINGS / name).unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)


def lose_node(place: Path, node: str, job: str) -> None:
    """Kill everything of a node at once, as a power cut would: its daemon, the job's steps and their processes."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        folder = environ.parent
        try:
            of_step = f"slurmstepd: [{job}." in (folder / "cmdline").read_text(errors="replace")
            of_node = f"SLURMD_NODENAME={node}\0" in environ.read_text(errors="replace")
        except OSError:  # it has ended
            continue
        if of_step or of_node:
            os.kill(int(folder.name), signal.SIGKILL)
    _kill(place / f"slurmd-{node}.pid", signal.SIGKILL)


def output_of(*command: str) -> str:
    """The output of one of Slurm's commands."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until the condition holds; an error names what did not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.1)


def _start(place: Path) -> None:
    SETTINGS.mkdir(exist_ok=True)
    (SETTINGS / "slurm.conf").write_text(CONF.format(mark=MARK, host=socket.gethostname().split(".")[0], place=place))
    (SETTINGS / "gres.conf").write_text("NodeName=n1 Name=gpu File=/dev/null\n")
    (SETTINGS / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
    (place / "state").mkdir()
    place.chmod(0o755)
    key = place / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    files = {"key-file": key.name, "socket": "munge.socket", "pid-file": "munged.pid", "log-file": "munged.log"}
    subprocess.run(
        ["munged", "--seed-file", str(place / "seed"), *(f"--{flag}={place / name}" for flag, name in files.items())],
        check=True,
    )
    subprocess.run(["slurmctld"], check=True)
    for node in ("n1", "n2"):
        subprocess.run(["slurmd", "-N", node], check=True)
    wait_until(lambda: output_of("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == "2", 60, "two idle nodes")


def _kill(pid_file: Path, number: int) -> None:
    with suppress(OSError, ValueError):  # it was not started, or has ended
        os.kill(int(pid_file.read_text()), number)
