"""Headline figures against public ones, where a point asks what they asked; else the reasons why not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from saih.analyzer.point_words import point_words
from saih.analyzer.propagation import quotient
from saih.domain.interval import Interval
from saih.domain.normality import Placed, Verdict
from saih.domain.quantity import interval_with_si, percent, share
from saih.domain.record import Phase
from saih.domain.trend import Analysis, PointSummary, ScalingLine
from saih.interchange.corpus import PublicEfficiency, Submission
from saih.interchange.mlperf_point import CHANNELS, DEPTH, RESOLUTION, WIDTH

REFERENCE = f"CosmoFlow at {RESOLUTION}^3 x {CHANNELS}, width {WIDTH}, depth {DEPTH}"
_HALF = ("bfloat16", "float16")


def public_figures(
    analysis: Analysis, submissions: Sequence[Submission], efficiencies: Sequence[PublicEfficiency]
) -> Iterator[Placed]:
    """Rates, shares of the maker's peak, efficiency of weak scaling, exposed communication, and staging."""
    yield from _public(analysis, submissions)
    yield from _efficiency(analysis, efficiencies)
    yield from _exposed(analysis.points)
    yield from _staging(submissions)


def differences_from_reference(point: PointSummary) -> tuple[str, ...]:
    """Why a point cannot be held against the public figures, in words; empty for one that can."""
    asked, placement = point.point, point.point.placement
    data, model = asked.problem.data, asked.problem.model
    grid = f"{data.get('resolution', '?')}^3 x {data.get('channels', '?')}"
    network = f"width {model.get('width', '?')}, depth {model.get('depth', '?')}"
    told = (
        (asked.workload == "cosmoflow", f"it is {asked.workload}, not CosmoFlow"),
        (grid == f"{RESOLUTION}^3 x {CHANNELS}", f"its grids are {grid}, not {RESOLUTION}^3 x {CHANNELS}"),
        (
            network == f"width {WIDTH}, depth {DEPTH}",
            f"its network has {network}, not width {WIDTH}, depth {DEPTH}",
        ),
        (placement.device == "cuda", "it ran on processors, and the public figures are of accelerators"),
    )
    return tuple(words for is_same, words in told if not is_same)


def _public(analysis: Analysis, submissions: Sequence[Submission]) -> Iterator[Placed]:
    comparable = [point for point in analysis.points if not differences_from_reference(point)]
    if not comparable:
        yield _incomparable(analysis.points, submissions)
        return
    gpus = analysis.environment.facts.get("gpus", "")
    same = [one for one in submissions if one.device.name.casefold() in gpus.casefold()]
    best = max(comparable, key=lambda point: point.samples_per_s.value / point.point.placement.num_ranks)
    yield _per_device(best, gpus, same)
    of_tensor_peak = [one for one in submissions if "16-bit" in one.device.precision]
    yield _share_of_vendor_peak(comparable, gpus, same or of_tensor_peak)


def _incomparable(points: Sequence[PointSummary], submissions: Sequence[Submission]) -> Placed:
    nearest = min(points, key=_distance)
    reasons = "; ".join(differences_from_reference(nearest))
    shares = [one.share_of_vendor_peak for one in submissions]
    known = f"{percent(min(shares))} to {percent(max(shares))}" if shares else "none"
    return Placed(
        name="public/rates",
        title="rates and shares of the maker's peak",
        value="",
        reference=f"{REFERENCE}: {known} of the maker's peak",
        verdict=Verdict.NOT_COMPARABLE,
        text=f"No point is held against the public figures, which are of {REFERENCE} on accelerators. Of the "
        f"nearest, {point_words(nearest)}: {reasons}.",
        record_ids=(nearest.record_id,),
    )


def _distance(point: PointSummary) -> tuple[int, float]:
    """How many differences, then how much less data: public results are larger than most points."""
    return len(differences_from_reference(point)), -point.axis_sizes.get("data", 0.0)


