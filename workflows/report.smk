# The report: one page of everything that was drawn. It needs neither torch nor jax.


rule draw_report:
    """Make one page of verdicts, claims, tables, figures and runs."""
    input:
        drawn=lambda wildcards: drawn(wildcards.base),
        runs=lambda wildcards: all_runs(wildcards.base),
        sources=drawing_sources("report"),
        specs=specs_of(),
        templates=sorted(map(str, Path("paper_figures/report/templates").iterdir())),
    output:
        html=report(
            "{base}/report.html",
            caption="report/report.rst",
            category=VERDICTS_CATEGORY,
            labels=artifact_labels("report"),
        ),
        json="{base}/report.json",
    log:
        "{base}/logs/report.log",
    message:
        "{output.html}"
    shell:
        "python -m paper_figures report --results {wildcards.base:q} --output {output.html:q} > {log:q} 2>&1"


REPORTS = expand("{base}/report.html", base=BASES)


rule report:
    """Make the report, one page of all results: results/<preset>/report.html."""
    input:
        REPORTS,
