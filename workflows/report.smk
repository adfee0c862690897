# The report: one page of everything that was drawn; neither torch nor jax is needed.


rule draw_report:
    """Put verdicts, claims, tables, figures and runs on one page."""
    input:
        drawn=lambda wildcards: drawn(wildcards.base),
        runs=lambda wildcards: all_runs(wildcards.base),
        sources=drawing_sources("report"),
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
        "python -m paper_figures report --results {wildcards.base} --output {output.html} > {log} 2>&1"


REPORTS = expand("{base}/report.html", base=BASES)


rule report:
    """Make the page that shows it all: results/<preset>/report.html."""
    input:
        REPORTS,
