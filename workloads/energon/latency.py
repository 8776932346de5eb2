"""How long passes took from their begin on the first stage to their answer on the last; arithmetic only."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workloads.protocol import Told

MOST_TOLD = 2000
"""Latencies of one kind that a replica tells; of more it tells as many, evenly by rank from least to most."""
_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMoments:
    """When the passes of one step began on the first stage, and were answered on the last [ns]."""

    begins_ns: Sequence[int]
    """In the order of the passes: first those of the prompts."""
    answers_ns: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTokens:
    """What one step of one replica works on."""

    num_prompt_passes: int
    num_real_tokens: int
    """Tokens that are no padding, new ones included."""
    num_new_tokens: int


def told_of(steps: Sequence[StepMoments], tokens: StepTokens) -> Told:
    """What one replica tells of its steps: latencies [ns] by kind, and its tokens; nothing for no steps.

    The first token of a sequence is known when the pass of its prompt is answered; all sequences of a step
    come at its begin.
    """
    if not steps:
        return {}
    prompts, decodes, firsts = [], [], []
    for step in steps:
        took = [end - begin for begin, end in zip(step.begins_ns, step.answers_ns, strict=True)]
        prompts += took[: tokens.num_prompt_passes]
        decodes += took[tokens.num_prompt_passes :]
        firsts += [end - step.begins_ns[0] for end in step.answers_ns[: tokens.num_prompt_passes]]
    latencies_ns, counts = {"prompt_pass": _thinned(prompts)}, {"tokens": len(steps) * tokens.num_real_tokens}
    if decodes:
        latencies_ns |= {"decode_pass": _thinned(decodes), "first_token": _thinned(firsts)}
        counts["new_tokens"] = len(steps) * tokens.num_new_tokens
    return {"latencies_ns": latencies_ns, "counts": counts, "under_way_ns": _under_way_ns(steps)}


def latency_notes(told: Sequence[Told]) -> dict[str, str]:
    """Percentiles over the latencies of all replicas, and the sums of their rates.

    A percentile is the least latency that as many of all do not exceed.
    """
    replicas = [one for one in told if one]
    if not replicas:
        return {}
    notes: dict[str, str] = {}
    for name in replicas[0]["latencies_ns"]:
        notes |= _percentiles(name, [took for one in replicas for took in one["latencies_ns"][name]])
    for name in replicas[0]["counts"]:
        notes[f"{name}_per_s"] = _rate([(one["counts"][name], one["under_way_ns"]) for one in replicas])
    return notes


def _under_way_ns(steps: Sequence[StepMoments]) -> int:
    """Between two steps replicas may wait for each other, which says nothing of them."""
    under_way_ns, end_ns = 0, steps[0].begins_ns[0]
    for step in steps:
        begin_ns, end_ns = max(step.begins_ns[0], end_ns), max(*step.answers_ns, end_ns)
        under_way_ns += end_ns - begin_ns
    return under_way_ns


def _thinned(took_ns: Sequence[int]) -> list[int]:
    ordered, count = sorted(took_ns), len(took_ns)
    if count <= MOST_TOLD:
        return ordered
    return [ordered[(2 * place + 1) * count // (2 * MOST_TOLD)] for place in range(MOST_TOLD)]


def _percentiles(name: str, took_ns: Sequence[int]) -> Mapping[str, str]:
    ordered = sorted(took_ns)
    return {
        f"{name}_p{percentile}_ns": str(ordered[math.ceil(percentile / 100 * len(ordered)) - 1])
        for percentile in _PERCENTILES
    }


def _rate(counts: Sequence[tuple[int, int]]) -> str:
    """The sum over replicas of a count over its time [ns]."""
    if any(under_way_ns <= 0 for _, under_way_ns in counts):
        return "unknown"
    return f"{sum(count / under_way_ns * 1e9 for count, under_way_ns in counts):.6g}"
