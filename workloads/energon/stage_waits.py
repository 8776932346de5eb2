"""How long stages of a pipeline wait for each other, from the passes that are under way; arithmetic only.

The passes of one round go through the stages one behind the other, and a pass begins when its own of the
round before has left the last stage: only then its token is known. So a round takes what the slowest stage
has to do for all its passes, or what one pass takes through all stages, whichever is longer. With fewer
passes than stages most stages wait most of the time.
"""

from collections.abc import Sequence

from workloads.energon.memory import layer_weights
from workloads.energon.passes import PassSum
from workloads.energon.plan import EnginePlan
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import tensor_shares


def stretch(architecture: TransformerArchitecture, plan: EnginePlan, passes: PassSum) -> float:
    """A step's time in passes of one kind over the time that the mean rank works on them; 1 for one stage."""
    (whole,) = tensor_shares(architecture, 1)
    layer, head = layer_weights(architecture, whole), architecture.vocab_size * architecture.hidden_size
    work = [float(len(layers) * layer * passes.num_rows) for layers in plan.stages]
    if architecture.is_decoder:
        work[-1] += head * passes.num_sequences
    took = pipeline_time(work, passes.num_in_flight, passes.num_rounds)
    return took * len(work) / (passes.num_passes * sum(work))


def pipeline_time(stage_times: Sequence[float], num_in_flight: int, num_rounds: int) -> float:
    """When the last round of equal passes is over, in the unit of what each stage needs for one pass."""
    slowest, through = max(stage_times), sum(stage_times)
    period = max(num_in_flight * slowest, through)
    return (num_rounds - 1) * period + (num_in_flight - 1) * slowest + through


def hops_in_a_row(num_stages: int, passes: PassSum) -> int:
    """Messages beside which no stage computes, each behind the other.

    Those that fill the pipeline; where tokens come back and there is a pass for each stage at most, those of
    every round, the way back included.
    """
    if num_stages > 1 and passes.is_fed_back and passes.num_in_flight <= num_stages:
        return num_stages * passes.num_rounds
    return num_stages - 1