def _per_device(best: PointSummary, gpus: str, same: Sequence[Submission]) -> Placed:
    num_devices = best.point.placement.gpus_per_node * best.point.placement.nodes
    rate = best.samples_per_s.scaled(1 / num_devices)
    value = interval_with_si(rate, "samples/s")
    head = f"The best point of the reference problem makes {value} on each GPU ({point_words(best)})"
    placed = Placed(
        name="public/rate",
        title="samples/s of a GPU",
        value=value,
        reference="",
        verdict=Verdict.NO_REFERENCE,
        text=f"{head}; no public figure is of {gpus or 'an unnamed GPU'}.",
        record_ids=(best.record_id,),
    )
    if not same:
        return placed
    rates = [one.samples_per_device_s for one in same]
    reference = f"{same[0].device.name}: {min(rates):.3g} to {max(rates):.3g} samples/s ({_count(same)})"
    verdict = _verdict(rate, min(rates), max(rates))
    words = f"{_words(verdict)} {reference}, which have {_batches(same)} a GPU"
    text = f"{head}, {words}; this has {best.point.batch_per_rank} a rank. {_advice(verdict)}".strip()
    return replace(placed, reference=reference, verdict=verdict, text=text, sources=_sources(same))


def _share_of_vendor_peak(
    comparable: Sequence[PointSummary], gpus: str, peers: Sequence[Submission]
) -> Placed:
    known = [(one, one.share_of_vendor_peak) for one in comparable if one.share_of_vendor_peak is not None]
    placed = Placed(
        name="public/share-of-makers-peak",
        title="share of the maker's peak",
        value="",
        reference="",
        verdict=Verdict.NOT_COMPARABLE,
        text=f"The maker's peak of {gpus or 'this GPU'} is not known, so no share of it is placed.",
        record_ids=(comparable[0].record_id,),
    )
    if not known or not peers:
        return placed
    half = [pair for pair in known if pair[0].precision in _HALF]
    point, best = max(half or known, key=lambda pair: pair[1].value)
    shares = [one.share_of_vendor_peak for one in peers]
    devices = ", ".join(sorted({one.device.name for one in peers}))
    reference = f"{devices}: {percent(min(shares))} to {percent(max(shares))} ({_count(peers)})"
    head = f"The highest share of the maker's peak at the reference problem is {share(best)}"
    placed = replace(placed, value=share(best), reference=reference, record_ids=(point.record_id,))
    if not half:
        ran = point.precision
        text = f"{head}. It is not placed: the public shares are of 16-bit peaks, and this ran in {ran}."
        return replace(placed, text=text)
    verdict = _verdict(best, min(shares), max(shares))
    text = f"{head} ({point_words(point)}), {_words(verdict)} {reference}. {_advice(verdict)}".strip()
    return replace(placed, verdict=verdict, text=text, sources=_sources(peers))


def _sources(of: Sequence[Submission]) -> tuple[str, ...]:
    return tuple(one.name for one in of)


def _efficiency(analysis: Analysis, known: Sequence[PublicEfficiency]) -> Iterator[Placed]:
    by_id = {point.record_id: point for point in analysis.points}
    lines = [line for line in analysis.scaling if line.scaling == "weak" and len(line.rungs) > 1]
    if not lines or not known:
        return
    line = max(lines, key=lambda one: one.rungs[-1].num_ranks)
    last, first = line.rungs[-1], line.rungs[0]
    low, high = min(one.efficiency for one in known), max(one.efficiency for one in known)
    reference = f"{percent(low, 3)} to {percent(high, 3)} from {_scales(known)} accelerators"
    value = share(last.efficiency)
    head = f"Weak scaling from {first.num_ranks} to {last.num_ranks} ranks keeps {value}"
    reasons = _scaling_differences(line, by_id, known)
    verdict = Verdict.NOT_COMPARABLE if reasons else _verdict(last.efficiency, low, high)
    text = (
        f"{head}. It is not held against the public efficiencies ({reference}): {'; '.join(reasons)}."
        if reasons
        else f"{head}, {_words(verdict)} {reference}. {_advice(verdict)}".strip()
    )
    yield Placed(
        name="public/efficiency",
        title="efficiency at a constant batch on each rank",
        value=value,
        reference=reference,
        verdict=verdict,
        text=text,
        record_ids=(first.record_id, last.record_id),
        sources=() if reasons else tuple(one.name for one in known),
    )


