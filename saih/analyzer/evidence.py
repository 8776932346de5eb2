"""The sentences with numbers that a verdict rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from saih.analyzer.contention import Gate
from saih.analyzer.critical_path import CriticalPath
from saih.analyzer.evidence_waiting import blocked_words, imbalance_words, stage_words, storage_words
from saih.analyzer.roofline import ROOFLINE_LIMITS, Floor
from saih.analyzer.step_table import table_of
from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Point
from saih.domain.quantity import in_seconds, percent, with_si
from saih.domain.record import Phase, Steps
from saih.domain.trend import Limit
from workloads.given_rates import GivenRates
from workloads.protocol import Cost

_SMALLEST_SHARE = 0.005
"""Of a step; less is nothing to a reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the diagnosis found at one point."""

    typical_ns: Mapping[Phase, float]
    """On the last arriver of each step."""
    work_ns: float
    """Useful work of the other ranks."""
    shares: Mapping[Limit, Interval]
    explained: float
    floors: Sequence[Floor]
    peak_share: float | None
    rivals: tuple[Limit, Limit] | None
    """The two largest causes where neither is named alone."""
    gate: Gate


def sentences(
    scene: Scene, cost: Cost, point: Point, ceilings: Ceilings | None, seen: tuple[CriticalPath, Steps]
) -> tuple[str, ...]:
    """What was measured, and what it is held against; the most general sentence first."""
    path, steps = seen
    found = [_whole(scene), *_rivals(scene)]
    if ceilings is None:
        found.append(
            "No arithmetic ceiling is known of this placement at this precision, so the time in forward, "
            "backward, optimizer and other cannot be split further."
        )
    else:
        found += [
            _explained(scene),
            *_arithmetic(scene, point, ceilings),
            *_peak(scene, point, ceilings, cost.given),
        ]
    found += [*scene.gate.sentences, *blocked_words(path, steps)]
    found += _interconnect(scene, cost, point, ceilings, steps)
    waited_ns, step_ns = scene.typical_ns[Phase.STAGE_WAIT], sum(scene.typical_ns.values())
    uneven = scene.shares[Limit.IMBALANCE].value - waited_ns / step_ns
    found += imbalance_words(path, steps, uneven, point.ranks_that_meet)
    found += stage_words(waited_ns, step_ns)
    found += _input(scene, steps)
    found += storage_words(steps, cost.input_bytes, scene.shares[Limit.STORAGE], ceilings)
    return tuple(found)


def _rivals(scene: Scene) -> list[str]:
    if scene.rivals is None:
        return []
    first, second = (f"{limit} ({_share(scene.shares[limit].value)})" for limit in scene.rivals)
    return [f"Two causes share the step and neither surely leads: {first} and {second}."]


def _whole(scene: Scene) -> str:
    whole = sum(scene.typical_ns.values())
    parts = [
        f"{phase.replace('_', ' ')} {percent(duration / whole)}"
        for phase, duration in sorted(scene.typical_ns.items(), key=lambda item: -item[1])
        if duration >= _SMALLEST_SHARE * whole
    ]
    return f"A typical step takes {in_seconds(whole)}: {', '.join(parts)}."


def _explained(scene: Scene) -> str:
    parts = [f"{limit.value} {_share(scene.shares[limit].value)}" for limit in ROOFLINE_LIMITS]
    return (
        f"At the measured ceilings the operations account for {percent(scene.explained)} of the useful "
        f"work in forward, backward, optimizer and other; as shares of the step: {', '.join(parts)}, "
        f"unexplained {_share(scene.shares[Limit.UNEXPLAINED].value)}."
    )


def _share(value: float) -> str:
    return percent(value if value >= _SMALLEST_SHARE else 0.0)


def _arithmetic(scene: Scene, point: Point, ceilings: Ceilings) -> list[str]:
    """The rate of the forward and the backward pass, against the ceiling at the width that costs most."""
    best = ceilings.curve(CeilingKind.GEMM, point.precision)
    said = []
    for phase in (Phase.FORWARD, Phase.BACKWARD):
        own = [floor for floor in scene.floors if floor.operation.phase == phase]
        duration_ns = scene.typical_ns[phase]
        if not own or duration_ns <= 0:
            continue
        heaviest = max(own, key=lambda floor: floor.duration_ns)
        flops = sum(floor.operation.flops for floor in own) * point.placement.num_ranks
        text = (
            f"{phase.capitalize()} runs at {with_si(flops * 1e9 / duration_ns, 'FLOP/s')}; "
            f"its costliest operation at the ceilings, {heaviest.operation.name}, "
            f"is bound by {heaviest.limit.value}"
        )
        if heaviest.ceiling_flops_per_s:
            text += (
                f", with a ceiling of {with_si(heaviest.ceiling_flops_per_s, 'FLOP/s')} "
                f"at {heaviest.operation.channels:.4g} channels"
            )
        if best is not None:
            text += f"; the best product reaches {with_si(best.best.value, 'FLOP/s')}"
        said.append(f"{text}.")
    return said


def _peak(scene: Scene, point: Point, ceilings: Ceilings, given: GivenRates | None) -> list[str]:
    peak = ceilings.peak_flops_per_s(point.precision)
    if peak is None or scene.peak_share is None:
        return []
    reached, most = percent(scene.peak_share, 3), with_si(peak.value, "FLOP/s")
    if given is None or not given.flops_per_s:
        return [f"The step reaches {reached} of the measured peak of {most}{_peak_words(point, ceilings)}."]
    if given.busiest_over_mean <= 1:
        return [f"The step reaches {reached} of the peak that ranks are held to, {most}."]
    whole = with_si(peak.value * given.busiest_over_mean, "FLOP/s")
    left = f"what is left of the peak that ranks are held to, {whole}, where all wait for the busiest of them"
    return [f"The step reaches {reached} of {most}: {left}."]


def _peak_words(point: Point, ceilings: Ceilings) -> str:
    """Of which operation the measured peak is."""
    curve = ceilings.peak_curve(point.precision)
    return "" if curve is None else f" ({curve.best_words})"


def _interconnect(
    scene: Scene, cost: Cost, point: Point, ceilings: Ceilings | None, steps: Steps
) -> list[str]:
    exposed = scene.typical_ns[Phase.COMMUNICATION]
    if point.placement.num_ranks == 1 or exposed <= 0:
        return []
    what = "Exchange between ranks" if cost.ranks_per_replica > 1 else "Gradient exchange"
    text = f"{what} adds {in_seconds(exposed)} to the step"
    if cost.given is not None and cost.given.link_bytes_per_s:
        if not cost.exchanged_bytes:
            return [f"{text}, though its plan sends nothing."]
        return [f"{text}; {_held_link_words(cost, cost.given)}."]
    latency_s = ceilings.all_reduce_latency_s if ceilings is not None else None
    rate = ceilings.all_reduce_bytes_per_s if ceilings is not None else None
    if latency_s is None and rate is None:
        return [f"{text}; no all-reduce ceiling was measured to hold it against."]
    # A term that is absent is one that the measured times do not show.
    has_gradients = point.exchange != "none"
    num_bytes = cost.exchanged_bytes + (cost.gradient_bytes if has_gradients else 0)
    num_exchanges = cost.num_exchanges + (1 if has_gradients else 0)
    waiting_s = num_exchanges * (latency_s or 0.0)
    moving_s = num_bytes / rate if rate else 0.0
    floor_ns = (waiting_s + moving_s) * 1e9
    if cost.num_exchanges:
        return [f"{text}; {_inside_words(num_exchanges, num_bytes, point, floor_ns, steps)}."]
    bound = "latency" if waiting_s > moving_s else "bandwidth"
    among = f"among {point.placement.num_ranks} ranks"
    least = f"one all-reduce of {num_bytes / 1e6:.3g} MB {among} takes at least {in_seconds(floor_ns)}"
    text += f"; {least} (bound by {bound})"
    if exposed > 2 * floor_ns:
        text += "; the excess is not transfer at that speed: a late collective, its protocol, or contention"
    return [f"{text}."]


def _held_link_words(cost: Cost, given: GivenRates) -> str:
    """Of messages on links whose rate the problem gives."""
    moving_ns = cost.exchanged_bytes / given.link_bytes_per_s * 1e9
    delay = f" and a delay of {in_seconds(given.link_delay_s * 1e9)} a message" if given.link_delay_s else ""
    return (
        f"the {cost.exchanged_bytes / 1e6:.3g} MB that the mean rank sends take {in_seconds(moving_ns)} at "
        f"the {with_si(8 * given.link_bytes_per_s, 'bit/s')} that links are held to{delay}"
    )


def _inside_words(num_exchanges: int, num_bytes: int, point: Point, like_ns: float, steps: Steps) -> str:
    """Of exchanges inside a step: ceilings were measured with another collective, so they are no bound."""
    placement, for_whom = point.placement, []
    if placement.tensor_parallel > 1:
        for_whom.append("for ranks that come later to single sums")
    if placement.spatial_parallel > 1:
        for_whom.append("for neighbours that come later with their planes")
    if placement.pipeline_parallel > 1 and Phase.STAGE_WAIT not in steps.duration_ns:
        for_whom.append("for other stages")
    waits = f", and waiting {' and '.join(for_whom)} is in it" if for_whom else ""
    return (
        f"its {num_exchanges} sums and messages, {num_bytes / 1e6:.3g} MB in all, would take "
        f"{in_seconds(like_ns)} as all-reduces among {placement.num_ranks} ranks{waits}"
    )


def _input(scene: Scene, steps: Steps) -> list[str]:
    wait = scene.typical_ns[Phase.INPUT_WAIT]
    rows = table_of(steps).phases.get(Phase.INPUT_PRODUCE)
    if rows is None or wait < 0.01 * sum(scene.typical_ns.values()):
        return []
    work = sum(scene.typical_ns.values()) - wait
    text = (
        f"Each step waits {in_seconds(wait)} for its input; producing one batch takes "
        f"{in_seconds(float(np.median(rows)))} against {in_seconds(work)} of other work in the step."
    )
    return [text]
