"""A larger member of the family that computes what a smaller one has learnt, ready to learn more.

Width grows by copies: each new channel repeats an old one, and whoever reads both reads shares of them that
sum to 1 (Net2WiderNet; Chen, Goodfellow and Shlens, arXiv:1511.05641). Shares are unequal, so that copies
part as they learn. Depth grows by residual branches of zeros, which have gradients, as their activation is
not flat at 0. The old branches are stretched by what the scale of all branches loses.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cosmology import network as family
from cosmology.architecture import FINAL_SIDE, Architecture, ArchitectureError
from cosmology.network import Network

_SMALLEST_SHARE = 0.3
"""Of shares before they are made to sum to 1; the largest is 1."""


def grown(network: Network, small: Architecture, large: Architecture, *, seed: int) -> Network:
    """A member of ``large`` that gives what ``network``, a member of ``small``, gives, to rounding.

    ``seed`` decides which channels are copied, and in which shares they are read.

    Raises:
        ArchitectureError: when one is not at least as wide and as deep as the other, for the same grids.
    """
    if reason := why_not(small, large):
        raise ArchitectureError(f"the network cannot grow: {reason}.")
    generator = torch.Generator().manual_seed(seed)
    result = family.build(large, seed=seed, recipe=large.recipe)
    stretch = small.branch_scale / large.branch_scale
    readers = _Channels.first(small.channels)
    with torch.no_grad():
        for old, new in zip(_stages(network), _stages(result), strict=True):
            channels = _Channels.drawn(old[0].out_channels, new[0].out_channels, generator)
            _widen(old[0], new[0], readers, channels, 1.0)
            for place, branch in enumerate(new[1:], start=1):
                if place < len(old):
                    _widen(old[place], branch, channels, channels, stretch)
                else:
                    nn.init.zeros_(branch.weight)
                    nn.init.zeros_(_bias(branch))
            readers = channels.shared_again(generator)
        _copy_dense(network, result, readers.repeated(FINAL_SIDE**3))
    return result


def why_not(small: Architecture, large: Architecture) -> str:
    """Why a member of one cannot become one of the other; empty where it can."""
    if small.is_normalised or large.is_normalised:
        return "normalisations over groups of channels see copies beside each other"
    if (small.resolution, small.channels) != (large.resolution, large.channels):
        return "they read different grids"
    if small.recipe is not large.recipe:
        return f"one reads its input by the {small.recipe} recipe, the other by the {large.recipe} one"
    if any(new < old for old, new in zip(small.stage_channels, large.stage_channels, strict=True)):
        return f"{large.stage_channels} channels are fewer than {small.stage_channels}"
    if large.residuals_per_stage < small.residuals_per_stage:
        return f"{large.residuals_per_stage} branches a stage are fewer than {small.residuals_per_stage}"
    return ""


class _Channels:
    """From which old channel each new one is copied, and which share of it those that read it take."""

    def __init__(self, origin: Int64[Tensor, " new"], share: Float[Tensor, " new"]) -> None:
        self.origin = origin
        self.share = share

    @staticmethod
    def first(count: int) -> "_Channels":
        """Channels that stay as they are."""
        return _Channels(torch.arange(count), torch.ones(count))

    @staticmethod
    def drawn(old: int, new: int, generator: torch.Generator) -> "_Channels":
        """All old channels, then copies of some."""
        copies = torch.randint(old, (new - old,), generator=generator)
        origin = torch.cat([torch.arange(old), copies])
        return _Channels(origin, _shares(origin, old, generator))

    def shared_again(self, generator: torch.Generator) -> "_Channels":
        """The same copies for another reader, who takes other shares of them."""
        return _Channels(self.origin, _shares(self.origin, int(self.origin.max()) + 1, generator))

    def repeated(self, times: int) -> "_Channels":
        """For features that are ``times`` such sets of channels, one after the other."""
        step = int(self.origin.max()) + 1
        places = torch.arange(times).repeat_interleave(len(self.origin)) * step
        return _Channels(self.origin.repeat(times) + places, self.share.repeat(times))


def _shares(origin: Int64[Tensor, " new"], old: int, generator: torch.Generator) -> Float[Tensor, " new"]:
    raw = _SMALLEST_SHARE + (1 - _SMALLEST_SHARE) * torch.rand(len(origin), generator=generator)
    return raw / torch.zeros(old).index_add_(0, origin, raw)[origin]


def _widen(old: nn.Conv3d, new: nn.Conv3d, readers: _Channels, channels: _Channels, stretch: float) -> None:
    """Let a convolution read and give copies; ``stretch`` multiplies what it gives."""
    weight = old.weight.cpu()[channels.origin][:, readers.origin]
    new.weight.copy_(stretch * weight * readers.share.view(1, -1, 1, 1, 1))
    _bias(new).copy_(stretch * _bias(old).cpu()[channels.origin])


def _copy_dense(old: Network, new: Network, readers: _Channels) -> None:
    """The first dense layer reads copies; the others are as they were."""
    (first, *others), (new_first, *new_others) = _dense(old), _dense(new)
    new_first.weight.copy_(first.weight.cpu()[:, readers.origin] * readers.share)
    new_first.bias.copy_(first.bias)
    for layer, new_layer in zip(others, new_others, strict=True):
        new_layer.weight.copy_(layer.weight)
        new_layer.bias.copy_(layer.bias)


def _stages(network: Network) -> Iterator[list[nn.Conv3d]]:
    for stage in network.stages:
        yield [layer for layer in stage.modules() if isinstance(layer, nn.Conv3d)]


def _dense(network: Network) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


def _bias(layer: nn.Conv3d) -> Tensor:
    if layer.bias is None:
        raise ArchitectureError("a convolution has no bias; only members of the family can grow.")
    return layer.bias
