"""`python -m impls.campaign.trainee train ...` is `python -m impls train ...` that stops where its campaign was killed.

A campaign stops its trainings by a signal. Killed itself, it can send none; so each training looks, once a second,
whether its parent is still there, and stops at a checkpoint where it is not.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from impls.__main__ import main

PARENT = "DNI_CAMPAIGN_PROCESS"  # its number, in the environment


def _stop_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_without, args=(int(os.environ[PARENT]),), daemon=True).start()
    sys.exit(main())
