"""How long a plan takes and what it holds, before anything runs; arithmetic only."""

from dataclasses import dataclass

from workloads.galaxy.forecasting.pass_times import PassTimes, PlanTimes
from workloads.galaxy.memory import Load, memory_bytes
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.profile import ClusterProfile
from workloads.transformer.architecture import TransformerArchitecture

_TOKEN_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One request: its prompt, and what is generated behind it."""

    latency_ns: float
    """From the tokens on the first device to the answer there."""
    compute_ns: tuple[float, ...]
    """Of each part of the plan: how long it computes."""
    link_ns: tuple[float, ...]
    """Of the link from each part to the next: how long it sends."""
    memory_bytes: tuple[int, ...]
    """Of each part: the most that it holds."""
    bound_ns: float
    """No schedule of these parts is faster: the busiest device with whole products, or the busiest link."""
    decode_ns: float = 0.0
    """Part of the latency that passes of one token behind the prompt take."""


def forecast(
    architecture: TransformerArchitecture,
    plan: ParallelPlan,
    cluster: ClusterProfile,
    num_tokens: int,
    itemsize: int,
    *,
    num_new_tokens: int = 0,
) -> Forecast:
    """What a plan gives for one sequence of ``num_tokens``, behind which as many new ones follow one by one.

    The first of the new ones is part of the answer to the prompt: passes of one token are those behind it.
    """
    load = Load(num_tokens=num_tokens, itemsize=itemsize, num_new_tokens=num_new_tokens)
    return load_forecast(PlanTimes.of(architecture, plan, cluster, itemsize), load)


def load_forecast(times: PlanTimes, load: Load) -> Forecast:
    """As ``forecast``, of a plan on its devices and links."""
    num_tokens, num_new_tokens = load.num_tokens, load.num_new_tokens
    held = memory_bytes(times.architecture, times.plan, load)
    prompt = times.passed(num_tokens, num_tokens, gives_logits=not num_new_tokens)
    told = max((link.time_ns(num_tokens * _TOKEN_BYTES) for link in times.links[0][1:]), default=0.0)
    if not num_new_tokens:
        return _together(prompt, prompt, 0, told, held)
    # Attention takes time in proportion to the tokens seen: all passes are as many of the middle one.
    token = times.passed(1, num_tokens + (num_new_tokens + 1) // 2, gives_logits=False)
    return _together(prompt, token, num_new_tokens, told, held)


def _together(
    prompt: PassTimes, token: PassTimes, num_tokens: int, told: float, memory: tuple[int, ...]
) -> Forecast:
    return Forecast(
        latency_ns=told + prompt.latency_ns + num_tokens * token.latency_ns,
        compute_ns=_sums(prompt.compute_ns, token.compute_ns, num_tokens),
        link_ns=_sums(prompt.link_ns, token.link_ns, num_tokens),
        memory_bytes=memory,
        bound_ns=prompt.bound_ns + num_tokens * token.bound_ns,
        decode_ns=num_tokens * token.latency_ns,
    )


def _sums(prompt: tuple[float, ...], token: tuple[float, ...], num_tokens: int) -> tuple[float, ...]:
    return tuple(once + num_tokens * each for once, each in zip(prompt, token, strict=True))
