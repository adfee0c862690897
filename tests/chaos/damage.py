"""One changed bit, a cut or an empty file, in every kind of file: the result is the same, or there is a message."""

from __future__ import annotations

import contextlib
import io
import random
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from impls import cli as impls_cli
from impls.campaign.archive import pack, unpack
from impls.campaign.job_list import load_campaign
from impls.command_line import UNFINISHED
from impls.errors import UserError
from paper_figures import cli as figures_cli
from paper_figures.runs import all_runs
from tests.chaos.outcomes import must
from tests.chaos.stops import PRESET, TRAIN, same_results, whole_run

DRAWN = "table_feedforward"


def flip(rng: random.Random, path: Path) -> None:
    """Damage a file: mostly one bit."""
    content = bytearray(path.read_bytes())
    kind = rng.random()
    if kind < 0.7:
        place = rng.randrange(8 * len(content))
        content[place // 8] ^= 1 << place % 8
    elif kind < 0.8:
        del content[rng.randrange(len(content)) :]
    elif kind < 0.9:
        content = bytearray(rng.randbytes(len(content)))
    else:
        content.clear()
    path.write_bytes(content)


def command(main: Callable[[list[str]], int], *words: str) -> tuple[int, str, str]:
    """Run a command line in this process; returns its exit code, output and messages."""
    output, messages = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(messages):
        code = main(list(words))
    return code, output.getvalue(), messages.getvalue()


def in_one_line(code: int, messages: str, path: Path) -> None:
    """A mistake is exit code 2 and one line that names the file."""
    lines = [line for line in messages.splitlines() if line.startswith("error: ")]
    must(code == 2 and len(lines) == 1, f"exit code {code} and {messages!r}")
    must(path.name in lines[0], f"{path.name} is not named in {lines[0]!r}")


@cache
def results(place: Path) -> Path:
    """A folder with one complete and one partial run, in the layout of a preset."""
    folder = place / "results"
    for framework in ("torch", "jax"):
        out = folder / "feedforward/dataset~mnist/model~fcn/depth~3/method~cdni" / framework
        words = [*TRAIN, "--framework", framework, "--output", str(out)]
        words += ["--max-minutes", "0.00001"] if framework == "jax" else []
        expected = UNFINISHED if framework == "jax" else 0
        must(command(impls_cli.main, *words)[0] == expected, f"{words} failed")
    return folder


def damage_result(rng: random.Random, place: Path, folder: Path) -> None:
    """A file of a finished run: `evaluate`, `--resume` and drawings refuse it by name, or it made no difference."""
    name = rng.choice(("curves.parquet", "parameters.npz", "run.json"))
    whole = whole_run("torch", place)
    out = shutil.copytree(whole, folder / "run")
    flip(rng, out / name)
    if (out / name).read_bytes() == (whole / name).read_bytes():
        return
    code, output, messages = command(impls_cli.main, "evaluate", str(out))
    if name == "run.json" and code == 0:  # a bit of a time or of a name
        must(output == command(impls_cli.main, "evaluate", str(whole))[1], f"{out} evaluates differently")
    else:
        in_one_line(code, messages, out / name)
    words = [*TRAIN, "--framework", "torch", "--output", str(out), "--resume"]
    code, _, messages = command(impls_cli.main, *words)
    if code:
        in_one_line(code, messages, out / name)
    else:
        same_results(out, whole)


def damage_checkpoint(rng: random.Random, place: Path, folder: Path) -> None:
    """A checkpoint: refused by name, or resumed to the same bits."""
    partial = results(place) / "feedforward/dataset~mnist/model~fcn/depth~3/method~cdni/jax"
    out = shutil.copytree(partial, folder / "run")
    flip(rng, out / "checkpoint.npz")
    code, _, messages = command(impls_cli.main, *TRAIN, "--framework", "jax", "--output", str(out), "--resume")
    if code:
        in_one_line(code, messages, out / "checkpoint.npz")
    else:
        same_results(out, whole_run("jax", place))


def damage_drawn_run(rng: random.Random, place: Path, folder: Path) -> None:
    """A run that a table is drawn from: the table is refused, or has the same numbers."""
    copy = shutil.copytree(results(place), folder / "results")
    path = rng.choice(sorted([*copy.rglob("run.json"), *copy.rglob("curves.parquet")]))
    before = all_runs(results(place))
    flip(rng, path)
    try:
        after = all_runs(copy)
    except UserError as error:
        must(path.parent.name in str(error) and "\n" not in str(error), f"{error} does not name {path}")
        return
    for one, other in zip(before, after, strict=True):
        must(one.curves.equals(other.curves), f"{path} is damaged, and its curves are drawn")


def damage_drawing(rng: random.Random, place: Path, folder: Path) -> None:
    """A file of a table: `verify` says that it differs, or cannot be verified."""
    copy = shutil.copytree(results(place), folder / "results")
    must(command(figures_cli.main, DRAWN, "--results", str(copy))[0] == 0, "the table cannot be drawn")
    path = rng.choice(sorted((copy / "tables").iterdir()))
    before = path.read_bytes()
    flip(rng, path)
    code, output, messages = command(figures_cli.main, "verify", str(path), "--results", str(copy))
    must(code in (1, 2) or path.read_bytes() == before, f"{path} was changed and matches: {output} {messages}")


def damage_pack(rng: random.Random, place: Path, folder: Path) -> None:
    """A packed campaign: it is unpacked as a whole, or not at all."""
    jobs = load_campaign(
        {key: PRESET[key] for key in ("preset", "data", "device", "replicas")}
        | {"frameworks": ["torch", "jax"], "stages": [{"title": "only", "feedforward": PRESET["feedforward"]}]}
    )
    file = folder / "a.tar.gz"
    pack(results(place), file, jobs)
    unpack(file, folder / "whole")
    flip(rng, file)
    try:
        unpack(file, folder / "new")
    except UserError:
        must(not (folder / "new").exists(), "a part of a damaged pack is left")
        return
    found, expected = (
        {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for out in (folder / "new", folder / "whole")
    )
    must(found == expected, "a damaged pack is unpacked to something else")
