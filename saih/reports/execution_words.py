"""What executions bring, in words: how much faster one is than another, rung by rung."""

import math
from collections.abc import Sequence

from saih.domain.claim import Claim
from saih.domain.execution_gain import ExecutionGain
from saih.domain.quantity import counted, factor
from saih.domain.trend import EXECUTION_LABEL, Analysis, PointSummary
from saih.reports.label import shortened
from saih.reports.terminal_text import wrapped

_NAME = 60
_MOST_LINES = 24
MOST_IN_SUMMARY = 2
"""Sentences on executions that leave the summary on one page."""


def gain_claims(analysis: Analysis) -> tuple[Claim, ...]:
    """One sentence for each execution that was held against another: at the largest rung, and over all."""
    groups: dict[tuple[str, str], list[ExecutionGain]] = {}
    for gain in analysis.gains:
        groups.setdefault((gain.name, gain.baseline), []).append(gain)
    return tuple(_claim(analysis, group) for group in groups.values())


def execution_words(point: PointSummary) -> str:
    """As which a point ran: ``plain``, ``reference``, or ``tuned: bfloat16, own kernels``."""
    label = point.point.execution.label
    return f"{label}: {point.execution.found_words}" if point.point.execution.is_searched else label


def has_executions(points: Sequence[PointSummary]) -> bool:
    """Whether any point was not executed plainly."""
    return not all(point.point.execution.is_plain for point in points)


def gain_lines(analysis: Analysis, width: int) -> list[str]:
    """A line for each rung that was measured in several executions; nothing where none was."""
    if not analysis.gains:
        return []
    hidden = len(analysis.gains) - _MOST_LINES
    lines = ["What executions bring"]
    for gain in analysis.gains[:_MOST_LINES]:
        ratio = f"{gain.name} {factor(gain.ratio)} the {gain.baseline}{_as(gain)}"
        lines += wrapped(f"{rung_words(analysis, gain)}: {ratio}", width, "  ", "    ")
    return [*lines, f"  ... and {hidden} more (--json lists all)"] if hidden > 0 else lines


def rung_words(analysis: Analysis, gain: ExecutionGain) -> str:
    """The rungs of a gain, by the labels of its point; its placement too where points have several."""
    own = next((one for one in analysis.points if one.record_id == gain.record_id), None)
    labels = gain.labels if own is None else own.labels
    rungs = [shortened(label, _NAME) for axis, label in sorted(labels.items()) if axis != EXECUTION_LABEL]
    several = len({one.placement_label for one in analysis.gains}) > 1
    return ", ".join([*rungs, *([gain.placement_label] if several else [])])


def _as(gain: ExecutionGain) -> str:
    return f" ({gain.settings})" if gain.settings and gain.settings != gain.name else ""


def _claim(analysis: Analysis, group: Sequence[ExecutionGain]) -> Claim:
    largest = max(group, key=lambda gain: math.prod(gain.axis_sizes.values()))
    where = rung_words(analysis, largest)
    text = (
        f"{_begun(largest.name)} is {factor(largest.ratio)} the {largest.baseline} at {where}{_as(largest)}"
        f"{_range(group)}."
    )
    record_ids = [one for gain in group for one in (gain.record_id, gain.baseline_record_id)]
    return Claim(
        claim_id=f"execution/{shortened(largest.name, _NAME)}",
        text=text,
        record_ids=tuple(dict.fromkeys(record_ids)),
    )


def _range(group: Sequence[ExecutionGain]) -> str:
    if len(group) == 1:
        return ""
    ratios = sorted(gain.ratio.value for gain in group)
    return f"; over {counted(len(group), 'rung')} it is {ratios[0]:.3g}x to {ratios[-1]:.3g}x"


def _begun(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
