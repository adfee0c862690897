"""Stop signals that tests send to the programs that they start."""

from __future__ import annotations

import signal


def reach_children() -> None:
    """Let stop signals reach started programs, also where `nohup` or a shell's `&` has switched them off here."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited
