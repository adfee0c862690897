"""`python -m impls campaign`: makes the plan, runs it, and reports the results."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from impls.campaign.archive import MIB, Packed, pack, unpack
from impls.campaign.device import find_device, jobs_and_threads
from impls.campaign.job_list import Job, load_campaign, select
from impls.campaign.job_state import set_aside
from impls.campaign.options import CampaignOptions
from impls.campaign.progress_report import Report, say
from impls.campaign.schedule import Entry, describe, make_plan
from impls.campaign.supervisor import Supervisor
from impls.campaign.time_estimates import PUBLISHED, Rates
from impls.data import load
from impls.engine.files import exclusive
from impls.errors import UserError

END_SECONDS = 3.0  # reserved after the last training, for the summary and the start of this process
PACK_SECONDS = 300.0  # between two packs


def campaign(options: CampaignOptions) -> int:
    """Run one call of the command; returns the exit code: 0 as planned, 1 if a cell failed.

    Raises:
        UserError: a mistake in the list or on the command line, missing data, or a folder in use.
        KeyboardInterrupt: a signal stopped the campaign; raised after everything is written.
    """
    started = time.monotonic()
    out = _output_folder(options)
    jobs = select(load_campaign(options.configfile, options.device), options.framework, options.only)
    device = find_device(jobs[0].preset)
    at_once, threads = jobs_and_threads(device, options.jobs, options.threads)
    rates = Rates(device, threads, jobs[0].preset.precision)
    for problem in rates.read_records([PUBLISHED, out]):
        say(f"not used for estimates: {problem}")
    if options.dry_run:
        for line in describe(make_plan(jobs, out), rates, at_once, options.budget_minutes):
            say(line)
        return 0
    if options.budget_minutes is None:
        if options.pack is None or options.resume is None:
            raise UserError("give --budget-minutes to train, --dry-run for the plan, or --resume and --pack to pack")
        with _alone(out):
            say(_packed(_pack(out, jobs, options), options))
        return 0
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        return _train(options, out, jobs, rates, at_once, started)


def _train(options: CampaignOptions, out: Path, jobs: list[Job], rates: Rates, at_once: int, started: float) -> int:
    assert options.budget_minutes is not None
    # Read the data once before anything starts: a missing file then gives one message instead of a hundred failures.
    data = {name: load(name, jobs[0].preset.data).files for name in sorted({job.spec.dataset for job in jobs})}
    entries = _without_changed(make_plan(jobs, out, data), options, out, data)
    budget = options.budget_minutes
    report = Report(entries, out, started, budget)
    packer = _Packer(out, jobs, options)

    def deadline() -> float:
        return started + 60 * budget - END_SECONDS - packer.seconds

    def tick(supervisor: Supervisor) -> None:
        report.tick(supervisor)
        packer.tick()

    supervisor = Supervisor(
        entries,
        out,
        data,
        rates,
        at_once=at_once,
        checkpoint_minutes=options.checkpoint_minutes,
        deadline=deadline,
        tick=tick,
    )
    left = sum(entry.iterations > 0 for entry in entries)
    say(f"{left} of {len(entries)} runs to do, {at_once} at once, in {options.budget_minutes:g} minutes, into {out}")
    supervisor.run()
    report.write_status(supervisor)
    for line in report.summary(supervisor):
        say(line)
    if options.pack:
        say(_packed(_pack(out, jobs, options), options))
    if supervisor.signals:
        raise KeyboardInterrupt
    return int(any(outcome.state == "failed" for outcome in supervisor.outcomes))


def _output_folder(options: CampaignOptions) -> Path:
    """The folder of the campaign. An existing campaign is continued only with `--resume`."""
    out = options.out
    if options.resume is None:
        if not options.dry_run and out.is_dir() and any(path.name != ".lock" for path in out.iterdir()):
            raise UserError(f"{out} already holds a campaign: continue it with --resume {out}, or choose another --out")
        return out
    if options.resume.is_dir():
        if "out" in options.model_fields_set and out.resolve() != options.resume.resolve():
            raise UserError(f"a campaign is resumed in its own folder: omit --out, or copy {options.resume} first")
        return options.resume
    if options.dry_run:
        raise UserError(f"{options.resume} is not a folder: a dry run unpacks nothing")
    unpack(options.resume, out)
    say(f"unpacked {options.resume} into {out}")
    return out


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Lock the campaign's folder."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive(out))
        except UserError:
            raise UserError(f"another campaign is running in {out}: wait for it, or choose another --out") from None
        yield


def _without_changed(
    entries: list[Entry], options: CampaignOptions, out: Path, data: dict[str, dict[str, str]]
) -> list[Entry]:
    """The plan, after `--changed` was applied to the folders that other code or settings made.

    Raises:
        UserError: there are such folders, and `--changed` was not given.
    """
    others = [entry for entry in entries if entry.state.status == "other"]
    if not others:
        return entries
    listed = "\n".join(f"  {e.job.folder}: differs in {', '.join(e.state.differs)}" for e in others)
    if options.changed is None:
        raise UserError(
            f"{out} has runs that cannot be resumed, because other code or settings made them:\n"
            f"{listed}\nNothing was changed. --changed keep leaves these runs as they are and trains the others. "
            "--changed restart moves them to set-aside/ and trains them again. Or restore the code that made them"
        )
    if options.changed == "keep":
        say(f"left as they are:\n{listed}")
        return [e if e.state.status != "other" else Entry(e.job, e.state, e.job.last_iteration) for e in entries]
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    for folder in dict.fromkeys(entry.job.folder for entry in others):
        say(f"moved {folder} to {set_aside(folder, out, stamp)}")
    return make_plan([entry.job for entry in entries], out, data)


class _Packer:
    """Packs the folder every `PACK_SECONDS`, and measures how long this takes."""

    def __init__(self, out: Path, jobs: list[Job], options: CampaignOptions) -> None:
        self.out, self.jobs, self.options = out, jobs, options
        self.seconds = 5.0 if options.pack else 0.0  # to reserve for a pack
        self.last = time.monotonic()

    def tick(self) -> None:
        if self.options.pack and time.monotonic() - self.last >= PACK_SECONDS:
            started = time.monotonic()
            try:
                _pack(self.out, self.jobs, self.options)
            except UserError as error:  # raised again at the end; the trainings continue
                say(f"not packed: {error}")
            self.last = time.monotonic()
            self.seconds = max(self.seconds, 2 * (self.last - started))


def _pack(out: Path, jobs: list[Job], options: CampaignOptions) -> Packed:
    assert options.pack is not None
    return pack(
        out,
        options.pack,
        jobs,
        checkpoints=options.pack_checkpoints,
        file_bytes=options.pack_mib * MIB,
        most_files=options.pack_files,
    )


def _packed(packed: Packed, options: CampaignOptions) -> str:
    files = f"{packed.files} files {options.pack}.1-of-{packed.files} ..." if packed.files > 1 else str(options.pack)
    lines = [f"packed into {files}: {packed.size / MIB:.1f} MiB"]
    lines += [f"  no room for the checkpoint of {folder}: {size / MIB:.1f} MiB" for folder, size in packed.left_out]
    return "\n".join(lines)
