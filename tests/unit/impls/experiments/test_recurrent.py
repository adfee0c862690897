"""What the recurrent nets read (streams, parsed character by character) and how they climb (promotions, recounted)."""

from __future__ import annotations

import importlib
from itertools import pairwise, product

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from impls.engine.curves import Curves, Event
from impls.experiments.carried_state.spec import Spec as CarriedState
from impls.experiments.recurrent.spec import Spec
from impls.experiments.small_copy.spec import CHANGES, SMALL
from impls.experiments.small_copy.spec import Spec as SmallCopy
from tests.support.harness import EXAMPLES, SEEDS, framework_axis, inputs_of, jax_slow_axis, observe, runner

CHUNKS = 60
LADDER = [4, 5, 7, 9, 12, 15, 19, 23, 28, 33, 39, 45, 52, 59, 67]  # of Repeat Copy, as published
# Of two replicas, chunk by chunk: bits of error of each character asked for in sequences of the replica's level, and of
# the level below. W = 3, a level is solved under 1 bit, and there are three.
CLIMBS = (
    [
        *[([0.5], [])] * 3,  # good at once, but the first window is full after three
        ([0.1], []),  # and so is the next, of which no chunk is from before the promotion
        ([3.0], [0.0, 0.0, 0.0]),  # the level below would lower the average
        *[([0.1], [])] * 3,  # the bad chunk is in the window of the first two
        *[([0.1], [])] * 4,  # nothing is above the last level
    ],
    [
        *[([], [])] * 3,  # nothing is asked for, and nothing solved
        ([2.9], []),
        ([0.0, 0.0], []),  # an average over characters, not over chunks
        ([5.0], [9.0]),
        *[([0.5], [9.0])] * 3,  # the level below would raise the average
        *[([0.5], [])] * 3,
    ],
)
PROMOTED_AT = [[3, 8, 0], [5, 9, 0]]
STREAMS = [
    {"dataset": "copy"},
    {"dataset": "copy", "level_draw": "uniform"},
    {"dataset": "repeat_copy", "repeats_step": "with_stop"},
    {"dataset": "repeat_copy", "repeats_step": "own"},
    {"dataset": "repeat_copy", "repeats_step": "own", "level_draw": "uniform"},
]


def stream(spec: Spec, framework: str) -> dict[str, np.ndarray]:
    """What `CHUNKS` chunks hold, their time steps joined: x [R, n, B, I] and the like."""
    run, chunks = runner("recurrent", spec, framework), []
    for k in range(CHUNKS):
        inputs = inputs_of(run, SEEDS, k, k + 1)
        chunks.append(observe(run, inputs))
        run.advance(inputs)
    names = ("x", "target", "counted", "units", "keep", "position", "length", "level")
    return {name: np.concatenate([chunk[name] for chunk in chunks], axis=1) for name in names}


