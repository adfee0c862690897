"""All randomness of the suite: NumPy's Philox, keyed by seed and purpose, so both frameworks get the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import numpy as np


def generator(seed: int, purpose: str, stream: int = 0) -> np.random.Generator:
    """The generator of (seed, purpose, stream).

    Args:
        seed: the replica's seed.
        purpose: what the numbers are for, e.g. "init" or "order". Two purposes never share numbers.
        stream: an index within the purpose, e.g. the epoch. Each stream can be drawn without the earlier ones, so a
            resumed run continues directly.
    """
    purpose_key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
    key = np.array([seed, purpose_key], dtype=np.uint64)
    counter = np.array([0, 0, 0, stream], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def epoch_order(seed: int, examples: int, epoch: int) -> np.ndarray:
    """The order in which epoch `epoch` visits the training set: int32 [examples], read-only.

    >>> sorted(epoch_order(seed=0, examples=5, epoch=1).tolist())
    [0, 1, 2, 3, 4]
    """

    def draw() -> np.ndarray:
        return generator(seed, "order", epoch).permutation(examples).astype(np.int32)

    return _newest(("order", seed, examples), epoch, draw)


def batch_indices(seed: int, examples: int, batch_size: int, first: int, last: int) -> np.ndarray:
    """Training examples of iterations first..last-1: int32 [last - first, batch_size].

    Epochs follow each other without a gap: a batch may contain the end of one epoch and the start of the next, so no
    example is left out.

    Three batches of two from a training set of three are two epochs:

    >>> sorted(batch_indices(seed=0, examples=3, batch_size=2, first=0, last=3).ravel().tolist())
    [0, 0, 1, 1, 2, 2]
    """
    start, stop = first * batch_size, last * batch_size
    epochs = range(start // examples, -(-stop // examples))
    order = np.concatenate([epoch_order(seed, examples, epoch) for epoch in epochs])
    offset = start - epochs[0] * examples
    return order[offset : offset + stop - start].reshape(last - first, batch_size)


BLOCK = 1000  # iterations that one stream of `_per_iteration` covers


def uniform_per_iteration(seed: int, purpose: str, width: int, first: int, last: int) -> np.ndarray:
    """Numbers in [0, 1) for iterations first..last-1: float64 [last - first, width], independent of the range."""
    return _per_iteration((seed, purpose, width), first, last, lambda rng: rng.random((BLOCK, width)))


def bytes_per_iteration(seed: int, purpose: str, shape: tuple[int, ...], first: int, last: int) -> np.ndarray:
    """Random bytes for iterations first..last-1: uint8 [last - first, *shape], independent of the range."""
    return _per_iteration(
        (seed, purpose, shape), first, last, lambda rng: rng.integers(256, size=(BLOCK, *shape), dtype=np.uint8)
    )


def integers_per_iteration(
    seed: int, purpose: str, below: int, shape: tuple[int, ...], first: int, last: int
) -> np.ndarray:
    """Integers from 0 to below - 1 for iterations first..last-1: int32 [last - first, *shape]."""
    return _per_iteration(
        (seed, purpose, shape, below),
        first,
        last,
        lambda rng: rng.integers(below, size=(BLOCK, *shape), dtype=np.int32),
    )


def _per_iteration(key: tuple, first: int, last: int, draw: Callable[[np.random.Generator], np.ndarray]) -> np.ndarray:
    """The numbers of iterations first..last-1. `draw` draws a block; `key` (seed, purpose, ...) names it."""
    seed, purpose, *_ = key
    blocks = range(first // BLOCK, -(-last // BLOCK))
    drawn = [_newest(key, block, partial(_draw_block, draw, seed, purpose, block)) for block in blocks]
    together = drawn[0] if len(drawn) == 1 else np.concatenate(drawn)
    return together[first - blocks[0] * BLOCK :][: last - first]


def _draw_block(draw: Callable[[np.random.Generator], np.ndarray], seed: int, purpose: str, block: int) -> np.ndarray:
    return draw(generator(seed, purpose, block))


_kept: dict[tuple, tuple[int, np.ndarray]] = {}


def _newest(key: tuple, stream: int, draw: Callable[[], np.ndarray]) -> np.ndarray:
    """The result of `draw`, cached until another stream of `key` is requested.

    A launch is a fraction of an epoch or of a block. Without the cache, drawing would take longer than a GPU's steps.
    """
    kept = _kept.get(key)
    if kept is None or kept[0] != stream:
        drawn = draw()
        drawn.flags.writeable = False  # because it is returned more than once
        kept = _kept[key] = stream, drawn
    return kept[1]  # not the dict's entry, which another thread may have replaced
