"""GroupNorm of grids that ranks share: moments are those of the whole grid."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

from cosmology.network import Norm
from cosmology.slabs.crew import Crew
from cosmology.spatial.traffic import Traffic

_OF_GROUP = (2, 3, 4, 5)
_OF_CHANNEL = (2, 3, 4)


class SharedNorm(Norm):
    """A normalisation with the weights of another, over the slabs of all ranks of a crew."""

    def __init__(self, norm: Norm, crew: Crew, traffic: Traffic) -> None:
        with torch.device("meta"):
            super().__init__(norm.num_groups, norm.num_channels, norm.eps)
        self.weight, self.bias = norm.weight, norm.bias
        self._crew = crew
        self._traffic = traffic

    def forward(self, x_BCXYZ: Float[Tensor, "batch c x y z"]) -> Float[Tensor, "batch c x y z"]:
        """Of each group of channels of a sample: mean 0 and variance 1, then scaled and shifted."""
        normed: Tensor = _SharedNorm.apply(x_BCXYZ, self.weight, self.bias, self)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return normed

    def moments(
        self, x_BCXYZ: Float[Tensor, "batch c x y z"]
    ) -> tuple[Float[Tensor, "batch groups"], Float[Tensor, "batch groups"]]:
        """Mean and variance of each group over all slabs, which are equally large (Chan et al. 1979)."""
        grouped: Tensor = x_BCXYZ.unflatten(1, (self.num_groups, -1))  # type: ignore[no-untyped-call]  # torch leaves it untyped
        variance, mean = torch.var_mean(grouped, _OF_GROUP, correction=0)
        own = torch.stack((mean, variance))
        slabs = [torch.empty_like(own) for _ in range(self._crew.num_ranks)]
        self._traffic.add(own)
        with self._traffic.waiting():
            dist.all_gather(slabs, own, group=self._crew.group)
        means, variances = torch.stack(slabs).unbind(dim=1)
        whole_mean = means.mean(dim=0)
        return whole_mean, (variances + (means - whole_mean).square()).mean(dim=0)

    def means_over_slabs(self, own: Tensor) -> Tensor:
        """The mean of what all ranks have."""
        self._traffic.add(own)
        with self._traffic.waiting():
            dist.all_reduce(own, group=self._crew.group)
        return own / self._crew.num_ranks

    def by_channel(self, of_groups: Float[Tensor, "batch groups"]) -> Float[Tensor, "batch c 1 1 1"]:
        """What belongs to a group, for each of its channels."""
        channels = of_groups.repeat_interleave(self.num_channels // self.num_groups, dim=1)
        return channels[:, :, None, None, None]


class _SharedNorm(Function):
    """Moments are found in at least float32, whatever the format of the values."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: SharedNorm) -> Tensor:
        fine = x.to(torch.promote_types(x.dtype, torch.float32))
        mean, variance = norm.moments(fine)
        rate = torch.rsqrt(variance + norm.eps)
        ctx.norm = norm
        ctx.save_for_backward(x, weight, mean, rate)
        scale = norm.by_channel(rate) * weight.to(fine.dtype).view(-1, 1, 1, 1)
        shift = bias.to(fine.dtype).view(-1, 1, 1, 1) - norm.by_channel(mean) * scale
        return torch.addcmul(shift, fine, scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, rate = ctx.saved_tensors
        norm: SharedNorm = ctx.norm
        dtype = rate.dtype
        unit = (x.to(dtype) - norm.by_channel(mean)) * norm.by_channel(rate)
        fine = gradient.to(dtype)
        of_weight_BC = (fine * unit).sum(dim=_OF_CHANNEL)
        of_bias_BC = fine.sum(dim=_OF_CHANNEL)
        # What the moments take back: the gradient's mean over each group, and its mean along the values.
        both = torch.stack((of_bias_BC, of_weight_BC)) * weight.to(dtype)
        means = norm.means_over_slabs(both.unflatten(2, (norm.num_groups, -1)).sum(dim=-1))
        along, across = (norm.by_channel(one / _num_values(x, norm)) for one in means.unbind())
        of_x = (fine * weight.to(dtype).view(-1, 1, 1, 1) - along - unit * across) * norm.by_channel(rate)
        return (
            of_x.to(x.dtype),
            of_weight_BC.sum(dim=0).to(weight.dtype),
            of_bias_BC.sum(dim=0).to(weight.dtype),
            None,
        )


def _num_values(x_BCXYZ: Tensor, norm: SharedNorm) -> int:
    """Values of one group in one rank's slab of a sample."""
    return x_BCXYZ[0].numel() // norm.num_groups
