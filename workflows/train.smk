# Training: one rule for each experiment, because each experiment's cell folders have their own wildcards.
for experiment in EXPERIMENTS:

    rule:
        name:
            f"train_{experiment.name}"
        input:
            data=experiment.data,
            training=experiment.training,
        output:
            # Not removed before the job, which itself keeps a result that is complete and up to date.
            curves=update(experiment.pattern("curves.parquet")),
            record=update(experiment.pattern("run.json")),
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