@jax_slow_axis
@pytest.mark.parametrize("fields", STREAMS, ids=lambda fields: "-".join(fields.values()))
def test_every_sequence_asks_for_what_it_has_shown(framework, fields):
    """Parsed without the suite's arithmetic: a row is cut where a position is 0, and each piece is read by hand."""
    spec = Spec.tiny(method="bptt", batch_size=5, **fields)
    found = stream(spec, framework)
    bits, complete = spec.character_bits, 0
    sizes: dict[int, set[tuple[int, int]]] = {}
    for replica in range(len(SEEDS)):
        for row in range(spec.batch_size):
            steps = {name: value[replica, :, row] for name, value in found.items()}
            starts = [*np.flatnonzero(steps["position"] == 0), None]
            for first, last in pairwise(starts):
                x, target, counted, keep = (steps[name][first:last] for name in ("x", "target", "counted", "keep"))
                length = int(steps["length"][first])
                stop_at = int(np.flatnonzero(x[:, bits])[0]) if x[:, bits].any() else None
                if stop_at is None or not target[:, bits].any():
                    assert last is None, "a sequence is cut short"
                    continue
                shown, end = x[:stop_at, :bits], int(np.flatnonzero(target[:, bits])[0])
                read_at = stop_at + (fields.get("repeats_step") == "own")  # the last input
                repeats = round(10 * x[read_at, bits + 1]) if spec.dataset == "repeat_copy" else 1
                complete += 1
                sizes.setdefault(int(steps["level"][first]), set()).add((length, repeats))
                assert stop_at == length
                assert end == read_at + repeats * length + 1
                np.testing.assert_array_equal(target[read_at + 1 : end, :bits], np.tile(shown, (repeats, 1)))
                assert not x[stop_at, :bits].any() and not x[read_at + 1 :].any(), "something is shown while it writes"
                assert x[:, bits:].astype(bool).sum() == (2 if spec.dataset == "repeat_copy" else 1)
                assert not target[: read_at + 1].any() and not target[end, :bits].any() and not target[end + 1 :].any()
                np.testing.assert_array_equal(np.flatnonzero(counted), np.arange(read_at + 1, end + 1))
                units = np.flatnonzero(steps["units"][first:last])
                np.testing.assert_array_equal(units, np.arange(read_at + 1, end + 1))
                assert keep[:end].all() and not keep[end:].any(), "the state is cleared at the end and while it waits"
    assert complete > 100
    assert set(sizes) == set(range(spec.levels))
    largest = {0: (1, 1), 4: (5, 1) if spec.dataset == "copy" else (3, 3)}  # by hand
    for level, (most, most_repeats) in largest.items():
        drawn = set(product(range(1, most + 1), range(1, most_repeats + 1)))
        assert sizes[level] == (drawn if spec.level_draw == "uniform" else {(most, most_repeats)})


@jax_slow_axis
def test_sequences_spread_over_time_and_stay_spread_when_they_grow(framework):
    fields = {"method": "bptt", "batch_size": 64, "levels": 9, "solved_window": 4}
    own, shared = (stream(Spec.tiny(**fields, phase=phase), framework)["position"] for phase in ("own", "shared"))
    assert (shared == shared[:, :, :1]).all()
    at_the_end = own[:, -1]
    longest = Spec.tiny(**fields).memory
    assert all(len(np.unique(row)) > 0.7 * longest for row in at_the_end)


@jax_slow_axis
@pytest.mark.parametrize(("unit", "least"), [("character", 3.5), ("sequence", 8.0)])
def test_promotions_are_those_of_a_count_by_hand(framework, unit, least):
    """A replica goes up when its last W chunks at the level are good enough on average, whatever the others do."""
    rules = {"solved_unit": unit, "solved_bits": least, "solved_window": 3, "levels": 4}
    spec = Spec.tiny(method="dni", learning_rate=0.02, **rules)
    run = runner("recurrent", spec, framework)
    promoted, windows, level = [[], []], [[], []], [0, 0]
    for k in range(CHUNKS):
        inputs = inputs_of(run, SEEDS, k, k + 1)
        observed = observe(run, inputs)
        run.advance(inputs)
        for replica in range(len(SEEDS)):
            own = observed["counted"][replica] * (observed["level"][replica] == level[replica])
            ends = own * observed["target"][replica][..., -1]
            counted = (own if unit == "character" else ends).sum()
            windows[replica].append(((observed["nats"][replica] * own).sum() / np.log(2), counted))
            bits, counted = np.sum(windows[replica][-3:], axis=0)
            if len(windows[replica]) >= 3 and bits < least * counted and level[replica] < 3:
                promoted[replica].append((k + 1, level[replica] + 4))
                level[replica], windows[replica] = level[replica] + 1, []
    events = [event for event in spec.events(run.leaves()) if event.iteration]
    assert events == [
        Event(replica, iteration, "curriculum", "max_solved_task_length", length)
        for replica, found in enumerate(promoted)
        for iteration, length in found
    ]
    assert all(len(found) >= 1 for found in promoted)
    assert promoted[0] != promoted[1], "each replica climbs its own ladder"


