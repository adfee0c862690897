"""`python -m benchmarks gpu-check`: one call that checks whether a GPU computes and runs the experiments as it should.

First it checks correctness: the parity ladder's tests compare every experiment's fast path (PyTorch's captured step,
JAX's scan) with the plain loop. Then it measures the speed (timing_process.py). Each part is a process with its own
time limit, so a failure of one part does not lose the others. Needs no network and no Snakemake.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import importlib.util
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.gate.trees import say
from benchmarks.gpu.timing_process import PARTS, SIZES
from impls.engine.machine import cpu_name, finds_gpu, gpu_driver, nvidia_smi, package_versions
from impls.errors import UserError
from impls.registry import FRAMEWORKS
from impls.repository import commit_of_code

ROOT = Path(__file__).resolve().parents[2]
LADDER = "tests/parity/test_ladder.py"
WORKERS = {"torch": 5, "jax": 9}  # test processes on a GPU; JAX compiles many small programs
LONGEST_LINE = 2**24  # bytes of a line of output
MOST_RATIO = 4.0  # time of all replicas of an MNIST cell over that of one
TIMING_SHARE = 0.3  # share of the minutes reserved for each framework's timings


def gpu_check(options: argparse.Namespace) -> int:
    """Check, write gpu-check.json and .md, print the latter; returns 0, or 1 if anything failed or is missing."""
    device = options.device
    if device == "auto":
        device = "cuda" if finds_gpu() else "cpu"
    frameworks = FRAMEWORKS if options.framework == "both" else (options.framework,)
    options.output.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * options.minutes
    log = machine.ClockLog()
    commit = commit_of_code()
    found: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit.name,
        "dirty": commit.dirty,
        "device": device,
        "machine": _machine(),
        "versions": package_versions("numpy", "torch", "jax", "jaxlib"),
        "correctness": {},
        "timings": {},
    }
    timed = tuple(part for part in PARTS if part in options.parts)
    if "correctness" in options.parts:
        reserved = 60 * options.minutes * TIMING_SHARE * len(frameworks) if timed else 0.0
        found["correctness"] = correctness(frameworks, device, _left(deadline) - reserved)
        _write(options.output, found)
    for number, framework in enumerate(frameworks if timed else ()):
        seconds = _left(deadline) / (len(frameworks) - number)
        found["timings"][framework] = timings(framework, device, timed, seconds)
        _write(options.output, found)
    found["clocks"] = log.stop()
    _write(options.output, found)
    print(as_markdown(found))
    say(f"written: {options.output}/gpu-check.json and .md")
    return int(bool(problems(found)))


def _machine() -> dict[str, Any]:
    found: dict[str, Any] = {"cpu": cpu_name(), "cores": os.cpu_count()}
    if gpu := nvidia_smi("name", "memory.total", "clocks.max.sm"):
        name, mebibytes, megahertz = gpu
        found = {"gpu": f"{name}, {mebibytes} MiB, {megahertz} MHz"} | found | gpu_driver()
    return found


def _left(deadline: float) -> float:
    return max(1.0, deadline - time.monotonic())


def correctness(frameworks: Sequence[str], device: str, seconds: float) -> dict[str, dict[str, Any]]:
    """The ladder's tests "fast path equals the plain loop", all frameworks at once: how many passed, what failed."""
    say(f"{', '.join(frameworks)}: the fast path against the plain loop, {seconds:.0f} s at most")
    runs = run_within([_ladder(framework, device) for framework in frameworks], seconds)
    found = {}
    for framework, (code, text, took) in zip(frameworks, runs, strict=True):
        counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", text)}
        result: dict[str, Any] = {"passed": counts.get("passed", 0), "seconds": took}
        if code is None:
            result["error"] = f"not finished after {seconds:.0f} s"
        elif code:
            failures = re.findall(r"^(?:FAILED|ERROR) .*", text, re.MULTILINE)
            result["error"] = "; ".join(failures[:5]) or _last_line(text) or f"exit code {code}"
        if "error" in result:
            result["output"] = text[-4000:]
        say(f"{framework}: {result['passed']} passed{', ' + result['error'] if 'error' in result else ''}")
        found[framework] = result
    return found


def _ladder(framework: str, device: str) -> list[str]:
    """The command that tests one framework's fast path on a device."""
    command = [sys.executable, "-m", "pytest", LADDER, "--device", device, "-k", f"fast_path and {framework}"]
    command += ["-q", "-p", "no:cacheprovider", "-W", "default"]
    if importlib.util.find_spec("xdist") and device == "cuda":
        command += ["--numprocesses", str(WORKERS[framework]), "--dist", "loadgroup"]
    return command


def timings(framework: str, device: str, parts: tuple[str, ...], seconds: float) -> dict[str, Any]:
    """The results of timing_process.py within its time; for a missing part, the reason."""
    say(f"{framework}: timings, {seconds:.0f} s at most")
    with tempfile.TemporaryDirectory(prefix="dni-gpu-") as folder:
        file = Path(folder, "found.json")
        command = [sys.executable, "-m", "benchmarks.gpu.timing_process", "--framework", framework, "--device", device]
        # The process gets an earlier deadline, so that it ends between two measurements and keeps them.
        command += ["--parts", *parts, "--seconds", f"{0.85 * seconds:.0f}", "--output", str(file)]
        [(code, text, _)] = run_within([command], seconds)
        found = json.loads(file.read_text()) if file.exists() else {}
    for part in parts:
        ended = "not finished when the time ran out" if code is None else f"the process ended: {_last_line(text)}"
        found.setdefault(part, {"error": ended})
    return found


def run_within(commands: list[list[str]], seconds: float) -> list[tuple[int | None, str, float]]:
    """Run commands at once; gives each one's exit code (None: the time ran out), output, and duration in seconds.

    The output is also shown as it appears. Each command has its own process group, so that its children end with it.
    """

    async def together() -> list[tuple[int | None, str, float]]:
        return await asyncio.gather(*(_run_one(command, seconds) for command in commands))

    return asyncio.run(together())


async def _run_one(command: list[str], seconds: float) -> tuple[int | None, str, float]:
    started, lines = time.monotonic(), []
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=LONGEST_LINE,
    )
    assert process.stdout is not None
    code = None
    try:
        async with asyncio.timeout(seconds):
            async for line in process.stdout:
                lines.append(line.decode(errors="replace"))
                print(lines[-1], end="", file=sys.stderr, flush=True)
            code = await process.wait()
    except TimeoutError:
        pass  # `code` is still None
    finally:  # also after Ctrl-C
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return code, "".join(lines), time.monotonic() - started


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def problems(found: dict[str, Any]) -> list[str]:
    """What failed, what is missing and what is out of range, in words."""
    said = []
    for framework, result in found["correctness"].items():
        if "error" in result or not result["passed"]:
            said.append(f"{framework}: fast path against plain loop: {result.get('error', 'no test ran')}")
    for framework, parts in found["timings"].items():
        said += [f"{framework}: {part}: {entry['error']}" for part, entry in parts.items() if "error" in entry]
        said += [f"{framework}: {part}: {entry['cut_short']}" for part, entry in parts.items() if "cut_short" in entry]
        for method, entry in parts.get("replicas", {}).get("found", {}).items():
            if found["device"] == "cuda" and not entry["ratio"] < MOST_RATIO:
                many = SIZES["cuda"].replicas
                said.append(f"{framework}: {method}: {many} replicas take {entry['ratio']:.1f} times as long as one")
    return said


