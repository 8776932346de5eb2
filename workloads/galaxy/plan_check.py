"""Whether devices can follow a plan; arithmetic only."""

from collections.abc import Sequence

from augment.problem import ProblemError
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span


def check_plan(architecture: TransformerArchitecture, plan: ParallelPlan, device: int) -> None:
    """Do nothing for a plan by which this device can do its part.

    Raises:
        ProblemError: otherwise, with what does not fit.
    """
    if device not in plan.devices or len(set(plan.devices)) != len(plan.devices):
        raise ProblemError(
            f"device {device} cannot take part in a plan of {list(plan.devices)}; it has each device once."
        )
    if plan.num_tiles < 1:
        raise ProblemError(f"rows are cut into at least 1 tile, not {plan.num_tiles}.")
    if plan.strategy is Strategy.LOCAL and len(plan.parts) != 1:
        raise ProblemError(f"one device does all of a local plan, not {len(plan.parts)}.")
    shares = [part.share for part in plan.parts]
    is_shared = plan.strategy in (Strategy.HYBRID, Strategy.TENSOR)
    _check(
        [share.kv_heads for share in shares], architecture.num_kv_heads, "heads of keys", is_shared=is_shared
    )
    _check([share.ffn_columns for share in shares], architecture.ffn_size, "columns", is_shared=is_shared)
    _check([share.vocabulary for share in shares], architecture.vocab_size, "words", is_shared=is_shared)
    if sum(share.adds_bias for share in shares) != (1 if is_shared else len(shares)):
        raise ProblemError(
            f"biases are added once; in a {plan.strategy} plan the ranks of shares are "
            f"{[share.rank for share in shares]}."
        )
    layers = [part.layers for part in plan.parts]
    _check(layers, architecture.num_layers, "layers", is_shared=plan.strategy is Strategy.PIPELINE)


def _check(spans: Sequence[Span], total: int, name: str, *, is_shared: bool) -> None:
    """Do nothing where all spans follow each other up to ``total``, or each is all of it."""
    ends = [0, *(span.end for span in spans)] if is_shared else [0] * len(spans)
    begins = [span.begin for span in spans]
    is_right = begins == ends[: len(begins)] and spans[-1].end == total
    if not is_right or any(span.begin >= span.end or (not is_shared and span.end != total) for span in spans):
        found = ", ".join(f"{span.begin} to {span.end}" for span in spans)
        asked = "follow each other, one part for each device" if is_shared else "be whole on each device"
        raise ProblemError(f"{total} {name} shall {asked}, but the plan has {found}.")