@framework_axis
def test_a_window_is_full_and_of_one_level(framework):
    """The rule alone, on `CLIMBS`. After a promotion the window (`measure` returns it) holds nothing from before."""
    tasks = importlib.import_module(f"impls.experiments.recurrent.{framework}_tasks")
    array = {"torch": torch.from_numpy, "jax": jnp.asarray}[framework]
    spec = Spec.tiny(solved_bits=1.0, solved_window=3, levels=3)
    task, level = tasks.begin(spec, array(np.zeros((2, 1), np.float32))), np.zeros(2, np.int32)
    windows = [np.zeros((3, 2)), np.zeros((3, 2))]  # (bits, characters) of the last three chunks
    for k, asked in enumerate(zip(*CLIMBS, strict=True), start=1):
        counted, nats = np.zeros((2, 4), np.float32), np.full((2, 4), 99, np.float32)  # 99 where nothing is asked for
        levels = np.repeat(level[:, None], 4, axis=1)
        for replica, (own, below) in enumerate(asked):
            characters = len(own + below)
            counted[replica, :characters] = 1
            nats[replica, :characters] = np.log(2) * np.array(own + below)
            levels[replica, len(own) : characters] -= 1
            windows[replica] = np.vstack([windows[replica][1:], (sum(own), len(own))])
            if k in PROMOTED_AT[replica]:
                level[replica], windows[replica] = level[replica] + 1, np.zeros((3, 2))
        counted, levels, nats = (array(value.reshape(2, 2, 2)) for value in (counted, levels, nats))
        task = tasks.promote(spec, task, {"counted": counted, "units": counted, "level": levels}, nats)
        np.testing.assert_array_equal(task["level"], level, err_msg=f"after chunk {k}")
        for name, n in {"window_bits": 0, "window_units": 1}.items():
            expected = [window[:, n] for window in windows]
            np.testing.assert_allclose(task[name], expected, rtol=1e-6, err_msg=f"{name} after chunk {k}")
    np.testing.assert_array_equal(task["promoted_at"], PROMOTED_AT)


def test_the_ladders_are_the_published_ones():
    assert [Spec(dataset="repeat_copy").task_length(level) for level in range(len(LADDER))] == LADDER
    assert [Spec(dataset="copy").task_length(level) for level in range(5)] == [4, 5, 6, 7, 8]


@pytest.mark.parametrize("dataset", ["copy", "ptb"])
def test_inputs_do_not_depend_on_how_a_run_is_cut(dataset):
    spec = Spec.tiny(dataset=dataset)
    whole = spec.step_inputs(SEEDS, EXAMPLES, 990, 1010)
    parts = [spec.step_inputs(SEEDS, EXAMPLES, 990, 999), spec.step_inputs(SEEDS, EXAMPLES, 999, 1010)]
    for name, value in whole.items():
        np.testing.assert_array_equal(value, np.concatenate([part[name] for part in parts]), err_msg=name)
    varied = whole["characters" if dataset == "copy" else "positions"]
    assert not np.array_equal(varied[:, 0], varied[:, 1]), "two seeds read the same"


@framework_axis
def test_rows_of_a_text_read_on_from_chunk_to_chunk_and_over_its_end(framework):
    spec = Spec.tiny(dataset="ptb", method="bptt", truncation_length=3)
    run = runner("recurrent", spec, framework)
    text = {name: np.asarray(values) for name, values in run.splits["train"].items()}
    first = run.spec.step_inputs(SEEDS, EXAMPLES, 0, 1)["positions"][0]
    assert {tuple(np.diff(row) % EXAMPLES) for row in first} == {(10, 10, 10)}, "four rows cut the text in four"
    for k in range(20):  # 60 characters of 40
        observed = observe(run, inputs_of(run, SEEDS, k, k + 1))
        at = (first[:, None] + 3 * k + np.arange(3)[:, None]) % EXAMPLES
        np.testing.assert_array_equal(observed["x"].argmax(-1), text["inputs"][at])
        np.testing.assert_array_equal(observed["target"], text["labels"][at])


