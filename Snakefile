"""Decoupled Neural Interfaces using Synthetic Gradients: from the data to the paper's tables, figures and verdicts.

snakemake                                       everything of the quick preset
snakemake --list-target-rules                   the other targets
snakemake --configfile config/paper.yaml        everything at the paper's sizes
snakemake figures --config source=published     figures from the committed results, without training
"""

from snakemake.utils import min_version

from impls.registry import experiments

min_version("9.10")


# Paths are those of the repository, wherever Snakemake is started (-s /path/to/Snakefile).
workdir: workflow.basedir


# A preset on the command line replaces the default preset; the two are not merged.
if not workflow.overwrite_configfiles:

    configfile: "config/quick.yaml"


# The front page of Snakemake's own report: snakemake --report results/quick/snakemake-report.html
report: "workflows/report/description.rst"


# The image of Dockerfile as a file of Apptainer: docs/image.md says how to make it; none is published. Jobs use it only
# with --software-deployment-method apptainer. Snakemake's linter requires that the workflow names one.
container: "dni.sif"


include: "workflows/common.smk"


# Each folder impls/experiments/<name>/ has one workflow file.
for experiment in experiments():

    include: f"workflows/{experiment}.smk"


include: "workflows/train.smk"
include: "workflows/data.smk"
include: "workflows/paper.smk"
include: "workflows/publish.smk"
include: "workflows/report.smk"


# Only trainings are jobs of a cluster: the other rules take seconds, and a compute node may have no network.
workflow.localrules(*(rule.name for rule in workflow.rules if not rule.name.startswith("train_")))


rule all:
    """Train every cell of the preset, draw its tables and figures, judge its claims, make the report (default)."""
    default_target: True
    input:
        rules.tables.input,
        rules.figures.input,
        rules.claims.input,
        rules.values.input,
        rules.report.input,


onsuccess:
    show_summary()
