# Training: one rule for each experiment, because each experiment's cell folders have their own wildcards.
for experiment in EXPERIMENTS:

    rule:
        name:
            f"train_{experiment.name}"
        input:
            data=experiment.data,
            training=experiment.training,
        output:
            curves=experiment.pattern("curves.parquet"),
            record=experiment.pattern("run.json"),
        log:
            experiment.log(),
        threads: 1
        resources:
            gpu=GPUS,
            time_limit=TIME_LIMIT,
        params:
            command=experiment.command,
        message:
            experiment.message()
        shell:
            "{params.command} --threads {threads} --resume {resources.time_limit} > {log:q} 2>&1"
