"""Messages between processes of torch.distributed; on request each is held back, as on a link between machines.

The delay is emulated: a message is given to the network so long after it was sent. This costs no processor time, and
the sender goes on meanwhile. All methods send in this way, those of PyTorch's own libraries too.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import distributed_c10d


class HeldBack:
    """A message that will be sent, with the methods of `dist.Work` that senders use."""

    def __init__(self) -> None:
        self.work: Future[dist.Work] = Future()

    def is_completed(self) -> bool:
        return self.work.done() and self.work.result().is_completed()

    def wait(self, timeout: object = None) -> bool:
        return self.work.result().wait()


@contextlib.contextmanager
def held_back(seconds: float) -> Iterator[None]:
    """Within this context `isend` sends every message so many seconds later. The order stays."""
    if not seconds:
        yield
        return
    isend, waiting = dist.isend, queue.SimpleQueue[tuple[float, Callable[[], Any], HeldBack] | None]()

    def send_later(*arguments: Any, **named: Any) -> HeldBack:
        message = HeldBack()
        waiting.put((time.monotonic() + seconds, lambda: isend(*arguments, **named), message))
        return message

    def send_all() -> None:
        while (item := waiting.get()) is not None:
            due, send, message = item
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                message.work.set_result(send())
            except RuntimeError as error:  # the other process has gone: the sender hears of it where it waits
                message.work.set_exception(error)

    thread = threading.Thread(target=send_all, daemon=True)
    thread.start()
    dist.isend = distributed_c10d.isend = send_later  # type: ignore[assignment]
    try:
        yield
    finally:
        dist.isend = distributed_c10d.isend = isend
        waiting.put(None)
        thread.join()


def averaged_later(seconds: float, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    """A hook of DistributedDataParallel: gradients averaged over all processes, `seconds` after they are there."""
    averaged: torch.futures.Future[Tensor] = torch.futures.Future()
    due, gradients = time.monotonic() + seconds, bucket.buffer()
    work = dist.all_reduce(gradients, async_op=True)

    def finish() -> None:
        work.wait()
        time.sleep(max(0.0, due - time.monotonic()))
        averaged.set_result(gradients.div_(dist.get_world_size()))

    threading.Thread(target=finish, daemon=True).start()
    return averaged


class Sender:
    """Sends messages to one neighbour without waiting for it."""

    def __init__(self, peer: int) -> None:
        self.peer = peer
        self.under_way: deque[tuple[Any, Tensor]] = deque()  # a message must stay until it has been sent

    def send(self, message: Tensor) -> None:
        """Send a message, which must not change."""
        message = message.contiguous()
        self.under_way.append((dist.isend(message, self.peer), message))
        while self.under_way and self.under_way[0][0].is_completed():
            self.under_way.popleft()

    def finish(self) -> None:
        """Wait until all messages are sent."""
        while self.under_way:
            self.under_way.popleft()[0].wait()


class Receiver:
    """Receives messages of one shape from one neighbour.

    Args:
        messages: how many will be sent in all.
        ahead: how many are received before they are needed; without it the sender would have to wait.
    """

    def __init__(self, peer: int, shape: tuple[int, ...], dtype: torch.dtype, messages: int, ahead: int) -> None:
        self.peer, self.shape, self.dtype, self.left = peer, shape, dtype, messages
        self.expected: deque[tuple[Any, Tensor]] = deque()
        for _ in range(ahead):
            self._expect()

    def receive(self) -> Tensor:
        """The next message; waits for it."""
        work, message = self.expected.popleft()
        work.wait()
        self._expect()
        return message

    def finish(self) -> None:
        """Receive what nobody needs, so that the next training does not get it."""
        while self.expected:
            self.receive()

    def _expect(self) -> None:
        if self.left:
            self.left -= 1
            message = torch.empty(self.shape, dtype=self.dtype)
            self.expected.append((dist.irecv(message, self.peer), message))