def _write(folder: Path, found: dict[str, Any]) -> None:
    (folder / "gpu-check.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "gpu-check.md").write_text(as_markdown(found))


def as_markdown(found: dict[str, Any]) -> str:
    """The results as Markdown for a pull request, problems first."""
    on = ", ".join(f"{name} {value}" for name, value in (found["machine"] | found["versions"]).items())
    commit = f"{found['commit'][:10]}{' with changes' if found['dirty'] else ''}" if found["commit"] else "no git"
    wrong = problems(found)
    lines = [f"### GPU check: {f'{len(wrong)} problems' if wrong else 'no problems'}", ""]
    lines += [f"{found['date']}, commit {commit}. {on}.", ""]
    if found["device"] == "cpu":
        lines += ["**Run on a CPU with tiny settings, as a test of the check itself: the times are meaningless.**", ""]
    lines += [f"- **problem**: {problem}" for problem in wrong]
    for framework, result in found["correctness"].items():
        lines.append(f"- {framework}: fast path equals the plain loop in {result['passed']} tests")
    if clocks := found.get("clocks"):
        ranges = [f"{name} {low:g} to {high:g}" for name, (low, high) in clocks["ranges"].items()]
        throttled = ", ".join(clocks["throttled"]) or "never"
        lines.append(f"- {'; '.join(ranges)}; throttled: {throttled} ({clocks['readings']} readings)")
    for framework, parts in found["timings"].items():
        lines += ["", f"#### {framework}", "", *_timings(parts)]
    return "\n".join(lines) + "\n"


def _timings(parts: dict[str, Any]) -> list[str]:
    got = {part: entry["found"] for part, entry in parts.items() if "found" in entry}
    lines = [f"- {part}: left out, {entry['left_out']}" for part, entry in parts.items() if "left_out" in entry]
    for method, entry in got.get("replicas", {}).items():
        lines.append(
            f"- replicas, MNIST fcn, depth 4, {method}: {1e3 * entry['one']:.3g} ms a step for one, "
            f"{1e3 * entry['many']:.3g} for all, {entry['ratio']:.2f} times (at most {MOST_RATIO:g})"
        )
    if "table" in got:
        hours = sum(cell["hours"] for cell in got["table"].values())
        between = sum(cell["between"] for cell in got["table"].values())
        note = f", {between} of them from their neighbours" if between else ""
        lines.append(f"- the 16 cells of the MNIST fcn table, 500,000 iterations: {hours:.1f} hours{note}")
    if "rates" in got:
        best = {precision: max(rates.values()) for precision, rates in got["rates"].items()}
        lines.append("- products: " + ", ".join(f"{rate / 1e12:.3g} TFLOP/s in {p}" for p, rate in best.items()))
        for name, entry in got.get("bound", {}).items():
            rate = entry["operations_per_second"]
            share = f"{rate / best[entry['precision']]:.0%} of the measured rate"
            lines.append(f"- {name}: {1e3 * entry['seconds_per_step']:.3g} ms, {rate / 1e12:.3g} TFLOP/s, {share}")
    for name, entry in got.get("gaps", {}).items():
        eager = entry.get("uncaptured_seconds_per_step")
        lines.append(
            f"- gaps, {name}: {1e3 * entry['seconds_per_step']:.3g} ms a step, of which kernels run "
            f"{1e3 * entry['kernel_seconds_per_step']:.3g} ms, gaps {entry['gap_share']:.0%}"
            + (f"; not captured {1e3 * eager:.3g} ms" if eager else "")
        )
    for name, ways in got.get("variants", {}).items():
        each = [
            f"{way} {1e3 * entry['seconds_per_step']:.3g} ms (compiled in {entry['compile_seconds']:.0f} s)"
            for way, entry in ways.items()
        ]
        lines.append(f"- ways to run {name}: {', '.join(each)}")
    if "table" in got:
        rows = ["", "| cell | ms a step | hours for 500,000 | |", "|---|---|---|---|"]
        for name, cell in got["table"].items():
            note = "from its neighbours" if cell["between"] else ""
            rows.append(f"| {name} | {1e3 * cell['seconds_per_step']:.3g} | {cell['hours']:.2f} | {note} |")
        lines += rows
    return lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `python -m benchmarks gpu-check`."""
    parts = ("correctness", *PARTS)
    add = parser.add_argument
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one (%(default)s)")
    add("--framework", choices=(*FRAMEWORKS, "both"), default="both", help="(%(default)s)")
    add("--parts", nargs="+", choices=parts, default=parts, metavar="PART", help=f"of {', '.join(parts)} (all)")
    add(
        "--minutes",
        type=float,
        default=9.0,
        metavar="M",
        help="time limit; what is not finished by then is reported as missing (%(default)s)",
    )
    output = Path("results/gpu-check")
    add("--output", type=Path, default=output, metavar="DIR", help="folder for gpu-check.json and .md (%(default)s)")


def checked(options: argparse.Namespace) -> int:
    """`gpu_check`, after a check of the flags."""
    if not options.minutes > 0:
        raise UserError("--minutes must be more than 0")
    return gpu_check(options)
