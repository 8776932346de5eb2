"""How an engine is laid out over its ranks: arithmetic only."""

from dataclasses import dataclass

from augment.problem import ProblemError
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span, TensorShare, layer_stages, tensor_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePlan:
    """Which rank holds what, and which techniques are used.

    Rank ``stage * tensor_parallel + share`` holds the layers of its stage and the part of its share.
    """

    stages: tuple[Span, ...]
    shares: tuple[TensorShare, ...]
    is_packed: bool = True
    """No work on padding anywhere."""
    is_blocking: bool = False
    """For comparison only: a stage waits until the next has taken over what it sends."""
    num_buffers: int = 4
    """Messages that may wait between two stages."""
    num_parked: int = 0
    """Layers of each stage that are not kept on its device."""
    prefetch_distance: int = 1
    """How many parked layers ahead of its use a layer is fetched."""

    @property
    def tensor_parallel(self) -> int:
        """Ranks that share every layer."""
        return len(self.shares)

    @property
    def pipeline_parallel(self) -> int:
        """Stages, one after the other."""
        return len(self.stages)

    @property
    def num_ranks(self) -> int:
        """All ranks of the engine."""
        return self.tensor_parallel * self.pipeline_parallel

    def stage_of(self, rank: int) -> int:
        """The stage that a rank works in."""
        return rank // self.tensor_parallel

    def share_of(self, rank: int) -> TensorShare:
        """What a rank holds of each layer of its stage."""
        return self.shares[rank % self.tensor_parallel]


def plan_engine(
    architecture: TransformerArchitecture,
    *,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    layer_costs: tuple[float, ...] = (),
    is_packed: bool = True,
    num_parked: int = 0,
) -> EnginePlan:
    """Even shares, and stages balanced by ``layer_costs`` (measured; equal where not given).

    Raises:
        ProblemError: when the model has too few heads or layers for it, or fewer layers than are parked.
    """
    costs = layer_costs or (1.0,) * architecture.num_layers
    if len(costs) != architecture.num_layers:
        raise ProblemError(f"{len(costs)} layer costs are given for {architecture.num_layers} layers.")
    stages = layer_stages(costs, pipeline_parallel)
    least = min(len(stage) for stage in stages)
    if not 0 <= num_parked <= least:
        raise ProblemError(
            f"{num_parked} layers shall be parked, but a stage has {least}; give 0 to {least}."
        )
    return EnginePlan(
        stages=stages,
        shares=tensor_shares(architecture, tensor_parallel),
        is_packed=is_packed,
        num_parked=num_parked,
    )