def _exposed(points: Sequence[PointSummary]) -> Iterator[Placed]:
    """The highest share of exposed communication; no public result of this problem tells its own."""
    known = [
        (quotient(spent, point.step_ns), point)
        for point in points
        if (spent := point.phases_ns.get(Phase.COMMUNICATION)) is not None and spent.low > 0
    ]
    if not known:
        return
    highest, point = max(known, key=lambda pair: pair[0].value)
    yield Placed(
        name="public/exposed-communication",
        title="highest share of exposed communication",
        value=share(highest),
        reference="",
        verdict=Verdict.NO_REFERENCE,
        text=f"Exposed communication takes up to {share(highest)} of a step ({point_words(point)}). No "
        "public result of this problem tells its own, so this is held against nothing.",
        record_ids=(point.record_id,),
    )


def _staging(submissions: Sequence[Submission]) -> Iterator[Placed]:
    shares = [one.staging_share for one in submissions if one.staging_share is not None]
    if shares:
        known = f"{percent(min(shares))} to {percent(max(shares))} of the time to train"
        yield Placed(
            name="public/staging",
            title="staging of data",
            value="",
            reference=f"{known} ({len(shares)} public results)",
            verdict=Verdict.NOT_COMPARABLE,
            text=f"Staging of data is in no figure here: steps alone are timed. Public results spend {known} "
            "on it where their rules put it inside, so their times to train are not sums of steps.",
            record_ids=(),
        )


def _scaling_differences(
    line: ScalingLine, by_id: Mapping[str, PointSummary], known: Sequence[PublicEfficiency]
) -> tuple[str, ...]:
    point = by_id.get(line.rungs[-1].record_id)
    reasons = () if point is None else differences_from_reference(point)
    fewest, most = min(one.small.num_devices for one in known), max(one.large.num_devices for one in known)
    if line.rungs[0].num_ranks < fewest or line.rungs[-1].num_ranks > most:
        span = f"{line.rungs[0].num_ranks} to {line.rungs[-1].num_ranks} ranks"
        reasons = (*reasons, f"it spans {span}, and they span {_scales(known)}")
    return reasons


def _verdict(value: Interval, low: float, high: float) -> Verdict:
    if value.low > high:
        return Verdict.ABOVE
    return Verdict.BELOW if value.high < low else Verdict.BETWEEN


def _words(verdict: Verdict) -> str:
    return {
        Verdict.ABOVE: "above every public figure of",
        Verdict.BELOW: "below every public figure of",
    }.get(verdict, "among the public figures of")


def _advice(verdict: Verdict) -> str:
    above = "Check that the loss falls, that precision and batch are meant, and that no work is left out."
    below = "What holds the point back is told by its verdict; public runs are tuned for their machine."
    return {Verdict.ABOVE: above, Verdict.BELOW: below}.get(verdict, "")


def _count(of: Sequence[Submission]) -> str:
    return f"{len(of)} public {'result' if len(of) == 1 else 'results'}"


def _batches(of: Sequence[Submission]) -> str:
    batches = sorted({one.global_batch / one.num_devices for one in of})
    text = f"{batches[0]:g}" if len(batches) == 1 else f"{batches[0]:g} to {batches[-1]:g}"
    return f"{text} {'sample' if text == '1' else 'samples'} a step"


def _scales(of: Sequence[PublicEfficiency]) -> str:
    return f"{min(one.small.num_devices for one in of)} to {max(one.large.num_devices for one in of)}"
