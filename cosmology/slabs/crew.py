"""The ranks that simulate one universe together, and the messages among them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Complex64
from torch import Tensor

Kind = Callable[..., Any]  # Any: dist.isend or dist.irecv, which share no type


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """This rank among those of its universe; rank 0 leads.

    Tensors of messages are on ``device``: gloo carries those of the CPU, nccl those of GPUs.
    """

    group: dist.ProcessGroup
    device: torch.device

    @property
    def rank(self) -> int:
        """This rank's number in the crew."""
        return self.group.rank()

    @property
    def num_ranks(self) -> int:
        """Ranks of the crew."""
        return self.group.size()


@dataclass(frozen=True, slots=True)
class Message:
    """A contiguous tensor to or from another rank of the crew; between two ranks the order counts."""

    other: int
    tensor: Tensor


def exchange(crew: Crew, sent: Sequence[Message], received: Sequence[Message]) -> None:
    """Send and receive all at once; received tensors are filled. Every rank of the crew calls it."""
    for work in begun(crew, sent, received):
        work.wait()


def begun(crew: Crew, sent: Sequence[Message], received: Sequence[Message]) -> Sequence[dist.Work]:
    """Begin to send and receive all at once; wait for each of these, and keep what is sent until then."""
    messages = [*_operations(crew, dist.irecv, received), *_operations(crew, dist.isend, sent)]
    return dist.batch_isend_irecv(messages) if messages else ()


def transposed(crew: Crew, blocks: Complex64[Tensor, "rank ..."]) -> Complex64[Tensor, "rank ..."]:
    """Block r of the result is what rank r had as block of this rank; all blocks have one shape."""
    result = torch.empty_like(blocks)
    # gloo carries real numbers only
    dist.all_to_all_single(torch.view_as_real(result), torch.view_as_real(blocks), group=crew.group)
    return result


def gathered(crew: Crew, numbers: Sequence[int]) -> list[list[int]]:
    """What each rank gave, by rank; every rank gives as many numbers."""
    own = torch.tensor(numbers, dtype=torch.int64, device=crew.device)
    found = [torch.empty_like(own) for _ in range(crew.num_ranks)]
    dist.all_gather(found, own, group=crew.group)
    return [row.tolist() for row in found]


def _operations(crew: Crew, kind: Kind, messages: Sequence[Message]) -> list[dist.P2POp]:
    """Tags count the messages of each pair, for transports that do not keep their order."""
    before: Counter[int] = Counter()
    operations = []
    for message in messages:
        other = dist.get_global_rank(crew.group, message.other)
        operations.append(dist.P2POp(kind, message.tensor, other, crew.group, tag=before[message.other]))
        before[message.other] += 1
    return operations
