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
        priority: int(experiment is FEEDFORWARD)  # the main table's trainings come first
        threads: THREADS
        resources:
            gpu=lambda wildcards: gpus(),
            mem_mb=experiment.memory_mb,
            runtime=experiment.minutes,
            limits=LIMITS,
        params:
            command=experiment.command,
        message:
            experiment.message()
        shell:
            # Snakemake removes the log before each attempt. A second name keeps its content, where a file can have two.
            "touch {log:q}.all; ln -f {log:q}.all {log:q} || true; "
            # Without a shell in between, a signal reaches the training, which saves a checkpoint before it ends.
            "exec {params.command} --threads {threads} --resume {resources.limits} >> {log:q} 2>&1"
