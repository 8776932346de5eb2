"""How long passes took from their begin on the first stage to their answer on the last; arithmetic only."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMoments:
    """When the passes of one step began on the first stage, and were answered on the last [ns]."""

    begins_ns: Sequence[int]
    """In the order of the passes: first those of the prompts."""
    answers_ns: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTokens:
    """What one step of all replicas works on."""

    num_prompt_passes: int
    """Of one replica."""
    num_real_tokens: int
    """Tokens that are no padding, new ones included."""
    num_new_tokens: int


def latency_notes(steps: Sequence[StepMoments], tokens: StepTokens) -> dict[str, str]:
    """Percentiles of passes, of the time to the first token, and rates; none for no steps.

    The first token of a sequence is known when the pass of its prompt is answered; all sequences of a step
    come at its begin. A percentile is the least latency that as many of all do not exceed.
    """
    if not steps:
        return {}
    prompts, decodes, firsts = [], [], []
    for step in steps:
        took = [end - begin for begin, end in zip(step.begins_ns, step.answers_ns, strict=True)]
        prompts += took[: tokens.num_prompt_passes]
        decodes += took[tokens.num_prompt_passes :]
        firsts += [end - step.begins_ns[0] for end in step.answers_ns[: tokens.num_prompt_passes]]
    whole_s = (max(steps[-1].answers_ns) - steps[0].begins_ns[0]) / 1e9
    notes = dict(_percentiles("prompt_pass", prompts))
    notes["tokens_per_s"] = _rate(len(steps) * tokens.num_real_tokens, whole_s)
    if decodes:
        notes |= _percentiles("decode_pass", decodes)
        notes |= _percentiles("first_token", firsts)
        notes["new_tokens_per_s"] = _rate(len(steps) * tokens.num_new_tokens, whole_s)
    return notes


def _percentiles(name: str, took_ns: Sequence[int]) -> Mapping[str, str]:
    ordered = sorted(took_ns)
    return {
        f"{name}_p{percentile}_ns": str(ordered[math.ceil(percentile / 100 * len(ordered)) - 1])
        for percentile in _PERCENTILES
    }


def _rate(count: int, duration_s: float) -> str:
    return f"{count / duration_s:.6g}" if duration_s > 0 else "unknown"
