"""Stops a training at a checkpoint when the campaign that started it has ended.

A campaign stops its trainings by a signal. If it is killed, it cannot send one. So each of its trainings checks once a
second whether its parent still exists.
"""

from __future__ import annotations

import os
import signal
import threading
import time

PARENT = "DNI_CAMPAIGN_PROCESS"  # the campaign's process number, in the environment of its trainings


def watch_parent() -> None:
    """Watch the parent named in the environment, if any: within a second of its end this process gets SIGTERM."""
    if PARENT in os.environ:
        threading.Thread(target=_stop_without, args=(int(os.environ[PARENT]),), daemon=True).start()


def _stop_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
