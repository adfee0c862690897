"""What `snakemake` shows: lines of progress with the time left, failures, Ctrl-C."""

from __future__ import annotations

import io
import logging

import pytest
from tqdm import tqdm

from impls import terminal
from impls.durations import duration
from impls.terminal import Terminal, say
from impls.training_logs import last_bar, last_lines

TRAININGS = {"train_unlock": 3, "draw_figure": 2, "total": 5}


@pytest.fixture
def clock(monkeypatch):
    """The seconds since the start, to be set."""
    seconds = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: seconds[0])
    return seconds


@pytest.fixture
def shown(clock, tmp_path):
    ended = []
    handler = Terminal(lambda: ended.append("summary"), lambda trainings: [])
    handler.at_ends = ended
    handler.log = tmp_path / "train.log"
    yield handler
    handler.close()


def event(handler: Terminal, name: str | None, message: str = "", level: int = logging.INFO, **values) -> None:
    record = logging.LogRecord("snakemake", level, "", 0, message, (), None)
    vars(record).update(values | ({"event": name} if name else {}))
    handler.emit(record)


def start(handler: Terminal, job: int, rule: str = "train_unlock") -> None:
    wildcards = {"dataset": "mnist", "depth": str(job), "framework": "jax"}
    files = {"output": ["results/a.pdf"], "log": [str(handler.log)] if rule == "train_unlock" else []}
    event(handler, "job_info", jobid=job, rule_name=rule, wildcards=wildcards, **files)


def written_bar(position: int, after: str) -> str:
    file = io.StringIO()
    with tqdm(total=200, initial=position, unit=" model-steps", file=file) as bar:
        bar.set_postfix_str(after)
    return file.getvalue()


def test_a_line_says_what_is_done_what_runs_and_how_long_the_rest_takes(shown, clock):
    event(shown, "run_info", stats=TRAININGS)
    start(shown, 1)
    clock[0] = 120.0
    assert shown.line() == "2 min: 0 of 5 jobs done; running: unlock mnist 1 (jax)", (
        "no training tells how long it takes"
    )
    event(shown, "job_finished", job_id=1)
    start(shown, 2)
    clock[0] = 180.0  # one of 120 seconds is half done, one waits; drawings take no time
    assert shown.line() == "3 min: 1 of 5 jobs done, about 3 min left; running: unlock mnist 2 (jax)"
    shown.log.write_text("unlock:  25%|##   | 50/200 [00:20<10:00,  2.5 model-steps/s, iteration 5/20, error 3]")
    assert shown.seconds_left() == 600 + (120 + 660) / 2, "the running one tells 10 minutes, so it takes 11 in all"
    assert shown.line().endswith("running: unlock mnist 2 (jax) 25%")


def test_jobs_that_run_at_once_share_the_time(shown, clock):
    event(shown, "run_info", stats=TRAININGS)
    start(shown, 1)
    start(shown, 2)
    clock[0] = 100.0
    event(shown, "job_finished", job_id=1)
    event(shown, "job_finished", job_id=2)
    assert shown.seconds_left() == 100 / 2
    start(shown, 3)
    event(shown, "job_error", jobid=3, rule_name="train_unlock", log=[], shellcmd="")
    assert shown.seconds_left() == 0, "one that failed is not waited for"


def test_a_failure_shows_its_error_its_log_and_its_command(shown, capsys):
    event(shown, "run_info", stats=TRAININGS)
    start(shown, 1)
    looked_at = "\n".join(f"  looked at {n}" for n in range(30))
    shown.log.write_text(f"reading\nerror: no data\n{looked_at}\n 10%|#  | 1/10 [00:01<00:09, 1 model-steps/s]\n")
    event(shown, "error", "RuleException", exception="RuleException")
    event(shown, "job_error", jobid=1, rule_name="train_unlock", log=[str(shown.log)], shellcmd=" python -m impls \n")
    event(shown, "error", "At least one job failed", exception="WorkflowError")
    lines = capsys.readouterr().err.splitlines()[1:]
    assert lines[:3] == ["FAILED: unlock mnist 1 (jax)", "    error: no data", "    ..."]
    assert lines[-4:] == [
        "      looked at 29",
        f"    log: {shown.log}",
        "    command: python -m impls",
        "0 of 5 jobs are done, 1 failed. The same command goes on with the rest.",
    ]


