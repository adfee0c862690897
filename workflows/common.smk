# The checked preset, and functions of cells, results and artifacts for the other workflow files.
import re
import shlex
import sys
import time
from functools import cache, partial
from glob import glob
from itertools import product
from pathlib import Path

import pandas as pd
from snakemake.exceptions import WorkflowError
from snakemake.utils import Paramspace

from impls import fork_server
from impls.errors import UserError
from impls.job_requests import job_of, memory_mb, minutes
from impls.makespan import left_to_train
from impls.presets import cells, check_name, limits, load_preset, train_command, uses_gpu, workers_command
from impls.registry import spec_class
from impls.staleness import needs_training
from impls.terminal import show_in_terminal
from impls.yaml_files import read_yaml
from paper_figures.provenance.stamps import spec_sources
from paper_figures.registry import shows_any
from paper_figures.report.snakemake_labels import labels
from paper_figures.claims.sections import section_of

try:
    for file in workflow.configfiles:
        read_yaml(Path(file))  # Snakemake's own reader takes the last value of a key that is given twice
    WHERE = [*map(str, workflow.configfiles), *(["--config"] if workflow.config_settings.config else [])]
    PRESET = load_preset(config, where=" with ".join(WHERE))
    check_name(PRESET, workflow.configfiles)
except UserError as error:
    raise WorkflowError(str(error))

# Jobs use the Python that runs Snakemake, even if its environment is not activated.
# Braces are doubled, because Snakemake formats the prefix with the command.
PATH_OF_PYTHON = shlex.quote(str(Path(sys.executable).parent))
shell.prefix(f"PATH={PATH_OF_PYTHON}:$PATH; ".replace("{", "{{").replace("}", "}}"))

RUNS = f"results/{PRESET.preset}"
# Folders of tables, figures and claims: one, or one for each device with published results.
if PRESET.source == "runs":
    BASES = [RUNS]
else:
    BASES = sorted({Path(*path.parts[:3]).as_posix() for path in Path("results").glob("published/*/*/**/run.json")})
    if not BASES:
        raise WorkflowError("results/published holds no run yet; to draw from your own runs: --config source=runs")
    if braced := [base for base in BASES if set(base) & set("{}")]:
        raise WorkflowError(f"{braced[0]}: Snakemake takes braces for wildcards. Give the folder another name.")

# An input of every training, which counts as new where the training must run.
NEWER = Path(".snakemake/newer-than-results")
NEWER.parent.mkdir(exist_ok=True)
NEWER.touch()

# The threads of a training; --set-threads gives the trainings of a rule more.
THREADS = 1
# A resource, not a part of the command, so that a change of the limits does not make finished cells stale.
LIMITS = limits(PRESET)

# Every experiment's workflow file adds its experiment.
EXPERIMENTS = []
# Tables that are drawn from the runs of all experiments.
ACROSS = ("table_frameworks",)


wildcard_constraints:
    base="|".join(map(re.escape, BASES)),
    framework="torch|jax",


class Experiment:
    """The cells of one experiment in this preset, as a Paramspace: a folder level for each field that names a cell."""

    def __init__(self, name, tables=(), figures=(), measured=()):
        self.name = name
        self.cells = {tuple(cell[field] for field in self.fields): cell for cell in cells(PRESET, name)}
        self.paramspace = Paramspace(pd.DataFrame(list(self.cells), columns=self.fields))
        self.tables, self.figures = tables, figures
        self.measured = measured  # files of measurements for all cells, beside their folders
        self.stale = {}
        EXPERIMENTS.append(self)

    @property
    def fields(self):
        return list(spec_class(self.name).cell_fields)

    @property
    def datasets(self):
        return sorted({cell["dataset"] for cell in self.cells.values() if "dataset" in cell})

    def pattern(self, file):
        """Path of a file of each cell and framework, with wildcards."""
        return f"{RUNS}/{self.name}/{self.paramspace.wildcard_pattern}/{{framework}}/{file}"

    def log(self):
        return f"{RUNS}/logs/{self.name}/{self.paramspace.wildcard_pattern}/{{framework}}.log"

    def cell(self, wildcards):
        values = self.paramspace.instance(wildcards)
        return self.cells[tuple(values[f] for f in self.fields)]

    def is_stale(self, wildcards):
        """Whether the cell must be trained; the same answer for all inputs of its job."""
        key = str(wildcards)
        if key not in self.stale:
            self.stale[key] = needs_training(PRESET, self.name, self.cell(wildcards), wildcards.framework)
        return self.stale[key]

    def training(self, wildcards):
        """A file that is newer than a result that must be trained, and older than any other: see `staleness`."""
        if not self.is_stale(wildcards):
            return ancient(str(NEWER))
        NEWER.write_text(str(time.time_ns()))
        return str(NEWER)

    def data(self, wildcards):
        """The description of the data set. If it is made again, that alone is no reason to train again."""
        manifest = f"{RUNS}/data/{wildcards.dataset}.json"
        # Snakemake looks for no other reason to run a job if one of its inputs is made again. So where there is one,
        # this input must count.
        if self.is_stale(wildcards):
            return manifest
        return ancient(manifest) if Path(manifest).exists() else []

    def command(self, wildcards):
        return train_command(PRESET, self.name, self.cell(wildcards), wildcards.framework)

    def job(self, wildcards):
        return job_of(PRESET, self.name, self.cell(wildcards), wildcards.framework)

    def memory_mb(self, wildcards, attempt):
        return memory_mb(self.job(wildcards), attempt)

    def minutes(self, wildcards, attempt):
        return minutes(self.job(wildcards), attempt)

    def message(self):
        return f"{self.name}, {{wildcards.framework}}: " + ", ".join(f"{f} {{wildcards.{f}}}" for f in self.fields)

    def runs(self, base):
        """All results of the experiment below `base`: those of the preset's cells, or those that are published."""
        if PRESET.source == "published":
            return sorted(str(p) for f in ("curves.parquet", "run.json") for p in Path(base, self.name).rglob(f))
        return [
            f"{base}/{self.name}/{cell}/{framework}/{file}"
            for cell, framework, file in product(
                self.paramspace.instance_patterns,
                PRESET.frameworks,
                ["curves.parquet", "run.json"],
            )
        ]

    def measurements(self, base):
        """The files of `measured` below `base`: those of the preset, if it has cells, or those that are published."""
        files = [f"{base}/{self.name}/{file}" for file in self.measured]
        if PRESET.source == "published":
            return [file for file in files if Path(file).exists()]
        return files if self.cells else []

    def artifacts(self, folder, names, suffixes):
        """Files of tables or figures, in every base that has runs for them."""
        with_runs = [(base, name) for base in BASES if self.runs(base) for name in names if self.is_drawn(name, base)]
        return [f"{base}/{folder}/{name}.{suffix}" for (base, name), suffix in product(with_runs, suffixes)]

    def is_drawn(self, name, base):
        """Whether a figure shows any of the runs; a table also lists cells without a run."""
        if name not in self.figures:
            return True
        if PRESET.source == "runs":
            return shows_any(name, self.cells.values())
        return shows_any(name, map(fields_in, self.runs(base)))

    def table_files(self):
        return self.artifacts("tables", self.tables, ["csv", "md", "tex", "json"])

    def figure_files(self):
        return self.artifacts("figures", self.figures, ["pdf", "svg", "png", "csv", "json"])

    def drawings(self):
        return self.table_files() + self.figure_files()


