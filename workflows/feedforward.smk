# Feed-forward nets with a DNI between every two layers: table_feedforward and fig_feedforward_curves.
FEEDFORWARD = Experiment("feedforward", tables=["table_feedforward"], figures=["fig_feedforward_curves"])


rule train_feedforward:
    """Train all replicas of one cell (data set, model, depth, method) in one framework."""
    input:
        data=f"{RUNS}/data/{{dataset}}.json",
        sources=FEEDFORWARD.sources,
    output:
        curves=FEEDFORWARD.pattern("curves.parquet"),
        record=FEEDFORWARD.pattern("run.json"),
    log:
        FEEDFORWARD.log(),
    threads: 1
    resources:
        gpu=GPUS,
        time_limit=TIME_LIMIT,
    params:
        command=FEEDFORWARD.command,
    message:
        "{wildcards.framework}, {wildcards.dataset} {wildcards.model}, {wildcards.depth} layers, {wildcards.method}"
    shell:
        "{params.command} --threads {threads} --resume {resources.time_limit} > {log} 2>&1"


rule feedforward:
    """Feed-forward nets, a DNI between every two layers: train every cell, draw its table and figure."""
    input:
        FEEDFORWARD.table_files(),
        FEEDFORWARD.figure_files(),
