# Data sets: each is read or downloaded once, checked, and described in a manifest that every training depends on.
DATASETS = sorted({dataset for experiment in EXPERIMENTS for dataset in experiment.datasets})


rule prepare_data:
    """Find, download or make one data set, check it, and write its name and checksums to a manifest."""
    input:
        sources=sorted(glob("impls/data/*.py")),  # without the hidden files of editors
    output:
        manifest=f"{RUNS}/data/{{dataset}}.json",
    log:
        f"{RUNS}/logs/data/{{dataset}}.log",
    priority: 1  # trainings of the main table wait for it
    params:
        data=PRESET.data,
    message:
        "{output.manifest}"
    shell:
        "python -m impls data {wildcards.dataset} --data {params.data} --output {output.manifest:q} > {log:q} 2>&1"


rule data:
    """Fetch and check the data sets, without training."""
    input:
        expand(f"{RUNS}/data/{{dataset}}.json", dataset=DATASETS),
