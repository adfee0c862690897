"""Presets: what is read, what is refused with which message, and the commands that are made from them."""

from __future__ import annotations

import copy
import json
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from impls import data
from impls.cli import build_parser
from impls.errors import UserError
from impls.presets import cells, check_name, describe_cells, load_preset, result_directory, train_command
from impls.registry import experiments, spec_class

PRESETS = ("quick", "smoke", "paper")
# Replicas, where they are the dots of a figure.
DOTS = {"unlock": {"quick": 20, "smoke": 4, "paper": 100}, "missed_visits": {"quick": 20, "paper": 20}}
VALID = {
    "preset": "tiny",
    "data": "embedded",
    "frameworks": ["torch", "jax"],
    "replicas": 2,
    "feedforward": [
        {
            "cells": {"dataset": ["mnist"], "model": ["fcn"], "depth": [3, 4], "method": ["dni", "bprop"]},
            "settings": {"iterations": 20, "learning_rate": "1e-3", "learning_rate_drops": [5, 10]},
        }
    ],
}


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    content = copy.deepcopy(VALID)
    change(content)
    return content


@pytest.mark.parametrize("name", PRESETS)
def test_every_shipped_preset_is_valid_and_named_after_its_file(name: str, root: Path):
    preset = load_preset(root / f"config/{name}.yaml")
    assert preset.preset == name
    assert cells(preset, "feedforward")


def test_the_quick_and_paper_presets_hold_every_cell_of_the_papers_table(root: Path):
    for name in ("quick", "paper"):
        preset = load_preset(root / f"config/{name}.yaml")
        nets = Counter((cell["dataset"], cell["model"], cell["depth"]) for cell in cells(preset, "feedforward"))
        table = {
            **{(dataset, "fcn", depth): 4 for dataset in ("mnist", "cifar10") for depth in (3, 4, 5, 6)},
            **{(dataset, "cnn", depth): 4 for dataset in ("mnist", "cifar10") for depth in (3, 4)},
        }
        assert nets == table | {("mnist", "fcn", 21): 2}
        assert set(preset.experiments) == set(experiments())
        assert preset.frameworks == ["torch", "jax"]
    assert preset.data == "original"
    assert preset.experiments["feedforward"][0].settings == {}, "the paper's sizes are the spec's defaults"


