"""From slabs to whole grids: where too few planes are left to share, every rank goes on with all of them."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function

from cosmology.slabs.crew import Crew
from cosmology.spatial.traffic import Traffic


def gathered_behind(module: nn.Module, crew: Crew, traffic: Traffic) -> None:
    """Let a module whose result is this rank's slab give the whole grid, on every rank of the crew."""

    def gather(_: nn.Module, __: tuple[Tensor], slab_BCXYZ: Tensor) -> Tensor:
        whole: Tensor = _Gather.apply(slab_BCXYZ, crew, traffic)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return whole

    module.register_forward_hook(gather)


class _Gather(Function):
    """All slabs, one after the other.

    What follows happens on every rank alike, so the gradient that comes back is the whole one on each. A rank
    hands its own slab of it on, times the number of ranks: gradients of weights before here are sums of the
    slabs' parts, and exchanges of gradients give means over ranks. What follows has as many equal parts.
    """

    @staticmethod
    def forward(ctx: Any, slab_BCXYZ: Tensor, crew: Crew, traffic: Traffic) -> Tensor:
        ctx.crew = crew
        own = slab_BCXYZ.permute(0, 2, 3, 4, 1).contiguous()
        slabs = [torch.empty_like(own) for _ in range(crew.num_ranks)]
        traffic.add(own)
        with traffic.waiting():
            dist.all_gather(slabs, own, group=crew.group)
        return torch.cat([slab.permute(0, 4, 1, 2, 3) for slab in slabs], dim=2)

    @staticmethod
    def backward(ctx: Any, gradient_BCXYZ: Float[Tensor, "batch c x y z"]) -> tuple[Tensor, None, None]:
        num_ranks, rank = ctx.crew.num_ranks, ctx.crew.rank
        planes = gradient_BCXYZ.shape[2] // num_ranks
        return gradient_BCXYZ.narrow(2, rank * planes, planes) * num_ranks, None, None
