# Files for citing results: values as LaTeX macros, one archive with its description, the numbers of README.md and of other pages.
from paper_figures.provenance.stamps import module_sources
from paper_figures.publish.crate import packed_sources

PUBLISHED_RUNS = sorted(str(p) for p in Path("results").glob("published/*/*/**/run.json"))


rule write_values:
    """Write every number as a LaTeX macro."""
    input:
        runs=lambda wildcards: all_runs(wildcards.base),
        sources=drawing_sources("values"),
        specs=specs_of(),
    output:
        tex="{base}/values.tex",
        json="{base}/values.json",
    log:
        "{base}/logs/values.log",
    message:
        "{output.tex}"
    shell:
        "python -m paper_figures values --results {wildcards.base:q} --output {output.tex:q} > {log:q} 2>&1"


rule pack_crate:
    """Pack runs, drawings and sources into one archive, with an RO-Crate description of them."""
    input:
        runs=lambda wildcards: all_runs(wildcards.base),
        drawn=lambda wildcards: drawn(wildcards.base),
        report="{base}/report.html",
        values="{base}/values.tex",
        sources=packed_sources(),
    output:
        archive="{base}/crate.zip",
    log:
        "{base}/logs/crate.log",
    message:
        "{output.archive}"
    shell:
        "python -m paper_figures.publish.crate --results {wildcards.base:q} --output {output.archive:q} > {log:q} 2>&1"


rule values:
    """Write every number as a LaTeX macro: results/<preset>/values.tex."""
    input:
        expand("{base}/values.tex", base=BASES),


rule crate:
    """Pack runs, drawings and sources as one research object: results/<preset>/crate.zip."""
    input:
        expand("{base}/crate.zip", base=BASES),


rule dates:
    """Read from git since when each claim has had its margin, into paper_figures/claims/claims.json."""
    log:
        "results/logs/dates.log",
    message:
        "paper_figures/claims/claims.json"
    shell:
        "python -m paper_figures.claims.history > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


rule readme:
    """Write the published numbers into README.md, docs/*.md and the headers of the experiments."""
    input:
        runs=PUBLISHED_RUNS,
        sources=module_sources("publish/readme_blocks.py"),
    log:
        "results/logs/readme.log",
    message:
        "README.md, docs/experiments*.md, impls/experiments/*/__init__.py"
    shell:
        "python -m paper_figures.publish.readme_blocks > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
