"""A step of an experiment as a CUDA graph: recorded once, replayed with one call, at the addresses of the recording.

What a step must keep to, so that a replay is the step (tests/parity/test_capture.py holds every experiment to it):
- its state is updated in place, and its inputs are read from buffers that stay where they are;
- nothing that changes from step to step is a number on the host: learning rate and counts are arrays on the device;
- the host asks for no value of the device (`.item()`, a condition on a tensor) and copies nothing to it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

WARM_UP_STEPS = 3


def capture(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Call `step` a few times, record it, and return what replays it; the caller puts back what the calls changed.

    The first calls let libraries choose algorithms and allocate outside the graph, on a stream of their own, as
    PyTorch's manual asks for.
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
