"""Decoupled Neural Interfaces using Synthetic Gradients: from data to the paper's tables, figures and verdicts.

snakemake                                       everything of the quick preset
snakemake --list-target-rules                   what else can be asked for
snakemake --configfile config/paper.yaml        at the paper's sizes
snakemake figures --config source=published     from the committed results, without training
"""

from snakemake.utils import min_version

from impls.registry import experiments

min_version("9.10")


# A preset stands alone: one that the command line names replaces the default, and does not extend it.
if not workflow.overwrite_configfiles:

    configfile: "config/quick.yaml"


# The front page of Snakemake's own report: snakemake --report results/quick/snakemake-report.html
report: "workflows/report/description.rst"


# A system on which `make reproduce` works; jobs run in it only with --software-deployment-method apptainer.
container: "docker://python:3.12"


include: "workflows/common.smk"


# One workflow file for each folder impls/experiments/<name>/.
for experiment in experiments():

    include: f"workflows/{experiment}.smk"


include: "workflows/train.smk"
include: "workflows/data.smk"
include: "workflows/paper.smk"
include: "workflows/publish.smk"
include: "workflows/report.smk"


rule all:
    """Train every cell of the preset, draw its tables and figures, judge its claims, put them on a page (the default)."""
    default_target: True
    input:
        rules.tables.input,
        rules.figures.input,
        rules.claims.input,
        rules.values.input,
        rules.report.input,


onsuccess:
    made = {path for job in workflow.dag.jobs for path in job.output}
    for page in sorted(made.intersection(REPORTS)):
        print(f"The report, for your browser: {page}")
