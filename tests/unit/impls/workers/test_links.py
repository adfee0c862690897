"""Messages that are held back: how long, in which order, and what their sender sees."""

from __future__ import annotations

import time

import pytest
import torch.distributed as dist
from torch.distributed import distributed_c10d

from impls.workers.links import held_back

DELAY = 0.05


class Work:
    def is_completed(self) -> bool:
        return True

    def wait(self) -> bool:
        return True


def test_messages_leave_later_and_in_order(monkeypatch):
    left = []

    def isend(message, peer):
        left.append((message, peer, time.monotonic()))
        return Work()

    monkeypatch.setattr(dist, "isend", isend)
    monkeypatch.setattr(distributed_c10d, "isend", isend)
    start = time.monotonic()
    with held_back(DELAY):
        messages = [dist.isend(number, 1) for number in range(3)]
        assert time.monotonic() - start < DELAY, "the sender must not wait"
        assert not messages[0].is_completed()
        assert all(message.wait() for message in messages)
        assert distributed_c10d.isend is dist.isend is not isend, "PyTorch's own libraries must use it, too"
    assert [(message, peer) for message, peer, _ in left] == [(0, 1), (1, 1), (2, 1)]
    assert all(at - start >= DELAY for _, _, at in left)
    assert time.monotonic() - start < 3 * DELAY, "messages wait at the same time, not one after the other"
    assert dist.isend is distributed_c10d.isend is isend


def test_without_a_delay_nothing_is_replaced():
    isend = dist.isend
    with held_back(0):
        assert dist.isend is isend


def test_a_message_that_cannot_be_sent_is_the_senders_error(monkeypatch):
    def isend(message, peer):
        raise RuntimeError("the other process has gone")

    monkeypatch.setattr(dist, "isend", isend)
    with held_back(DELAY):
        message = dist.isend(0, 1)
        with pytest.raises(RuntimeError, match="has gone"):
            message.wait()
