"""`python -m benchmarks compare` on bad input: one line that says what is wrong, and no verdict."""

from __future__ import annotations

import pytest

from benchmarks.cli import main
from benchmarks.gate import settings as gate_module
from tests.support.gate_records import benchmark, saved


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.json", "nowhere.json"], "there is no file nowhere.json"),
        (["nowhere.json", "."], "a stored .json file can only be compared with another one"),
        (["no-such-revision", ".", "--benchmarks", ""], "'no-such-revision' is neither a revision"),
        (["", ".", "--benchmarks", ""], "'' is neither a revision"),  # as from an empty variable of a CI script
        (
            [".", ".", "--benchmarks", "feedforward/dmi/x1"],
            "no benchmark matches 'feedforward/dmi/x1'. There are: feedforward/dni/x1",
        ),
        ([".", ".", "--benchmarks", "", "--pairs", "1"], "--pairs must be at least 2"),
        ([".", ".", "--benchmarks", "", "--pairs", "50"], "--max-pairs no less than --pairs"),
        (
            [".", ".", "--benchmarks", "", "--markdown", "no/such/folder/a.md"],
            "there is no folder no/such/folder for a.md",
        ),
    ],
)
def test_bad_input_is_one_line_and_no_verdict(arguments, message, capsys, root, monkeypatch):
    monkeypatch.chdir(root)
    assert main(["compare", *arguments]) == 4
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and message in error


@pytest.mark.parametrize(
    "content", ["not json", "[]", "{}", '{"looks": 1, "benchmarks": [{"pairs": [{}]}]}', '{"machine_info": {}}']
)
def test_a_file_that_is_something_else_is_named(judge, tmp_path, content):
    path = tmp_path / "odd.json"
    path.write_text(content)
    code, _, err = judge(path, path)
    assert code == 4 and "odd.json is not a file of pytest-benchmark or `compare --save`" in err


def test_records_of_another_version_are_refused(judge):
    old = benchmark(0.0, schema=2)
    code, _, err = judge(saved(old))
    assert code == 4 and "contains records of another version" in err


def test_a_mistake_on_the_command_line_is_no_verdict():
    for arguments in (
        ["compare", "a"],
        ["compare", ".", ".", "--bencmarks", "x"],
        ["compare", ".", ".", "--pairs", "x"],
        [],
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 4


def test_a_broken_gate_or_program_is_no_verdict(judge, monkeypatch, tmp_path):
    """Python's exit code after an exception is 1, which would be read as `slower`."""
    monkeypatch.setattr(gate_module, "FILE", tmp_path / "gate.toml")
    gate_module.FILE.write_text("level = ")
    code, _, err = judge(saved(benchmark(0.0)))
    assert code == 4 and "TOMLDecodeError" in err


def test_help_says_what_exit_codes_mean(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and "precedence 1 > 3 > 2 > 0" in text
    assert [line.split()[0] for line in text[text.index("exit codes") :].splitlines()[1:]] == [*"13204", "130"]
