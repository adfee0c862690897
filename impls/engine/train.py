"""Trains one cell and writes its curves and its record. A resumed run has the same bits as one never stopped."""

from __future__ import annotations

import importlib
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from impls.data import load
from impls.engine.contract import Runner
from impls.engine.curves import CURVE_VALUES, Curves
from impls.engine.environment import prepare_environment, threads_of
from impls.engine.files import DAMAGED, exclusive, read_arrays, remove, write_arrays
from impls.engine.launches import STEPS_PER_LAUNCH, launches
from impls.engine.machine import cpu_name, cuda_packages, package_versions, process_peak_memory_bytes
from impls.engine.memory import check_memory
from impls.engine.options import Options, cell_folder, train_command
from impls.engine.progress import headline, progress_bar, say
from impls.engine.record import DataRecord, RunRecord, as_name, code_record, read_record, write_record, wrong_file
from impls.engine.run_folder import (
    CHECKPOINT,
    CURVES,
    PARAMETERS,
    RECORD,
    Identity,
    Progress,
    differences,
    identity,
    recorded_identity,
)
from impls.engine.spec import CellSpec
from impls.engine.splits import as_examples, cell_splits
from impls.engine.state import EVALUATED, Leaves, stack_replicas, unlike
from impls.engine.stop_signals import handling
from impls.errors import UserError
from impls.registry import implementation
from impls.sources import training_sources

PACKAGES = {"torch": ("numpy", "torch"), "jax": ("numpy", "jax", "jaxlib")}


def train(experiment: str, spec: CellSpec, options: Options) -> RunRecord:
    """Train one cell; write curves.parquet, run.json and parameters.npz into its folder.

    A stop (Ctrl-C, --max-minutes, a kill) leaves a checkpoint at a launch boundary. Launches always begin and end at
    the same iterations, whether or not the run was stopped, so a resumed run computes the same bits.

    Raises:
        UserError: bad data, a folder in use, or a full disk.
        KeyboardInterrupt: a stop signal; raised after everything is written.
    """
    folder = options.output or cell_folder(experiment, spec, options)
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        return _Run(experiment, spec, options, folder).run()


