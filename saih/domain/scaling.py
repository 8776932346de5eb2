"""Scaling over ranks: what stays the same while the number of ranks grows."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from saih.domain.errors import UsageError
from saih.domain.point import Placement

Scaling = Literal["strong", "weak", "throughput"]
"""``strong``: the global batch stays, each rank does less. ``weak``: the batch of each rank stays.
``throughput``: independent replicas, one on each rank, that exchange nothing."""

Grows = Literal["data", "tensor", "pipeline", "spatial"]
"""What more ranks make: replicas of the model, parts of each of its layers, stages of layers, or parts of
each sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankLadder:
    """The rungs of the ranks axis, in growing order."""

    scaling: Scaling
    ranks: tuple[int, ...]
    grows: Grows = "data"
    """Ranks that divide one model or its samples share its batch: their scaling is strong."""

    def __post_init__(self) -> None:
        if not self.ranks or list(self.ranks) != sorted(set(self.ranks)) or self.ranks[0] < 1:
            raise UsageError(
                f"the ranks axis is {list(self.ranks)}", "give growing whole numbers such as [1, 2, 4]."
            )
        if self.grows != "data" and self.scaling != "strong":
            raise UsageError(
                f"the ranks axis grows {self.grows} and its scaling is {self.scaling}",
                "ranks that divide one model share its batch, as those of one sample do: use strong.",
            )

    def batch_per_rank(self, batch_per_rank: int, ranks: int) -> int:
        """Samples of one step on one of ``ranks`` ranks, when the first rung has ``batch_per_rank``.

        Raises:
            UsageError: in strong scaling, when the global batch cannot be shared out evenly.
        """
        if self.scaling != "strong" or self.grows != "data":
            return batch_per_rank
        global_batch = batch_per_rank * self.ranks[0]
        if global_batch % ranks:
            raise UsageError(
                f"strong scaling shares a global batch of {global_batch} samples ({batch_per_rank} on each "
                f"of {self.ranks[0]}), which {ranks} ranks cannot do evenly",
                "choose a batch_per_rank that every rung divides.",
            )
        return global_batch // ranks


def placed_on(base: Placement, ranks: int, grows: Grows = "data") -> Placement:
    """``base`` with ``ranks`` ranks: nodes are filled with its ``ranks_per_node`` before another is taken.

    Raises:
        UsageError: when the ranks do not fill whole nodes, or whole replicas of the model.
    """
    if ranks > base.ranks_per_node and ranks % base.ranks_per_node:
        raise UsageError(
            f"{ranks} ranks do not fill nodes of {base.ranks_per_node} ranks each",
            f"use multiples of ranks_per_node ({base.ranks_per_node}), or numbers below it.",
        )
    unit = rank_unit(base, grows)
    if ranks % unit:
        raise UsageError(
            f"{ranks} ranks are no whole replicas of a model that {divided_words(base)} ranks divide",
            f"use multiples of {unit}.",
        )
    per_node = min(ranks, base.ranks_per_node)
    degrees: dict[Grows, int] = {"data": base.data_parallel, **_dividing(base)}
    if grows != "data":
        degrees["data"] = 1
    degrees[grows] = ranks // unit
    return replace(
        base,
        nodes=ranks // per_node,
        ranks_per_node=per_node,
        data_parallel=degrees["data"],
        tensor_parallel=degrees["tensor"],
        pipeline_parallel=degrees["pipeline"],
        spatial_parallel=degrees["spatial"],
    )


def sharing(base: Placement, ranks: int) -> Placement:
    """The same ranks, of which so many share every sample.

    Raises:
        UsageError: when they make no whole replicas.
    """
    unit = ranks * base.tensor_parallel * base.pipeline_parallel
    if base.num_ranks % unit:
        raise UsageError(
            f"{base.num_ranks} ranks are no whole replicas of {unit} ranks, {ranks} of which share a sample",
            "use a spatial_parallel that divides the ranks of the placement.",
        )
    return replace(base, data_parallel=base.num_ranks // unit, spatial_parallel=ranks)


def rank_unit(base: Placement, grows: Grows) -> int:
    """Numbers of ranks are multiples of this: what is divided besides the degree that grows."""
    return math.prod(degree for name, degree in _dividing(base).items() if name != grows)


def divided_words(base: Placement) -> str:
    """The degrees by which ranks divide, such as ``tensor_parallel x pipeline_parallel = 2 x 1``.

    The last one is told where ranks share samples only.
    """
    known = [(name, degree) for name, degree in _dividing(base).items() if name != "spatial" or degree > 1]
    names = " x ".join(f"{name}_parallel" for name, _ in known)
    return f"{names} = {' x '.join(str(degree) for _, degree in known)}"


def _dividing(base: Placement) -> dict[Grows, int]:
    return {
        "tensor": base.tensor_parallel,
        "pipeline": base.pipeline_parallel,
        "spatial": base.spatial_parallel,
    }
