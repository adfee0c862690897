"""Inputs and targets of the recurrent nets, in PyTorch; line by line the twin of `jax_tasks.py`.

A text, or an endless stream of sequences to copy, and the curriculum of each replica.

Shape legend: R replicas, T time steps of a chunk, B batch (sequences, or rows of the text), I inputs, O outputs,
L levels of the curriculum, W chunks of its window, M time steps of memory.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from impls.engine import torch_ops as ops
from impls.engine.torch_ops import Arrays
from impls.experiments.recurrent.spec import REPEATS_SCALE, SYMBOLS, Spec


def begin(spec: Spec, like: Tensor) -> Arrays:
    """The state of Copy or Repeat Copy before any chunk: no sequence has begun. `like` [R, ...] is a parameter."""
    replicas, batch = len(like), spec.batch_size

    def zeros(*shape: int, dtype: torch.dtype = like.dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=like.device)

    task = {
        "iteration": zeros(dtype=torch.int32),
        "level": zeros(replicas, dtype=torch.int32),
        "promoted_at": zeros(replicas, spec.levels, dtype=torch.int32),
        "window_bits": zeros(replicas, spec.solved_window),
        "window_units": zeros(replicas, spec.solved_window),
        "chunks": zeros(replicas, dtype=torch.int32),  # since the last promotion
        "sequence_level": zeros(replicas, batch, dtype=torch.int32) - 1,
        "position": zeros(replicas, batch, dtype=torch.int32) + spec.memory,  # past the end of any sequence
        "memory": zeros(replicas, spec.memory, batch, dtype=torch.uint8),
    }
    if spec.level_draw == "uniform":
        length_RB, repeats_RB = spec.level_size(task["sequence_level"])
        task |= {"length": length_RB, "repeats": repeats_RB}
    return task


def read_text(spec: Spec, data: Arrays, inputs: Arrays, dtype: torch.dtype) -> Arrays:
    """The rows' next T symbols, `x` [R, T, B, I] one-hot, and the symbol after each, `target` [R, T, B]."""
    time_T1 = torch.arange(spec.truncation_length, device=inputs["positions"].device)[:, None]
    positions_RTB = (inputs["positions"][:, None] + time_T1) % len(data["labels"])
    x_RTBI = ops.one_hot(data["inputs"][positions_RTB], SYMBOLS, dtype)
    return {"x": x_RTBI, "target": data["labels"][positions_RTB]}