class _Run:
    """One call of `train`: its progress, its measurements and its output files."""

    def __init__(self, experiment: str, spec: CellSpec, options: Options, folder: Path) -> None:
        self.session_start = time.perf_counter()
        self.experiment, self.spec, self.options, self.folder = experiment, spec, options, folder
        self.dataset = load(spec.dataset, options.data)
        splits = cell_splits(spec, self.dataset)
        self.facts = spec.facts(as_examples(self.dataset))
        self.examples = len(splits["train"][1]) if splits else 0
        self.code = code_record(training_sources(experiment, options.framework))  # read now: files may be edited later
        self.threads = threads_of(options.threads)
        prepare_environment(self.threads, options.device)
        self.engine = importlib.import_module(f"impls.engine.{options.framework}_engine")
        self.device = self._device()
        cuda = cuda_packages() if self.device == "cuda" else []
        self.versions = package_versions(*PACKAGES[options.framework], *cuda)
        check_memory(spec, options.replicas, self.device)
        self.runner: Runner = self.engine.Runner(
            implementation(experiment, options.framework),
            spec,
            stack_replicas([spec.initial_parameters(seed) for seed in options.seeds]),
            splits,
            precision=options.precision,
            device=self.device,
            steps_per_launch=STEPS_PER_LAUNCH[self.device],
        )
        self.curves = Curves(options.seeds)
        self.progress = Progress(started_at=_now())
        self.resumed_with: dict[str, Any] | None = None  # the arithmetic of the checkpoint, until it is compared
        self.stop_signal: int | None = None

    def _device(self) -> str:
        best = self.engine.default_device()
        if self.options.device == "cuda" and best != "cuda":
            raise UserError(
                f"{self.options.framework} finds no GPU: install it with `make reproduce ACCELERATOR=cuda` on a "
                "machine that has one, or run with --device cpu"
            )
        return best if self.options.device == "auto" else self.options.device

    def run(self) -> RunRecord:
        """Train from the current iteration until the run ends or is stopped."""
        if self.options.resume:
            if finished := self._finished():
                say(f"{self.folder} already has this run, complete: nothing to do")
                return finished
            self._resume()
        self.progress.sessions += 1
        if not self.curves.points:
            self._evaluate()
        saved = time.perf_counter()
        with handling(self._note_signal):
            with progress_bar(self.options, self.spec, self.progress.iteration) as bar:
                bar.set_postfix_str("compiling")  # until the first steps have run
                upcoming = launches(self.spec, self.progress.iteration, self._inputs, STEPS_PER_LAUNCH[self.device])
                for boundary, inputs in upcoming:
                    steps = boundary - self.progress.iteration
                    self._launch(boundary, inputs)
                    self._note_changes(boundary - steps)
                    bar.set_postfix_str(headline(self.spec, self.curves, self.progress.iteration), refresh=False)
                    bar.update(self.options.replicas * steps)
                    if self.progress.stopped_early or self._must_stop():
                        break
                    if time.perf_counter() - saved >= 60 * self.options.checkpoint_minutes:
                        self._save()
                        saved = time.perf_counter()
            return self._finish()

    def _launch(self, boundary: int, inputs: Leaves) -> None:
        started, compiled = time.perf_counter(), self.runner.compile_seconds
        self.runner.advance(inputs)
        compile_seconds = self.runner.compile_seconds - compiled
        self.progress.compile_seconds += compile_seconds
        self.progress.train_seconds += time.perf_counter() - started - compile_seconds
        self.progress.iteration = boundary
        if boundary in self.spec.evaluation_iterations():
            self._evaluate()

    def _wait(self) -> None:
        """Wait for the launches that still run; this time is training, too."""
        started = time.perf_counter()
        self.runner.wait()
        self.progress.train_seconds += time.perf_counter() - started

    def _inputs(self, first: int, last: int) -> Leaves:
        return self.spec.step_inputs(self.options.seeds, self.examples, first, last)

    def _evaluate(self) -> None:
        self._wait()
        started, iteration = time.perf_counter(), self.progress.iteration
        for split, examples in self.spec.evaluation_examples().items():
            self.curves.add(iteration, split, self.runner.evaluate(split, examples))
        if self.spec.measures_batch:
            self.curves.add(iteration, "batch", self.runner.measure(self._inputs(iteration, iteration + 1)))
        self.progress.stopped_early = self.spec.stops_early(self.curves)
        self.progress.evaluation_seconds += time.perf_counter() - started

    def _identity(self) -> Identity:
        """The identity that a checkpoint must have to be resumed."""
        return identity(
            spec=self.spec.model_dump(mode="json"),
            seeds=self.options.seeds,
            framework=self.options.framework,
            precision=self.options.precision,
            data=self.dataset.files,
            source_sha256=self.code.source_sha256,
        )

    def _arithmetic(self) -> dict[str, Any]:
        """What decides the rounding of a run's numbers, apart from its identity; known after the first launch."""
        device = {"device": self.device, **self._device_facts(), "threads": self.threads}
        return {"execution": self.runner.execution, **self.versions, **device}

    def _device_facts(self) -> dict[str, str | int]:
        facts: dict[str, str | int] = {"name": cpu_name()} | self.engine.device_description(self.device)
        return {name: as_name(value) if isinstance(value, str) else value for name, value in facts.items()}

    def _note_changes(self, iteration: int) -> None:
        """Say and keep in which way a resumed run is not run as before, so that its bits may differ."""
        if self.resumed_with is None:
            return
        before, now, self.resumed_with = self.resumed_with, self._arithmetic(), None
        changed = [f"{name} {now[name]}, before {before.get(name)}" for name in now if now[name] != before.get(name)]
        if changed:
            self.progress.changes.append(f"from iteration {iteration}: {'; '.join(changed)}")
            say(f"the results will differ in rounding from those of a run without a stop: {self.progress.changes[-1]}")

    def _save(self) -> None:
        self._wait()
        curve_leaves, labels = self.curves.leaves()
        session_seconds = time.perf_counter() - self.session_start
        progress = replace(self.progress, wall_seconds=self.progress.wall_seconds + session_seconds)
        meta = {
            "identity": self._identity(),
            "arithmetic": self._arithmetic(),
            "progress": asdict(progress),
            "curve_labels": labels,
        }
        write_arrays(self.folder / CHECKPOINT, self.runner.leaves() | curve_leaves, meta)

    def _finished(self) -> RunRecord | None:
        """The record in the folder, if it belongs to this run and is complete."""
        if not (self.folder / RECORD).is_file():
            return None
        record = read_record(self.folder / RECORD)
        if record.status != "complete" or recorded_identity(record.model_dump()) != self._identity():
            return None
        if wrong := wrong_file(record, self.folder):
            say(f"the run is trained again: {wrong}")
            return None
        return record

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        leaves, meta = read_arrays(path)
        changed = differences(self._identity(), meta.get("identity", {}))
        if changed:
            say(f"starting from iteration 0: {path} differs in {', '.join(changed)}")
            return
        try:
            self.progress = Progress(**meta["progress"])
            self.resumed_with = dict(meta["arithmetic"])
            self.curves.load(leaves, meta["curve_labels"])
        except DAMAGED as error:
            raise UserError(f"{path} is damaged ({error}). Delete it to train from the start") from error
        state = {name: value for name, value in leaves.items() if name != CURVE_VALUES}
        wrong = unlike(state, self.runner.leaves())
        if wrong:
            raise UserError(f"{path} is damaged ({wrong}). Delete it to train from the start")
        self.runner.load(state)
        say(f"resuming from iteration {self.progress.iteration} of {self.spec.iterations}")

    def _must_stop(self) -> bool:
        if self.stop_signal is not None:
            return True
        minutes = (time.perf_counter() - self.session_start) / 60
        return self.options.max_minutes is not None and minutes >= self.options.max_minutes

    def _note_signal(self, number: int, _frame: object) -> None:
        """Stop at the next launch boundary. A second signal stops at once and loses what is not saved yet."""
        if self.stop_signal is not None:
            raise KeyboardInterrupt
        self.stop_signal = number
        say("stopping at a checkpoint; repeat to stop at once")

    def _finish(self) -> RunRecord:
        """Write the results so far. A partial run keeps its checkpoint. The record is written last."""
        self._wait()
        complete = self.progress.iteration == self.spec.iterations or self.progress.stopped_early
        leaves, files = self.runner.leaves(), {}
        self.curves.events = self.spec.events(leaves)
        if complete:
            parameters = {path: value for path, value in leaves.items() if path.split(".")[0] in EVALUATED}
            files[PARAMETERS] = write_arrays(self.folder / PARAMETERS, parameters, {"identity": self._identity()})
        else:
            self._save()
        (self.folder / RECORD).unlink(missing_ok=True)  # the record of an older run must never lie beside these curves
        files[CURVES] = self.curves.write(self.folder / CURVES)
        record = self._record("complete" if complete else "partial", files)
        write_record(self.folder / RECORD, record)
        if complete:
            remove(self.folder / CHECKPOINT)
        elif self.stop_signal is not None:
            say(f"stopped at iteration {record.iteration_reached}; --resume continues from there")
            raise KeyboardInterrupt
        return record

    def _record(self, status: Literal["complete", "partial"], files: dict[str, str]) -> RunRecord:
        progress = self.progress
        model_steps = self.options.replicas * progress.iteration
        return RunRecord(
            experiment=self.experiment,
            cell=self.spec.cell(),
            framework=self.options.framework,
            preset=self.options.preset,
            spec=self.spec.model_dump(mode="json"),
            seeds=self.options.seeds,
            replica_settings=self.spec.replica_settings(self.options.seeds),
            facts=self.facts,
            status=status,
            files=files,
            iteration_reached=progress.iteration,
            iterations=self.spec.iterations,
            diverged_seeds=self.curves.diverged_seeds(),
            differs_from_paper=self.spec.changed("paper"),
            changed_choices=self.spec.changed("choice"),
            data=[DataRecord.model_validate(self.dataset.manifest())],
            code=self.code,
            versions=self.versions,
            device={"kind": self.device, "threads": self.threads, **self._device_facts()},
            precision=self.options.precision,
            execution=self.runner.execution,
            changes=progress.changes,
            command=train_command(self.experiment, self.spec, self.options),
            started_at=progress.started_at,
            finished_at=_now(),
            wall_seconds=progress.wall_seconds + time.perf_counter() - self.session_start,
            compile_seconds=progress.compile_seconds,
            evaluation_seconds=progress.evaluation_seconds,
            model_steps_per_second=model_steps / progress.train_seconds if progress.train_seconds else None,
            peak_memory_bytes=self.runner.peak_memory_bytes() or process_peak_memory_bytes(),
            sessions=progress.sessions,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