def test_cells_are_the_product_with_settings_as_the_spec_reads_them():
    found = cells(load_preset(VALID), "feedforward")
    assert [(cell["depth"], cell["method"]) for cell in found] == [(3, "dni"), (3, "bprop"), (4, "dni"), (4, "bprop")]
    # YAML reads 1e-3 as a string; a result must not depend on how a number is written.
    assert all(cell["learning_rate"] == 0.001 and cell["learning_rate_drops"] == (5, 10) for cell in found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(replica=3), "here: unknown key 'replica'; did you mean 'replicas'?"),
        (lambda c: c.update(feedforwards=[]), "here: unknown key 'feedforwards'; did you mean 'feedforward'?"),
        (lambda c: c.update(experiments={}), "here: unknown key 'experiments'"),
        (lambda c: c.update(xyzzy=1), "here: unknown key 'xyzzy'; the keys are preset, source, data"),
        (
            lambda c: c.update(hidden_units=1),
            "unknown key 'hidden_units'; it is a field of a cell; write it in a block",
        ),
        (
            lambda c: c["feedforward"][0].update(setings={}),
            "feedforward[0]: unknown key 'setings'; did you mean 'settings'",
        ),
        (
            lambda c: c["feedforward"][0]["settings"].update(iteration=1),
            "here: feedforward[0].settings: unknown key 'iteration'; did you mean 'iterations'?",
        ),
        (
            lambda c: c["feedforward"][0]["cells"].update(methods=["dni"]),
            "here: feedforward[0].cells: unknown key 'methods'; did you mean 'method'?",
        ),
        (lambda c: c["feedforward"][0]["settings"].update(depth=3), "settings: 'depth' belongs under cells"),
        (lambda c: c["feedforward"][0]["cells"].update(batch_size=[3]), "cells: 'batch_size' belongs under settings"),
        (
            lambda c: c.update(frameworks=["torhc"]),
            "frameworks[0]: Input should be 'torch' or 'jax' (given: 'torhc'); did",
        ),
        (lambda c: c.update(frameworks=["jax", "jax"]), "frameworks: names a framework twice"),
        (lambda c: c.update(frameworks=[]), "frameworks: List should have at least 1 item"),
        (lambda c: c.update(data="orignal"), "(given: 'orignal'); did you mean 'original'?"),
        (lambda c: c.update(device="gpu"), "(given: 'gpu'); did you mean 'cuda'?"),
        (lambda c: c.update(replicas=0), "replicas: Input should be greater than 0 (given: 0)"),
        (lambda c: c.pop("replicas"), "replicas: Field required"),
        (lambda c: c.update(preset="published"), "preset: results/published holds the committed results"),
        (lambda c: c.update(preset="../elsewhere"), "preset: String should match pattern"),
        (lambda c: c.update(feedforward={}), "feedforward: must be a list of blocks"),
        (lambda c: c["feedforward"][0].pop("cells"), "feedforward[0].cells: 'dataset' is missing"),
        (lambda c: c["feedforward"][0].update(settings=3), "feedforward[0].settings: must be a mapping"),
        (lambda c: c["feedforward"][0]["cells"].pop("method"), "feedforward[0].cells: 'method' is missing"),
        (lambda c: c["feedforward"][0]["cells"].update(method="dni"), "cells.method: Input should be a valid list"),
        (lambda c: c["feedforward"][0]["cells"].update(method=[]), "cells.method: List should have at least 1 item"),
        (lambda c: c["feedforward"][0]["cells"].update(method=["cdn"]), "feedforward[0].cells.method: Input should be"),
        (lambda c: c["feedforward"][0]["cells"].update(method=["cdn"]), "(given: 'cdn'); did you mean 'cdni'?"),
        (
            lambda c: c["feedforward"][0]["settings"].update(hidden_units=-1, batch_size="a"),
            "here: feedforward[0].settings.hidden_units: Input should be greater than 0 (given: -1)\n"
            "here: feedforward[0].settings.batch_size: Input should be a valid integer",
        ),
        (lambda c: c["feedforward"][0]["cells"].update(depth=[3, 3]), "/depth~3/method~dni is listed twice"),
        (lambda c: c["feedforward"].append(VALID["feedforward"][0]), "is listed twice (also in feedforward[0])"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named_with_its_place_and_the_nearest_right_word(change, message: str):
    with pytest.raises(UserError) as error:
        load_preset(changed(change), "here")
    assert message in str(error.value)
    assert all(line.startswith("here: ") for line in str(error.value).splitlines())


@given(st.data())
def test_any_one_letter_slip_in_any_key_is_refused_and_set_right(data: st.DataObject):
    """At every level of the preset: leave out one letter of a key, and the message names the key that was meant."""
    content = copy.deepcopy(VALID)
    block = content["feedforward"][0]
    level = data.draw(st.sampled_from([content, block, block["cells"], block["settings"]]))
    key = data.draw(st.sampled_from(sorted(level)))
    place = data.draw(st.integers(0, len(key) - 1))
    wrong = key[:place] + key[place + 1 :]
    level[wrong] = level.pop(key)
    with pytest.raises(UserError, match=f"unknown key '{wrong}'; did you mean '{key}'"):
        load_preset(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "papr.yaml: there is no such file; did you mean"),
        ("a: [", "papr.yaml: not readable as YAML"),
        ("- 1", "papr.yaml: must be a mapping"),
        ("", "papr.yaml: must be a mapping"),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, content: str | None, message: str):
    (tmp_path / "paper.yaml").touch()
    if content is not None:
        (tmp_path / "papr.yaml").write_text(content)
    with pytest.raises(UserError, match=message):
        load_preset(tmp_path / "papr.yaml")


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("experiment", experiments())
def test_the_command_line_reads_each_command_back_as_its_cell(name: str, experiment: str, root: Path):
    """The cell that the command was made from."""
    preset = load_preset(root / f"config/{name}.yaml")
    spec = spec_class(experiment)
    for cell in cells(preset, experiment):
        python, dash_m, impls, *arguments = shlex.split(train_command(preset, experiment, cell, "jax"))
        assert (python, dash_m, impls) == ("python", "-m", "impls")
        parsed = vars(build_parser().parse_args(arguments))
        assert spec(**{key: value for key, value in parsed.items() if key in spec.model_fields}) == spec(**cell)
        assert parsed["framework"] == "jax"
        assert int(parsed["replicas"]) == DOTS.get(experiment, {}).get(name, preset.replicas)
        assert int(parsed["first_seed"]) == preset.first_seed
        assert (parsed["data"], parsed["device"], parsed["precision"]) == (preset.data, preset.device, preset.precision)
        assert str(parsed["output"]) == result_directory(preset, experiment, cell, "jax")


