"""How ceilings are sampled: what a probe hands over, what it gets back, and curves from that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from saih.domain.ceiling import Ceiling, CeilingKind
from saih.domain.interval import FEWEST_ENCLOSING, Interval, median_interval

Durations = tuple[tuple[float, ...], ...]
"""Seconds per call, [repeat][rank]; all ranks worked at the same time."""


def _nothing() -> None:
    """Leave everything as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One operation to be timed.

    ``before`` runs untimed ahead of every repeat of at most ``max_calls``. ``verify`` runs once after the
    last one and raises OSError when the times are not what they claim to be.
    """

    call: Callable[[], object]
    before: Callable[[], None] = _nothing
    verify: Callable[[], None] = _nothing
    max_calls: int = 100_000


class Sample(Protocol):
    """Times a probe on all ranks at once."""

    def __call__(self, prepare: Callable[[], Probe], budget_s: float) -> Durations | None:
        """Durations of the prepared probe; None on every rank when one of them could not run it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveName:
    """What a curve is called and counted in."""

    kind: CeilingKind
    precision: str
    unit: str
    size_unit: str
    variant: str = ""

    @property
    def label(self) -> str:
        """The name that its curve has (``Ceiling.name``)."""
        return f"{self.kind} ({self.variant})" if self.variant else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One size of a curve: ``work`` (FLOPs or bytes) of one call, and the ways to do it."""

    size: float
    work: float
    ways: tuple[Callable[[], Probe], ...]
    """Each way does the same work; the fastest is the ceiling."""
    parts_per_call: int = 1
    """What is timed is one call over so many equal parts, such as the two ways of a round trip."""


def rate_curve(name: CurveName, rungs: Sequence[Rung], sample: Sample, budget_s: float) -> Ceiling | None:
    """Work per second over growing sizes, summed over the ranks; None where no size could run.

    Rungs are worked on in their order. One that is more work than the last, and so would overrun its
    share of the budget more than twice, is left out.
    """
    share_s = budget_s / max(1, len(rungs))
    sizes, rates = [], []
    call_s, work = 0.0, 0.0
    for rung in rungs:
        growth = rung.work / work if work else 0.0
        if growth > 1 and FEWEST_ENCLOSING * call_s * growth > 2 * share_s:
            continue
        found = _best_way(rung, sample, share_s)
        if found is None:
            continue
        durations, interval = found
        sizes.append(rung.size)
        rates.append(interval)
        call_s, work = min(max(ranks) for ranks in durations), rung.work
    return _curve(name, sizes, rates)


def time_curve(name: CurveName, rungs: Sequence[Rung], sample: Sample, budget_s: float) -> Ceiling | None:
    """Seconds of one call over growing sizes, as long as its slowest rank; None where no size could run.

    The curve ends after a size that took half of the budget.
    """
    share_s = budget_s / max(1, len(rungs))
    sizes: list[float] = []
    times: list[Interval] = []
    for rung in rungs:
        # No extrapolation: below some size, times move with noise and switches of protocol, not with bytes.
        if times and FEWEST_ENCLOSING * rung.parts_per_call * times[-1].value > budget_s / 2:
            break
        durations = sample(rung.ways[0], share_s)
        if durations is not None:
            sizes.append(rung.size)
            times.append(median_interval([max(ranks) / rung.parts_per_call for ranks in durations]))
    return _curve(name, sizes, times)


def best_of_rounds(rounds: Sequence[Ceiling | None], better: Literal["higher", "lower"]) -> Ceiling | None:
    """One curve with the best median of every size over several rounds.

    A burst of other load can only slow a machine down, so the better of two rounds is nearer to its best.
    """
    curves = [curve for curve in rounds if curve is not None]
    if not curves:
        return None
    choose = max if better == "higher" else min
    found: dict[float, list[Interval]] = {}
    for curve in curves:
        for size, rate in zip(curve.sizes, curve.rates, strict=True):
            found.setdefault(size, []).append(rate)
    sizes = tuple(sorted(found))
    return replace(
        curves[0],
        sizes=sizes,
        rates=tuple(choose(found[size], key=lambda rate: rate.value) for size in sizes),
    )


def _best_way(rung: Rung, sample: Sample, share_s: float) -> tuple[Durations, Interval] | None:
    found = []
    for way in rung.ways:
        durations = sample(way, share_s / len(rung.ways))
        if durations is not None:
            interval = median_interval([sum(rung.work / rank_s for rank_s in ranks) for ranks in durations])
            found.append((durations, interval))
    return max(found, key=lambda pair: pair[1].value, default=None)


def _curve(name: CurveName, sizes: Sequence[float], rates: Sequence[Interval]) -> Ceiling | None:
    if not sizes:
        return None
    return Ceiling(
        kind=name.kind,
        precision=name.precision,
        unit=name.unit,
        size_unit=name.size_unit,
        sizes=tuple(sorted(sizes)),
        rates=tuple(rate for _, rate in sorted(zip(sizes, rates, strict=True), key=lambda pair: pair[0])),
        variant=name.variant,
    )