@pytest.mark.parametrize("last", ["partial at iteration 20 of 200", "stopped at iteration 20; --resume continues"])
def test_a_training_that_was_stopped_is_no_failure(shown, capsys, last):
    event(shown, "run_info", stats=TRAININGS)
    start(shown, 1)
    shown.log.write_text(f" 10%|#  | 20/200 [00:01<00:09, 1 model-steps/s]\n{last}\n")
    event(shown, "job_error", jobid=1, rule_name="train_unlock", log=[str(shown.log)], shellcmd="python")
    assert "1 stopped before their end" in shown.line()
    event(shown, "error", "At least one job failed", exception="WorkflowError")
    assert capsys.readouterr().err.splitlines()[1:] == [
        "0 of 5 jobs are done, 1 stopped before their end. The same command goes on with the rest."
    ]


def test_a_job_that_is_tried_again_counts_as_running(shown):
    event(shown, "run_info", stats=TRAININGS)
    start(shown, 1)
    event(shown, "job_error", jobid=1, rule_name="train_unlock", log=[], shellcmd="")
    assert "1 failed" in shown.line()
    start(shown, 1)
    assert "failed" not in shown.line()


def test_ctrl_c_is_answered_once_and_hides_what_it_causes(shown, capsys):
    event(shown, "run_info", stats=TRAININGS)
    start(shown, 1)
    with pytest.raises(KeyboardInterrupt):
        shown.interrupt(2, None)
    shown.interrupt(2, None)
    event(shown, "job_error", jobid=1, rule_name="train_unlock", log=[str(shown.log)], shellcmd="python")
    event(shown, None, "Terminating processes on user request", logging.WARNING)
    event(shown, "error", "CalledProcessError: a traceback", exception="CalledProcessError")
    event(shown, "error", "once more", exception="RuntimeError")
    assert capsys.readouterr().err.splitlines()[1:] == [
        "Stopping. Each training saves a checkpoint first.",
        "Still stopping.",
        "Stopped. Nothing is lost: the same command goes on.",
    ]


def test_the_time_of_the_trainings_is_estimated_before_they_start(shown, capsys):
    shown.estimate = lambda trainings: [f"Estimated: {trainings}"]
    event(shown, "run_info", stats=TRAININGS)
    assert capsys.readouterr().err.splitlines()[1:] == ["Estimated: {'unlock': 3}"]


def test_messages_are_shown_before_the_first_job_and_warnings_always(shown, capsys):
    event(shown, None, "Building DAG of jobs...")
    event(shown, None, "Singularity containers: ignored")
    event(shown, "run_info", stats=TRAININGS)
    event(shown, "shellcmd", "python -m impls train ...")
    event(shown, None, "Select jobs to execute...")
    event(shown, None, "the disk is full", logging.WARNING)
    event(shown, "error", "no such rule", exception="MissingRuleException")
    assert capsys.readouterr().err.splitlines() == [
        "Building DAG of jobs...",
        "3 trainings and 2 other jobs. Ctrl-C stops them; the same command goes on.",
        "the disk is full",
        "no such rule",
    ]


def test_where_there_is_nothing_to_do_the_summary_is_printed(shown, capsys):
    event(shown, None, "Nothing to be done (all requested files are present and up to date).")
    assert capsys.readouterr().err == "Nothing to do: everything is up to date.\n"
    assert shown.at_ends == ["summary"]


def test_a_bar_is_read_as_tqdm_writes_it(tmp_path):
    log = tmp_path / "log"
    assert last_bar(log) is None and last_lines(log) == []
    log.write_text(written_bar(0, "compiling"))
    assert last_bar(log) == (0, None, "compiling")
    log.write_text("[00:01<1:02:03, a line without a bar]\n" + written_bar(50, "iteration 5/20, test error 3.00%"))
    assert last_bar(log)[::2] == (25, "iteration 5/20")
    log.write_text(" 25%|##   | 50/200 [00:20<1:02:03,  2.5 model-steps/s, iteration 5/20, test error 3.00%]")
    assert last_bar(log) == (25, 3723.0, "iteration 5/20")


@pytest.mark.parametrize(
    ("minutes", "text"), [(0.4, "<1 min"), (12.4, "12 min"), (204, "3.4 h"), (2880, "2 days"), (775739.2, "539 days")]
)
def test_durations_have_the_unit_that_is_read_most_easily(minutes, text):
    assert duration(minutes) == text


def test_lines_go_to_stderr(capsys):
    say("one line")
    assert capsys.readouterr() == ("", "one line\n")