def test_the_name_of_another_file_is_refused_with_the_command_for_its_cells(root: Path, monkeypatch):
    monkeypatch.chdir(root)
    quick = root / "config/quick.yaml"
    check_name(load_preset(quick), [quick])
    check_name(load_preset(VALID | {"preset": "mine"}), [quick])
    with pytest.raises(UserError, match=r"cells of config/paper.yaml: snakemake --configfile config/paper.yaml"):
        check_name(load_preset(VALID | {"preset": "paper"}), [quick])


def test_outside_the_suites_folder_the_message_says_where_it_is(root: Path, monkeypatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"run this in the suite's folder: cd {root}"):
        load_preset("config/quick.yaml")


def test_yes_and_no_are_flags_of_their_own():
    block = {
        "cells": {"dataset": ["copy"], "model": ["lstm"], "method": ["dni"], "truncation_length": [2]},
        "settings": {"peepholes": True, "factor_in_target": False},
    }
    preset = load_preset(
        {name: value for name, value in VALID.items() if name != "feedforward"} | {"recurrent": [block]}
    )
    (cell,) = cells(preset, "recurrent")
    words = shlex.split(train_command(preset, "recurrent", cell, "jax"))
    assert {"--peepholes", "--no-factor-in-target"} < set(words)
    parsed = vars(build_parser().parse_args(words[3:]))
    assert (parsed["peepholes"], parsed["factor_in_target"]) == (True, False)


def test_a_command_does_not_depend_on_the_order_of_keys():
    def commands(content: dict[str, Any]) -> list[str]:
        preset = load_preset(content)
        return [train_command(preset, "feedforward", cell, "torch") for cell in cells(preset, "feedforward")]

    def backwards(block: dict[str, Any]) -> dict[str, Any]:
        return {part: dict(reversed(fields.items())) for part, fields in reversed(block.items())}

    assert commands(VALID | {"feedforward": [backwards(block) for block in VALID["feedforward"]]}) == commands(VALID)


def test_cell_paths_are_those_of_snakemakes_paramspace():
    from snakemake.utils import Paramspace

    found = cells(load_preset(VALID), "feedforward")
    fields = list(spec_class("feedforward").cell_fields)
    paramspace = Paramspace(pd.DataFrame(found)[fields])
    assert [spec_class("feedforward")(**cell).path() for cell in found] == list(paramspace.instance_patterns)


def test_the_list_tells_how_far_each_cell_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(yaml.safe_dump(VALID | {"frameworks": ["torch"]}))
    preset = load_preset("tiny.yaml")
    states = {
        "complete": "complete",
        "partial": "partial 7/20",
        "other": "of other settings",
        "broken": "run.json is damaged",
    }
    for state, cell in zip(states, cells(preset, "feedforward"), strict=True):
        folder = Path(result_directory(preset, "feedforward", cell, "torch"))
        folder.mkdir(parents=True)
        record = {
            "spec": spec_class("feedforward")(**cell).model_dump(mode="json"),
            "seeds": [0, 1] if state != "other" else [5],
            "status": state,
            "iteration_reached": 7,
            "iterations": 20,
        }
        (folder / "run.json").write_text("{" if state == "broken" else json.dumps(record))
    lines = list(describe_cells("tiny.yaml"))
    assert [line[:22].strip() for line in lines] == list(states.values())
    assert all("python -m impls train feedforward --framework torch" in line for line in lines)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--truncation-length 0", "--truncation-length: Input should be greater than 0 (given: 0)"),
        ("--framewrok jax", "unknown flag --framewrok; did you mean --framework?"),
        ("--device gpu", "invalid choice: 'gpu' (choose from 'auto', 'cpu', 'cuda'); did you mean cuda?"),
        ("--model rnn --peepholes", "peepholes need the lstm: rnn has none"),
    ],
)
def test_the_command_line_says_in_one_line_what_is_wrong(flags, said):
    command = [sys.executable, "-m", "impls", "train", "recurrent", "--framework", "torch", *flags.split()]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode != 0 and said in run.stderr and "Traceback" not in run.stderr


def test_one_program_evaluates_both_splits_in_the_quick_preset(root: Path):
    """The training error is that of as many examples as the test set has: JAX compiles for each number of examples."""
    preset = load_preset(root / "config/quick.yaml")
    for experiment, cell in [(name, cell) for name in preset.experiments for cell in cells(preset, name)]:
        spec = spec_class(experiment)(**cell)
        if "train" in spec.evaluation_examples():
            splits = data.load(spec.dataset).splits
            sizes = {len(splits["test"].labels)}
            assert {spec.train_error_examples, spec.validation_examples or spec.train_error_examples} == sizes, cell
