"""Inputs and targets of the recurrent nets, in JAX; line by line the twin of `torch_tasks.py`.

A text, or an endless stream of sequences to copy, and the curriculum of each replica.

Shape legend: R replicas, T time steps of a chunk, B batch (sequences, or rows of the text), I inputs, O outputs,
L levels of the curriculum, W chunks of its window, M time steps of memory.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array

from impls.engine import jax_ops as ops
from impls.engine.jax_ops import Arrays
from impls.experiments.recurrent.spec import REPEATS_SCALE, SYMBOLS, Spec


def begin(spec: Spec, like: Array) -> Arrays:
    """The state of Copy or Repeat Copy before any chunk: no sequence has begun. `like` [R, ...] is a parameter."""
    replicas, batch = len(like), spec.batch_size

    def zeros(*shape: int, dtype: jnp.dtype = like.dtype) -> Array:
        return jnp.zeros(shape, dtype)

    task = {
        "iteration": zeros(dtype=jnp.int32),
        "level": zeros(replicas, dtype=jnp.int32),
        "promoted_at": zeros(replicas, spec.levels, dtype=jnp.int32),
        "window_bits": zeros(replicas, spec.solved_window),
        "window_units": zeros(replicas, spec.solved_window),
        "chunks": zeros(replicas, dtype=jnp.int32),  # since the last promotion
        "sequence_level": zeros(replicas, batch, dtype=jnp.int32) - 1,
        "position": zeros(replicas, batch, dtype=jnp.int32) + spec.memory,  # past the end of any sequence
        "memory": zeros(replicas, spec.memory, batch, dtype=jnp.uint8),
    }
    if spec.level_draw == "uniform":
        length_RB, repeats_RB = spec.level_size(task["sequence_level"])
        task |= {"length": length_RB, "repeats": repeats_RB}
    return task


def read_text(spec: Spec, data: Arrays, inputs: Arrays, dtype: jnp.dtype) -> Arrays:
    """The rows' next T symbols, `x` [R, T, B, I] one-hot, and the symbol after each, `target` [R, T, B]."""
    time_T1 = jnp.arange(spec.truncation_length)[:, None]
    positions_RTB = (inputs["positions"][:, None] + time_T1) % len(data["labels"])
    x_RTBI = ops.one_hot(data["inputs"][positions_RTB], SYMBOLS, dtype)
    return {"x": x_RTBI, "target": data["labels"][positions_RTB]}


