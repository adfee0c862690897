"""The signals that stop long work at a checkpoint: Ctrl-C, a request to end, and a terminal that is closed."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def handling(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Call `handler(number, frame)` at a stop signal.

    Signals that the caller has switched off stay off, as by `nohup`; except SIGINT, which shells switch off for
    everything in the background.
    """
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        for number, current in before.items():
            if current != signal.SIG_IGN or number == signal.SIGINT:
                signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
