# Several workers, one net: update unlocking in time. An addition of this suite.
from impls.workers.sources import workers_sources
from impls.workers.times import TIMES

UNLOCKED = Experiment(
    "unlocked",
    tables=["table_unlocked"],
    figures=["fig_unlocked"],
    measured=[TIMES] if "torch" in PRESET.frameworks else [],
)


rule time_workers:
    """Time every schedule with real workers. Nothing else runs meanwhile, because it takes all cores."""
    input:
        sources=lambda wildcards: workers_sources(),
    output:
        times=f"{RUNS}/unlocked/{TIMES}",
    log:
        f"{RUNS}/logs/unlocked/worker_times.log",
    threads: lambda wildcards: workflow.cores or 1
    params:
        command=lambda wildcards: workers_command(PRESET),
    message:
        "{output.times}"
    shell:
        "{params.command} --output {output.times:q} > {log:q} 2>&1"


rule unlocked:
    """Several workers, one net, an addition: train every cell, time the workers, draw the table and figure."""
    input:
        UNLOCKED.drawings(),
