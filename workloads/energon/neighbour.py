"""The rank at the other end of a link."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.distributed import ProcessGroup

from workloads.transport.link_error import LinkError


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A rank and the ways to it."""

    rank: int
    connection: socket.socket
    """Of headers and credits, and of bodies where these do not go from GPU to GPU."""
    bodies: ProcessGroup | None
    """An nccl group, where bodies go from GPU to GPU."""
    device: torch.device
    """Where bodies are sent from and received to: the host unless ``bodies`` is there."""

    @contextmanager
    def reached(self) -> Iterator[None]:
        """What fails inside fails because the neighbour is gone.

        Raises:
            LinkError: in place of what was raised.
        """
        try:
            yield
        except (OSError, RuntimeError) as error:
            raise LinkError(f"the connection to rank {self.rank} is lost: {error}") from error
