"""A process group whose all-reduces end later than those of the group below it, as on a slower network."""

from typing import Any

import torch.distributed as dist
from torch import Tensor

from benchmarks.injected_loads import Load


class SlowGroup(dist.ProcessGroup):
    """Hands every call on; the last all-reduce of a step waits before it begins.

    By then all gradients of this rank are there, so that nothing is left which could hide the wait.
    """

    def __init__(self, group: dist.ProcessGroup, delay: Load, gradient_bytes: int) -> None:
        super().__init__(group.rank(), group.size())  # type: ignore[call-arg]  # torch leaves it out of its types
        self._group = group
        self._delay = delay
        self._gradient_bytes = gradient_bytes
        self._asked_bytes = 0

    def getBackendName(self) -> str:  # noqa: N802  # torch's name
        """A name of its own: torch looks for a backend behind those it knows."""
        return "slow"

    # torch overloads it by type; DDP calls one of the overloads.
    def allreduce(self, tensors: list[Tensor], opts: Any) -> Any:  # type: ignore[override]
        """Sum over ranks, later."""
        self._asked_bytes += sum(tensor.nbytes for tensor in tensors)
        if self._asked_bytes >= self._gradient_bytes:
            self._asked_bytes = 0
            self._delay()
        return self._group.allreduce(tensors, opts)

    def allgather(self, *arguments: Any) -> Any:
        """As below."""
        return self._group.allgather(*arguments)

    def broadcast(self, *arguments: Any) -> Any:
        """As below."""
        return self._group.broadcast(*arguments)
