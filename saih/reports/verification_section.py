"""The section that tells which verdicts were put to the test, and what came of it."""

from collections.abc import Sequence

from saih.domain.claim import Claim
from saih.domain.interval import Interval
from saih.domain.quantity import with_si
from saih.domain.trend import Analysis, PointSummary
from saih.domain.verification import ToggleEffect, Verification
from saih.reports.document import Block, Bullets, Column, Heading, Paragraph, Section, Table
from saih.reports.label import shortened
from saih.reports.verification_words import counts_of

TITLE = "Verdicts put to the test"
_INTRODUCTION = (
    "At these points the application ran once more, in windows without and with one cause, in random order "
    "inside one run. A verdict is verified only if the step moved as replaying its record predicts: ratio of "
    "measured to predicted within 0.8 to 1.2, for removals and over three doses, p at most 0.05, at least "
    "10 % of the step, while a switch that changes nothing (sham) moved nothing. It is refuted if the step "
    "surely moved otherwise, undecided where noise leaves it open, and contended where others used the cores."
    " Verified compute, memory or launches means that such work is on the critical path and that little else "
    "is; which of the three it is rests on the ceilings."
)
_MOST_POINTS = 40
_NAME, _TEXT = 60, 600


def verification_section(analysis: Analysis) -> Section | None:
    """The sentence of every verdict that was tested, and the doses behind it; None where none was."""
    tested = [point for point in analysis.points if point.verifications]
    if not tested:
        return None
    shown = tested[:_MOST_POINTS]
    counts = Claim(
        claim_id="verified/counts",
        text=f"Verdicts: {counts_of(tested)} put to the test.",
        record_ids=tuple(point.record_id for point in tested),
    )
    blocks: tuple[Block, ...] = (
        Paragraph(text=_INTRODUCTION),
        Bullets(items=(counts, *(_claim(point, one) for point in shown for one in point.verifications))),
        *_doses(shown),
    )
    if len(tested) > len(shown):
        more = f"{len(tested) - len(shown)} more points are in `saih analyze --json`."
        blocks = (*blocks, Paragraph(text=more, tone="small"))
    return Section(title=TITLE, blocks=blocks)


def _claim(point: PointSummary, one: Verification) -> Claim:
    name = shortened(", ".join(point.labels.values()), _NAME)
    return Claim(
        claim_id=f"verified/{point.point.point_id}/{one.limit.name.lower()}",
        text=shortened(f"{name}: {one.limit}: {one.statement}", _TEXT),
        record_ids=(point.record_id,),
    )


def _doses(points: Sequence[PointSummary]) -> tuple[Block, ...]:
    rows = tuple(
        (
            shortened(", ".join(point.labels.values()), _NAME),
            str(effect.toggle.intervention),
            with_si(effect.toggle.dose_ns * 1e-9, "s"),
            _interval(effect.predicted_ns),
            _interval(effect.measured_ns),
            f"{effect.num_pairs}",
        )
        for point in points
        for effect in _effects(point)
    )
    if not rows:
        return ()
    columns = (
        Column(title="point", weight=2.2),
        Column(title="load", weight=1.6),
        Column(title="dose", weight=0.9, side="right"),
        Column(title="predicted", weight=1.8, side="right"),
        Column(title="measured", weight=1.8, side="right"),
        Column(title="pairs", weight=0.6, side="right"),
    )
    alt = "Doses of added load: predicted and measured change of the step"
    return Heading(text="Added loads, by dose"), Table(columns=columns, rows=rows, alt=alt)


def _effects(point: PointSummary) -> list[ToggleEffect]:
    """Every dose once, although two verdicts may rest on it."""
    return list(dict.fromkeys(effect for one in point.verifications for effect in one.doses))


def _interval(change_ns: Interval) -> str:
    """A change of the step, which may be below 0."""
    low, value, high = (_signed(bound) for bound in (change_ns.low, change_ns.value, change_ns.high))
    return f"{value} ({low} to {high})"


def _signed(change_ns: float) -> str:
    sign = "-" if change_ns < 0 else "+"
    return sign + with_si(abs(change_ns) * 1e-9, "s")