@pytest.mark.parametrize(
    ("valid", "stops"),
    [
        ([[3, 3], [2, 2], [1, 2.5]], False),  # one replica has risen, the other has not
        # They rose at different evaluations; a later fall changes nothing.
        ([[3, 3], [2, 2.5], [2.5, 2], [1, 2.1]], True),
        ([[3, 3], [3, 3]], False),  # equal is not a rise
        ([[3, 3], [np.nan, 3.1]], True),  # training on is useless for a replica that diverged
        ([[3, 3]], False),
    ],
)
def test_a_text_is_trained_until_every_replica_has_risen(valid, stops):
    curves = Curves(SEEDS)
    for number, values in enumerate(valid):
        curves.add(number, "valid", {"bits_per_character": np.array(values, float)})
    assert Spec(dataset="ptb").stops_early(curves) is stops
    assert Spec(dataset="copy").stops_early(curves) is False


def test_events_join_the_curves_as_points_of_one_replica():
    curves = Curves(SEEDS)
    curves.add(0, "batch", {"task_length": np.array([4.0, 4.0])})
    curves.events = [Event(1, 17, "curriculum", "max_solved_task_length", 4)]
    last = [1, SEEDS[1], 17, "curriculum", "max_solved_task_length", 4.0]
    assert list(curves.table().to_pylist()[-1].values()) == last
    assert len(curves.table()) == 3


def test_a_carried_state_is_the_recurrent_experiment_with_one_change():
    spec, plain = CarriedState(dataset="repeat_copy"), Spec(dataset="repeat_copy")
    assert {name for name in Spec.model_fields if getattr(spec, name) != getattr(plain, name)} == {"carry_state"}
    assert spec.changed("choice") == spec.changed("paper") == []
    assert CarriedState(carry_state=False).changed("choice") == ["carry_state = False (default: True)"]
    with pytest.raises(ValueError, match="'copy' or 'repeat_copy'"):
        CarriedState(dataset="ptb")


@pytest.mark.parametrize("change", CHANGES)
def test_a_small_copy_differs_from_the_paper_by_its_size_and_one_change(change):
    spec = SmallCopy(change=change)
    plain = Spec(dataset="copy", **SMALL)
    differing = {name for name in Spec.model_fields if getattr(spec, name) != getattr(plain, name)}
    assert differing == set(CHANGES[change])
    assert all(getattr(spec, name) == value for name, value in CHANGES[change].items())
    assert "hidden_units = 64 (paper: 256)" in spec.changed("paper")
    assert SmallCopy.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize("change", [change for change, fields in CHANGES.items() if fields])
def test_a_change_is_not_contradicted_by_hand(change):
    """A value may be given as text, as on the command line; the changed one is then the change's own or refused."""
    assert SmallCopy(change=change, iterations="10") == SmallCopy(change=change, iterations=10)
    ((name, value),) = CHANGES[change].items()
    assert SmallCopy(change=change, **{name: str(value)}) == SmallCopy(change=change)
    plain = getattr(SmallCopy(), name)
    other = 2e-3 if plain is None else plain  # None: M's step size, which is then the core's
    for given in (other, str(other)):
        with pytest.raises(ValueError, match=f"change {change} sets {name} to {value}: omit this flag"):
            SmallCopy(change=change, **{name: given})


@pytest.mark.parametrize(
    ("dataset", "differs"), [("copy", []), ("ptb", []), ("repeat_copy", ["repeats_step = with_stop (paper: own)"])]
)
def test_a_record_from_before_the_step_of_the_repeats_differs_where_there_are_repeats(dataset, differs):
    recorded = Spec(dataset=dataset, method="dni").model_dump(mode="json")
    del recorded["repeats_step"]
    assert Spec.model_validate(Spec.completed(recorded)).changed("paper") == differs