def read_sequences(spec: Spec, task: Arrays, inputs: Arrays, dtype: jnp.dtype) -> tuple[Arrays, Arrays]:
    """The next T time steps of every sequence, and the state of the task after them.

    After a sequence ends, a sequence of the replica's level follows. The first one of a new level waits for up to its
    own length. So the sequences of the batch start at different times, also after they have all grown longer. If sizes
    are drawn, the sequences that begin in the same chunk of a row have the same size.

    Example: Copy at length 2, whose sequences have 2 + 1 + 2 + 1 = 6 time steps, in chunks of T = 4, without a wait.

        chunk      1              2              3
        position   0  1  2  3     4  5  0  1     2  3  4  5
        x          a  b  stop     -  -  c  d     stop        the characters that are shown, then the stop symbol
        target     -  -  -  a     b  stop        -  c  d  stop
        counted    0  0  0  1     1  1  0  0     0  1  1  1
        keep       1  1  1  1     1  0  1  1     1  1  1  0  the state is zero at the start of the next sequence

    In Repeat Copy the number of repeats R is shown with the stop symbol or, with `repeats_step` own, one step later.

    Returns:
        `x` [R, T, B, I]; `target` [R, T, B, O]; `counted` [R, T, B], whether the output counts; `units` [R, T, B], the
        characters, or the ends of sequences, over which the error is averaged; `keep` [R, T, B, 1], whether the state
        is kept after the time step; `position` in the sequence, below 0 while it waits, `length` and `level`, all
        [R, T, B].
    """
    characters_RTB, level_R = inputs["characters"], task["level"]
    time_T1 = jnp.arange(spec.truncation_length, dtype=jnp.int32)[:, None]
    # Each row's current sequence, as if it never ended; where it ends, one of the replica's level follows.
    position_RTB = task["position"][:, None] + time_T1
    level_RTB = jnp.broadcast_to(task["sequence_level"][:, None], position_RTB.shape)
    next_level_RTB = jnp.broadcast_to(level_R[:, None, None], position_RTB.shape)
    size_RTB: tuple[Any, ...] = spec.level_size(level_RTB)
    next_size_RTB: tuple[Any, ...] = spec.level_size(next_level_RTB)
    if spec.level_draw == "uniform":
        size_RTB = tuple(jnp.broadcast_to(task[name][:, None], position_RTB.shape) for name in ("length", "repeats"))
        drawn_RTB = inputs["sizes"][:, 0, None], inputs["sizes"][:, 1, None]
        next_size_RTB = tuple(1 + drawn % most for drawn, most in zip(drawn_RTB, next_size_RTB, strict=True))
    past_RTB = position_RTB - spec.time_steps(*size_RTB)
    follows_RTB = past_RTB >= 0
    next_total_RTB = spec.time_steps(*next_size_RTB)
    if spec.phase == "own":
        wait_RTB = (inputs["wait"][:, None] * next_total_RTB).astype(jnp.int32)
        past_RTB = past_RTB - wait_RTB * (next_level_RTB != level_RTB)
    next_position_RTB = jnp.where(past_RTB < 0, past_RTB, past_RTB % next_total_RTB)
    position_RTB = jnp.where(follows_RTB, next_position_RTB, position_RTB)
    level_RTB = jnp.where(follows_RTB, next_level_RTB, level_RTB)
    length_RTB, repeats_RTB = (
        jnp.where(follows_RTB, following, current) for following, current in zip(next_size_RTB, size_RTB, strict=True)
    )

    reads_RTB = (position_RTB >= 0) & (position_RTB < length_RTB)
    stops_RTB = position_RTB == length_RTB
    written_RTB = position_RTB - length_RTB - spec.pause  # characters written before, if not below 0
    ends_RTB = written_RTB == length_RTB * repeats_RTB
    writes_RTB = (written_RTB >= 0) & ~ends_RTB
    # A character to write was shown a number of time steps ago.
    ago_RTB = position_RTB - written_RTB % length_RTB
    memory = jnp.concatenate([task["memory"], characters_RTB], 1)
    shown_at_RTB = spec.memory + time_T1 - ago_RTB * writes_RTB
    recalled_RTB = jnp.take_along_axis(memory, shown_at_RTB, 1)

    channels = [bits(spec, characters_RTB, dtype) * reads_RTB[..., None], stops_RTB[..., None]]
    if spec.dataset == "repeat_copy":
        shows_repeats_RTB = position_RTB == length_RTB + spec.pause - 1
        channels.append((shows_repeats_RTB * repeats_RTB / REPEATS_SCALE)[..., None])
    target = [bits(spec, recalled_RTB, dtype) * writes_RTB[..., None], ends_RTB[..., None]]
    chunk = {
        "x": jnp.concatenate([channel.astype(dtype) for channel in channels], -1),
        "target": jnp.concatenate([channel.astype(dtype) for channel in target], -1),
        "counted": (writes_RTB | ends_RTB).astype(dtype),
        "units": (ends_RTB if spec.solved_unit == "sequence" else writes_RTB | ends_RTB).astype(dtype),
        "position": position_RTB,
        "length": length_RTB,
        "level": level_RTB,
    }
    if not spec.carry_state:
        chunk["keep"] = ((position_RTB >= 0) & ~ends_RTB).astype(dtype)[..., None]
    after = {"position": position_RTB[:, -1] + 1, "sequence_level": level_RTB[:, -1]}
    if spec.level_draw == "uniform":
        after |= {"length": length_RTB[:, -1], "repeats": repeats_RTB[:, -1]}
    return chunk, task | after | {"memory": memory[:, -spec.memory :]}


def bits(spec: Spec, characters_RTB: Array, dtype: jnp.dtype) -> Array:
    """The bits of each character, lowest first: [R, T, B, bits]."""
    place = jnp.arange(spec.character_bits, dtype=jnp.uint8)
    return ((characters_RTB[..., None] >> place) & 1).astype(dtype)


def score(task: Arrays, chunk: Arrays, nats_RTB: Array) -> tuple[Array, Array]:
    """(error in bits, number of characters or sequences), [R] each; only sequences of the replica's level count."""
    own_RTB = chunk["level"] == task["level"][:, None, None]
    bits_R = (nats_RTB * (chunk["counted"] * own_RTB)).sum((1, 2)) / math.log(2)
    return bits_R, (chunk["units"] * own_RTB).sum((1, 2))


def promote(spec: Spec, task: Arrays, chunk: Arrays, nats_RTB: Array) -> Arrays:
    """The task after a chunk: a replica whose average error is low enough is promoted by one level.

    The average is over the characters of sequences of its level in the last W chunks, or over those sequences. A
    promotion needs W chunks since the last one. There is no promotion from the last level.
    """
    level_R, iteration = task["level"], task["iteration"] + 1
    bits_R, units_R = score(task, chunk, nats_RTB)
    bits_RW = jnp.concatenate([task["window_bits"][:, 1:], bits_R[:, None]], 1)
    units_RW = jnp.concatenate([task["window_units"][:, 1:], units_R[:, None]], 1)
    chunks_R = task["chunks"] + 1
    solved_R = (bits_RW.sum(1) < spec.solved_bits * units_RW.sum(1)) & (chunks_R >= spec.solved_window)
    solved_R = solved_R & (level_R < spec.levels - 1)
    levels_L = jnp.arange(spec.levels, dtype=jnp.int32)
    promoted_RL = solved_R[:, None] & (levels_L == level_R[:, None])
    return task | {
        "iteration": iteration,
        "level": level_R + solved_R,
        "promoted_at": jnp.where(promoted_RL, iteration, task["promoted_at"]),
        "window_bits": bits_RW * ~solved_R[:, None],
        "window_units": units_RW * ~solved_R[:, None],
        "chunks": chunks_R * ~solved_R,
    }
