# Tables, figures and claims, made from runs alone. They need neither torch nor jax.
from paper_figures.provenance.stamps import sources as drawing_sources


rule draw_table:
    """Draw one table of the paper: our numbers beside the published ones, with verdicts."""
    input:
        runs=lambda wildcards: runs_of(wildcards.table, wildcards.base),
        sources=lambda wildcards: drawing_sources(wildcards.table),
        specs=lambda wildcards: specs_of(wildcards.table),
    output:
        csv=report(
            "{base}/tables/{table}.csv",
            caption="report/table.rst",
            category=lambda wildcards: section_of(wildcards.table),
            subcategory="Tables",
            labels=artifact_labels("{table}"),
        ),
        md="{base}/tables/{table}.md",
        tex="{base}/tables/{table}.tex",
        json="{base}/tables/{table}.json",
    log:
        "{base}/logs/{table}.log",
    priority: 1  # what can be drawn is drawn before the next training
    message:
        "{output.md}"
    shell:
        "python -m paper_figures {wildcards.table} --results {wildcards.base:q} --output {output.csv:q} > {log:q} 2>&1"


rule draw_figure:
    """Draw one figure of the paper: our curves with intervals, the published curves dashed."""
    input:
        runs=lambda wildcards: runs_of(wildcards.figure, wildcards.base),
        sources=lambda wildcards: drawing_sources(wildcards.figure),
        specs=lambda wildcards: specs_of(wildcards.figure),
    output:
        pdf="{base}/figures/{figure}.pdf",
        svg=report(
            "{base}/figures/{figure}.svg",
            caption="report/figure.rst",
            category=lambda wildcards: section_of(wildcards.figure),
            subcategory="Figures",
            labels=artifact_labels("{figure}"),
        ),
        png="{base}/figures/{figure}.png",
        csv="{base}/figures/{figure}.csv",
        json="{base}/figures/{figure}.json",
    log:
        "{base}/logs/{figure}.log",
    priority: 1  # what can be drawn is drawn before the next training
    message:
        "{output.pdf}"
    shell:
        "python -m paper_figures {wildcards.figure} --results {wildcards.base:q} --output {output.pdf:q} > {log:q} 2>&1"


# The profile gives this figure, and the trainings that it shows, the highest priority: so there is something to see soon.
use rule draw_figure as draw_main_figure with:
    wildcard_constraints:
        figure="fig_feedforward_curves",


ruleorder: draw_main_figure > draw_figure


rule judge_claims:
    """Judge every published number and finding for which there are runs."""
    input:
        runs=lambda wildcards: all_runs(wildcards.base),
        sources=drawing_sources("claims"),
        specs=specs_of(),
    output:
        csv=report(
            "{base}/claims.csv",
            caption="report/claims.rst",
            category=VERDICTS_CATEGORY,
            labels=artifact_labels("claims"),
        ),
        json="{base}/claims.json",
    log:
        "{base}/logs/claims.log",
    message:
        "{output.csv}"
    shell:
        "python -m paper_figures claims --results {wildcards.base:q} --output {output.csv:q} > {log:q} 2>&1"


rule tables:
    """Draw every table."""
    input:
        [path for experiment in EXPERIMENTS for path in experiment.table_files()],
        [path for base in BASES for path in across_files(base)],


rule figures:
    """Draw every table and figure."""
    input:
        rules.tables.input,
        [path for experiment in EXPERIMENTS for path in experiment.figure_files()],


rule claims:
    """Judge the claims: results/<preset>/claims.csv."""
    input:
        expand("{base}/claims.csv", base=BASES),