def read_sequences(spec: Spec, task: Arrays, inputs: Arrays, dtype: torch.dtype) -> tuple[Arrays, Arrays]:
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
    time_T1 = torch.arange(spec.truncation_length, dtype=torch.int32, device=level_R.device)[:, None]
    # Each row's current sequence, as if it never ended; where it ends, one of the replica's level follows.
    position_RTB = task["position"][:, None] + time_T1
    level_RTB = task["sequence_level"][:, None].expand(position_RTB.shape)
    next_level_RTB = level_R[:, None, None].expand(position_RTB.shape)
    size_RTB: tuple[Any, ...] = spec.level_size(level_RTB)
    next_size_RTB: tuple[Any, ...] = spec.level_size(next_level_RTB)
    if spec.level_draw == "uniform":
        size_RTB = tuple(task[name][:, None].expand(position_RTB.shape) for name in ("length", "repeats"))
        drawn_RTB = inputs["sizes"][:, 0, None], inputs["sizes"][:, 1, None]
        next_size_RTB = tuple(1 + drawn % most for drawn, most in zip(drawn_RTB, next_size_RTB, strict=True))
    past_RTB = position_RTB - spec.time_steps(*size_RTB)
    follows_RTB = past_RTB >= 0
    next_total_RTB = spec.time_steps(*next_size_RTB)
    if spec.phase == "own":
        wait_RTB = (inputs["wait"][:, None] * next_total_RTB).to(torch.int32)
        past_RTB = past_RTB - wait_RTB * (next_level_RTB != level_RTB)
    next_position_RTB = torch.where(past_RTB < 0, past_RTB, past_RTB % next_total_RTB)
    position_RTB = torch.where(follows_RTB, next_position_RTB, position_RTB)
    level_RTB = torch.where(follows_RTB, next_level_RTB, level_RTB)
    length_RTB, repeats_RTB = (
        torch.where(follows_RTB, following, current) for following, current in zip(next_size_RTB, size_RTB, strict=True)
    )

    reads_RTB = (position_RTB >= 0) & (position_RTB < length_RTB)
    stops_RTB = position_RTB == length_RTB
    written_RTB = position_RTB - length_RTB - spec.pause  # characters written before, if not below 0
    ends_RTB = written_RTB == length_RTB * repeats_RTB
    writes_RTB = (written_RTB >= 0) & ~ends_RTB
    # A character to write was shown a number of time steps ago.
    ago_RTB = position_RTB - written_RTB % length_RTB
    memory = torch.cat([task["memory"], characters_RTB], 1)
    shown_at_RTB = spec.memory + time_T1 - ago_RTB * writes_RTB
    recalled_RTB = memory.gather(1, shown_at_RTB.long())

    channels = [bits(spec, characters_RTB, dtype) * reads_RTB[..., None], stops_RTB[..., None]]
    if spec.dataset == "repeat_copy":
        shows_repeats_RTB = position_RTB == length_RTB + spec.pause - 1
        channels.append((shows_repeats_RTB * repeats_RTB / REPEATS_SCALE)[..., None])
    target = [bits(spec, recalled_RTB, dtype) * writes_RTB[..., None], ends_RTB[..., None]]
    chunk = {
        "x": torch.cat([channel.to(dtype) for channel in channels], -1),
        "target": torch.cat([channel.to(dtype) for channel in target], -1),
        "counted": (writes_RTB | ends_RTB).to(dtype),
        "units": (ends_RTB if spec.solved_unit == "sequence" else writes_RTB | ends_RTB).to(dtype),
        "position": position_RTB,
        "length": length_RTB,
        "level": level_RTB,
    }
    if not spec.carry_state:
        chunk["keep"] = ((position_RTB >= 0) & ~ends_RTB).to(dtype)[..., None]
    after = {"position": position_RTB[:, -1] + 1, "sequence_level": level_RTB[:, -1]}
    if spec.level_draw == "uniform":
        after |= {"length": length_RTB[:, -1], "repeats": repeats_RTB[:, -1]}
    return chunk, task | after | {"memory": memory[:, -spec.memory :]}


def bits(spec: Spec, characters_RTB: Tensor, dtype: torch.dtype) -> Tensor:
    """The bits of each character, lowest first: [R, T, B, bits]."""
    place = torch.arange(spec.character_bits, dtype=torch.uint8, device=characters_RTB.device)
    return ((characters_RTB[..., None] >> place) & 1).to(dtype)


def score(task: Arrays, chunk: Arrays, nats_RTB: Tensor) -> tuple[Tensor, Tensor]:
    """(error in bits, number of characters or sequences), [R] each; only sequences of the replica's level count."""
    own_RTB = chunk["level"] == task["level"][:, None, None]
    bits_R = (nats_RTB * (chunk["counted"] * own_RTB)).sum((1, 2)) / math.log(2)
    return bits_R, (chunk["units"] * own_RTB).sum((1, 2))


def promote(spec: Spec, task: Arrays, chunk: Arrays, nats_RTB: Tensor) -> Arrays:
    """The task after a chunk: a replica whose average error is low enough is promoted by one level.

    The average is over the characters of sequences of its level in the last W chunks, or over those sequences. A
    promotion needs W chunks since the last one. There is no promotion from the last level.
    """
    level_R, iteration = task["level"], task["iteration"] + 1
    bits_R, units_R = score(task, chunk, nats_RTB)
    bits_RW = torch.cat([task["window_bits"][:, 1:], bits_R[:, None]], 1)
    units_RW = torch.cat([task["window_units"][:, 1:], units_R[:, None]], 1)
    chunks_R = task["chunks"] + 1
    solved_R = (bits_RW.sum(1) < spec.solved_bits * units_RW.sum(1)) & (chunks_R >= spec.solved_window)
    solved_R = solved_R & (level_R < spec.levels - 1)
    levels_L = torch.arange(spec.levels, dtype=torch.int32, device=level_R.device)
    promoted_RL = solved_R[:, None] & (levels_L == level_R[:, None])
    return task | {
        "iteration": iteration,
        "level": level_R + solved_R,
        "promoted_at": torch.where(promoted_RL, iteration, task["promoted_at"]),
        "window_bits": bits_RW * ~solved_R[:, None],
        "window_units": units_RW * ~solved_R[:, None],
        "chunks": chunks_R * ~solved_R,
    }
