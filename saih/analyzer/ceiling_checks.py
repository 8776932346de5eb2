"""Whether what was measured and what is foreseen stays below what the machine can do."""

import math

import numpy as np

from saih.analyzer.trend_scene import Laws, Scene
from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.quantity import amount, in_seconds, percent, with_si
from saih.domain.record import Phase
from saih.domain.trend import Check, PointSummary

_TOLERANCE = 1.1
"""Ceilings and steps of two moments differ by as much without either being wrong."""


def check_ceilings(scene: Scene, laws: Laws) -> list[Check]:
    """Arithmetic, memory traffic, the exchange and the room for tensors."""
    found = [_ceiling(scene) if scene.scaling is None else _ceilings_of_placements(scene)]
    checks = (_traffic(scene, laws), _exchange_floor(scene), _room(scene))
    return found + [check for check in checks if check is not None]


def _ceiling(scene: Scene) -> Check:
    name = "below the measured peak"
    if not scene.share_curve:
        several = len({point.precision for point in scene.points}) > 1
        text = "No ceiling was measured for this placement and precision."
        if several:
            text = "Its points ran in several number formats, each of which has a peak of its own."
        return Check(name=name, passed=None, statement=text)
    measured = [point.share_of_peak for point in scene.points if point.share_of_peak is not None]
    worst = max([share.low for share in measured] + [point.interval.low for point in scene.share_curve])
    if worst > 1:
        text = f"The step would run at {percent(worst)} or more of the measured peak, which cannot be."
        return Check(name=name, passed=False, statement=text)
    expected = scene.share_curve[-1].interval
    text = (
        f"At size {amount(scene.share_curve[-1].size)} the step is expected at {percent(expected.low, 3)} to "
        f"{percent(expected.high, 3)} of the measured peak."
    )
    return Check(name=name, passed=True, statement=text)


def _ceilings_of_placements(scene: Scene) -> Check:
    """Each placement against its own ceilings."""
    name = "below the measured peak"
    known = [point for point in scene.points if point.share_of_peak is not None]
    if not known:
        text = "No ceiling was measured for these placements and this precision."
        return Check(name=name, passed=None, statement=text)
    above = [point for point in known if point.share_of_peak is not None and point.share_of_peak.low > 1]
    if above:
        text = (
            f"At {above[0].point.placement.label} the step runs above that placement's peak, which cannot be."
        )
        return Check(name=name, passed=False, statement=text)
    missing = len(scene.points) - len(known)
    if missing:
        text = f"{missing} of {len(scene.points)} placements have no ceiling of their own."
        return Check(name=name, passed=None, statement=text)
    text = "Every placement stays below its own ceiling; beyond the measured ones no share can be given."
    return Check(name=name, passed=True, statement=text)


def _traffic(scene: Scene, laws: Laws) -> Check | None:
    """The least traffic to memory that the operations need, over the step, against the bandwidth."""
    curve = scene.ceilings.curve(CeilingKind.MEMORY) if scene.ceilings is not None else None
    if curve is None or scene.scaling is not None:
        return None
    name = "below the memory bandwidth"
    known = [(size, _bytes(point)) for size, point in zip(scene.sizes, scene.points, strict=True)]
    known = [(size, traffic) for size, traffic in known if traffic > 0]
    if not known:
        return None
    foreseen = _carried_on([size for size, _ in known], [traffic for _, traffic in known], scene.target)
    rate = foreseen * 1e9 / laws.forecast.step_at(scene.target).high
    best = curve.best.value
    text = (
        f"At {scene.at(scene.target)} the operations move at least {with_si(rate, 'bytes/s')}, "
        f"{percent(rate / best)} of the measured {with_si(best, 'bytes/s')}"
    )
    if rate > _TOLERANCE * best:
        return Check(name=name, passed=False, statement=f"{text}, which cannot be: the step must be longer.")
    return Check(name=name, passed=True, statement=f"{text}.")


def _bytes(point: PointSummary) -> float:
    return point.flops_per_step / point.flops_per_byte if point.flops_per_byte > 0 else 0.0


def _exchange_floor(scene: Scene) -> Check | None:
    """Every measured exchange against the fastest all-reduce of its bytes."""
    largest = scene.points[-1]
    found, whole = scene.ceilings, largest.phases_ns.get(Phase.COMMUNICATION_TOTAL)
    if found is None or whole is None or not largest.gradient_bytes or whole.value <= 0:
        return None
    floor_ns = _floor_ns(found, largest.gradient_bytes)
    if floor_ns is None:
        return None
    name = "exchange no faster than the link"
    text = (
        f"At {scene.at(scene.sizes[-1])} the exchange takes {in_seconds(whole.value)}; one all-reduce of its "
        f"{with_si(largest.gradient_bytes, 'bytes')} takes at least {in_seconds(floor_ns)}"
    )
    if whole.high * _TOLERANCE < floor_ns:
        text += ", so the link was measured while it was busy, or not all of the gradient is exchanged"
        return Check(name=name, passed=False, statement=f"{text}.")
    return Check(name=name, passed=True, statement=f"{text}.")


def _floor_ns(found: Ceilings, gradient_bytes: int) -> float | None:
    latency_s, rate = found.all_reduce_latency_s, found.all_reduce_bytes_per_s
    if latency_s is None and rate is None:
        return None
    return ((latency_s or 0.0) + (gradient_bytes / rate if rate else 0.0)) * 1e9


def _room(scene: Scene) -> Check | None:
    """Whether the tensors of the largest sizes fit, as far as the machine tells how much memory it has."""
    known = [
        (size, float(point.tensor_bytes))
        for size, point in zip(scene.sizes, scene.points, strict=True)
        if point.tensor_bytes
    ]
    if scene.memory_bytes is None or not known or scene.scaling is not None:
        return None
    name = "fits the memory"
    sizes, needs = [size for size, _ in known], [need for _, need in known]
    need = _carried_on(sizes, needs, scene.target)
    text = (
        f"At {scene.at(scene.target)} the tensors of a rank need about {with_si(need, 'bytes')} of "
        f"{with_si(scene.memory_bytes, 'bytes')}"
    )
    if need <= scene.memory_bytes:
        return Check(name=name, passed=True, statement=f"{text}.")
    inside = np.geomspace(sizes[-1], max(scene.target, sizes[-1] * (1 + 1e-9)), 50)
    fits = [size for size in inside if _carried_on(sizes, needs, float(size)) <= scene.memory_bytes]
    most = f" Up to about size {amount(fits[-1])} fits." if fits else ""
    return Check(name=name, passed=False, statement=f"{text}: infeasible, whatever the time would be.{most}")


def _carried_on(sizes: list[float], values: list[float], target: float) -> float:
    """The straight line in log-log through the two largest sizes; counts of bytes have no noise."""
    pairs = sorted(dict(zip(sizes, values, strict=True)).items())
    if len(pairs) < 2:
        return pairs[-1][1] * target / pairs[-1][0]
    (low, small), (high, large) = pairs[-2:]
    slope = math.log(large / small) / math.log(high / low)
    return float(large * (target / high) ** slope)
