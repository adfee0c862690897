"""A step of an experiment as a CUDA graph: recorded once, replayed with one call, at the addresses of the recording.

Rules for a step, so that a replay does the same (tests/parity/test_capture.py checks every experiment):
- it updates its state in place, and reads its inputs from buffers with fixed addresses;
- values that change from step to step, such as the learning rate and counts, are arrays on the device;
- the host reads no value from the device (`.item()`, a condition on a tensor) and copies nothing to it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

WARM_UP_STEPS = 3


def capture(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Call `step` a few times, record it, and return a function that replays it. The caller restores the state.

    In the first calls libraries choose algorithms and allocate memory outside the graph. They use a separate stream, as
    PyTorch's manual requires.
    """
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_STEPS):
            step()
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