@cache
def gpus():
    """The number of GPUs that a training uses; the profile says how many there are."""
    if workflow.non_local_exec and PRESET.device == "auto":
        raise WorkflowError(
            "device: auto looks for a GPU on this machine, but the jobs run on others. Say which device they use: "
            "--config device=cuda or --config device=cpu"
        )
    return int(uses_gpu(PRESET))


def runs_of(artifact, base):
    """The runs below `base` from which a table or figure is drawn: a figure's are those that it shows."""
    if artifact in ACROSS:
        return all_runs(base)
    found = []
    for e in EXPERIMENTS:
        if artifact in (*e.tables, *e.figures):
            shown = [path for path in e.runs(base) if artifact in e.tables or shows_any(artifact, [fields_in(path)])]
            found += shown + e.measurements(base)
    return found


def fields_in(path):
    """The fields of a run's cell, as the folders of its path have them."""
    return dict(part.split("~", 1) for part in Path(path).parent.parts if "~" in part)


def specs_of(artifact=None):
    """The specs by whose defaults the runs of a table or figure are judged; not given: all of them."""
    with_runs = [e for e in EXPERIMENTS if any(e.runs(base) for base in BASES)]
    drawn_across = artifact is None or artifact in ACROSS
    return spec_sources(e.name for e in with_runs if drawn_across or artifact in (*e.tables, *e.figures))


def all_runs(base):
    """Every run below `base`, and the measurements beside them."""
    return [path for e in EXPERIMENTS for path in (*e.runs(base), *e.measurements(base))]


def across_files(base):
    """Files of the tables that belong to no experiment, below `base`."""
    return [f"{base}/tables/{table}.{suffix}" for table in ACROSS for suffix in ("csv", "md", "tex", "json")]


def drawn(base):
    """The files that the report of a base shows: all tables and figures of the preset there, and the claims."""
    files = [path for e in EXPERIMENTS for path in e.drawings() if path.startswith(f"{base}/")]
    return [*files, *across_files(base), f"{base}/claims.csv"]


# The category in Snakemake's own report of what belongs to no section of the paper.
VERDICTS_CATEGORY = "Verdicts"


def artifact_labels(name):
    """An artifact's labels in Snakemake's own report, read once it is drawn; `name` may contain a wildcard."""
    return lambda wildcards: labels(Path(wildcards.base), name.format(**wildcards))


def start_fork_servers():
    """Import the frameworks of the trainings to be done once for all of them."""
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name.startswith("train_")]
    fork_server.start({job.wildcards.framework for job in jobs}, THREADS, PRESET.device)


def show_summary():
    """Print what the results show, and where to look; nothing before there are verdicts."""
    for base in BASES:
        if Path(base, "claims.csv").exists():
            # The results are made, so a fault here is printed and ends nothing.
            shell("python -m paper_figures summary --results {base:q} || true")


onstart:
    # Snakemake's limit of jobs started in a second looks for jobs once a second for every job that has ended: 1 s of
    # computing for each job of the quick preset. On a cluster it has a purpose.
    if not workflow.non_local_exec:
        workflow.scheduler.job_rate_limiter = None
        # Jobs in a container could not use what this Python has imported.
        if not workflow.deployment_settings.deployment_method:
            start_fork_servers()


show_in_terminal(workflow, show_summary, partial(left_to_train, PRESET))
