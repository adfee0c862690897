"""A CUDA graph on the CPU: what a step calls is recorded and replayed at the same addresses, as a GPU would do it.

A replay runs no Python: it repeats the recorded operations with the recorded numbers, reads and writes the recorded
tensors. Recording refuses what a GPU refuses. So a step that a GPU would capture wrongly gives wrong results here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

aten = torch.ops.aten
# Operations that need the device's values on the host, or send the host's values to the device.
REFUSED = {
    aten._local_scalar_dense.default,
    aten.equal.default,
    aten.is_nonzero.default,
    aten.lift_fresh.default,
    aten.masked_select.default,
    aten.nonzero.default,
}


class Refused(RuntimeError):
    """A GPU would refuse to capture this."""


class Recorder(TorchDispatchMode):
    """Records every operation while it runs; `replay` runs them again."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable, tuple, dict, list[torch.Tensor]]] = []

    @classmethod
    def is_infra_mode(cls) -> bool:
        """True, so that a compiled function runs as such while it is recorded."""
        return True

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if operation in REFUSED:
            raise Refused(f"{operation} cannot be captured")
        outputs = operation(*args, **kwargs)
        made = [value for value in tree_flatten(outputs)[0] if _is(value)]
        self.calls.append((operation, args, kwargs, made))
        return outputs

    def replay(self) -> None:
        """Run every call again and write its results to where the recording wrote them."""
        with torch.no_grad():
            for operation, args, kwargs, made in self.calls:
                given = {value.untyped_storage().data_ptr() for value in tree_flatten((args, kwargs))[0] if _is(value)}
                if all(value.untyped_storage().data_ptr() in given for value in made) and not _writes(operation):
                    continue  # a view: it already shows the new content of its base
                again = [value for value in tree_flatten(operation(*args, **kwargs))[0] if _is(value)]
                for value, new in zip(made, again, strict=True):
                    if new.data_ptr() != value.data_ptr():
                        value.copy_(new)


def _is(value: object) -> bool:
    return isinstance(value, torch.Tensor)


def _writes(operation) -> bool:
    return operation._schema.is_mutable


def capture(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Replaces `torch_capture.capture`: the warm-up calls, the recording, which trains too, then the replay.

    A GPU records without running, so the caller must restore the state afterwards in either case.
    """
    del device
    for _ in range(3):
        step()
    recorder = Recorder()
    with recorder:
        step()
    return recorder.replay
