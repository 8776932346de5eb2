"""Headline figures against the ceilings of the machine: one above its ceiling is a mistake somewhere."""

from collections.abc import Iterator, Mapping, Sequence

from saih.analyzer.point_words import point_words
from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.normality import Placed, Verdict
from saih.domain.quantity import factor, interval_with_si, share, with_si
from saih.domain.record import Phase
from saih.domain.trend import PointSummary

_GRADIENT_BYTES = 4
_SURELY_FASTER = 0.5
"""Below this share of the ceiling's time an exchange is no exchange: ceilings differ from run to run, too."""


def local_figures(points: Sequence[PointSummary], ceilings: Mapping[str, Ceilings]) -> Iterator[Placed]:
    """Share of peak, input rate and gradient exchange, each at the point closest to its ceiling."""
    yield from _local_peak(points)
    yield from _storage(points, ceilings)
    yield from _all_reduce(points, ceilings)


def _local_peak(points: Sequence[PointSummary]) -> Iterator[Placed]:
    known = [(point, point.share_of_peak) for point in points if point.share_of_peak is not None]
    if not known:
        return
    point, best = max(known, key=lambda pair: pair[1].value)
    is_above = best.low > 1
    words = f"The highest share of the measured peak is {share(best)} ({point_words(point)})"
    yield Placed(
        name="local/share-of-peak",
        title="highest share of the measured peak",
        value=share(best),
        reference="the peak measured here, 100 %",
        verdict=Verdict.ABOVE if is_above else Verdict.BETWEEN,
        text=f"{words}, above the ceiling: measure the ceilings again on an idle machine."
        if is_above
        else f"{words}: below the ceiling, as it must be.",
        record_ids=(point.record_id,),
    )


def _storage(points: Sequence[PointSummary], ceilings: Mapping[str, Ceilings]) -> Iterator[Placed]:
    known = []
    for point in points:
        own = ceilings.get(point.point.placement.seats_label)
        curve = own.curve(CeilingKind.STORAGE_READ) if own else None
        is_here = point.point.supply.staging == "none"  # copies are read from another disk
        if curve is not None and is_here and point.dataset_bytes and point.input_bytes:
            shared = point.point.placement.degrees.spatial_parallel
            rate = point.samples_per_s.scaled(shared * point.input_bytes / point.point.batch_per_rank)
            known.append((rate.low / curve.best.high, rate, curve.best, point))
    if not known:
        return
    _, rate, ceiling, point = max(known, key=lambda entry: entry[0])
    is_above = rate.low > ceiling.high
    words = f"Steps take in up to {interval_with_si(rate, 'B/s')} of samples ({point_words(point)})"
    yield Placed(
        name="local/input-rate",
        title="highest rate of input",
        value=interval_with_si(rate, "B/s"),
        reference=f"files of the data folder, read here at {interval_with_si(ceiling, 'B/s')}",
        verdict=Verdict.ABOVE if is_above else Verdict.BETWEEN,
        text=f"{words}, more than was read from the data folder at best: a cache served the data, so this "
        "point says nothing of the file system."
        if is_above
        else f"{words}: not more than the data folder can be read with.",
        record_ids=(point.record_id,),
    )


def _all_reduce(points: Sequence[PointSummary], ceilings: Mapping[str, Ceilings]) -> Iterator[Placed]:
    known = []
    for point in points:
        if point.loss.is_learning is None:  # it has no gradients
            continue
        own = ceilings.get(point.point.placement.seats_label)
        curve = own.curve(CeilingKind.ALL_REDUCE) if own else None
        spent = point.phases_ns.get(Phase.COMMUNICATION_TOTAL)
        if curve is not None and spent is not None and spent.low > 0 and point.point.placement.num_ranks > 1:
            least_s = curve.at(_GRADIENT_BYTES * point.num_parameters)
            known.append((spent.scaled(1e-9 / least_s), least_s, point))
    if not known:
        return
    ratio, least_s, point = min(known, key=lambda entry: entry[0].value)
    is_above = ratio.high < _SURELY_FASTER
    words = f"The shortest gradient exchange takes {factor(ratio)} the time of one all-reduce of its bytes"
    words = f"{words} ({point_words(point)})"
    yield Placed(
        name="local/all-reduce",
        title="shortest gradient exchange",
        value=factor(ratio),
        reference=f"one all-reduce of its bytes, measured here: {with_si(least_s, 's')}",
        verdict=Verdict.ABOVE if is_above else Verdict.BETWEEN,
        text=f"{words}, faster than this machine does it alone: check that all ranks take part and that the "
        "ceilings were measured at the same placement."
        if is_above
        else f"{words}: as fast as this machine can, or slower.",
        record_ids=(point.record_id,),
    )
