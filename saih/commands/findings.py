"""An analysis and a comparison as tables on the terminal."""

from collections.abc import Iterable, Sequence

from saih.commands.table import table
from saih.domain.quantity import duration, factor
from saih.domain.trend import Analysis, Check, Comparison, Trend
from saih.reports.rung_labels import matched_apart
from saih.reports.terminal import scaling_lines, summary_lines

_MARKS = {True: "ok", False: "FAILED", None: "unknown"}


def analysis_text(analysis: Analysis) -> str:
    """Points with their limits, then the law of every trend and how far it may be trusted."""
    scaling = "\n".join(scaling_lines(analysis))
    trends = [_trend(trend) for trend in analysis.trends]
    return "\n\n".join(part for part in ("\n".join(summary_lines(analysis)), scaling, *trends) if part)


def comparison_text(comparison: Comparison) -> str:
    """Matched points with the ratio of their speeds, and what differs."""
    comparison, shared = matched_apart(comparison)
    names = comparison.name_a, comparison.name_b
    rows = [
        (
            _words(point.labels.values()),
            duration(point.step_a_ns),
            duration(point.step_b_ns),
            factor(point.speed_ratio),
            "different" if point.is_different else "not told apart",
        )
        for point in comparison.matched
    ]
    header = ("point", f"step {names[0]}", f"step {names[1]}", f"speed {names[0]} / {names[1]}", "")
    mean = comparison.geometric_mean
    parts = [
        table(header, rows) or "no point was measured on both",
        f"same at all points: {_words(shared)}" if shared else "",
        f"geometric mean of the speed ratios: {factor(mean)}" if mean else "",
        _listed(f"only {names[0]}", comparison.only_a),
        _listed(f"only {names[1]}", comparison.only_b),
        _listed("differences", comparison.differences),
    ]
    return "\n\n".join(part for part in parts if part)


def _trend(trend: Trend) -> str:
    law = trend.total.text if trend.total else "no law"
    lines = [f"along {trend.axis} ({trend.size_label}), {trend.fixed}:", f"  step: {law}"]
    lines += [f"  {str(fit.phase).replace('_', ' ')}: {fit.text}" for fit in trend.components]
    return "\n".join([*lines, *(_check(check) for check in trend.checks)])


def _check(check: Check) -> str:
    return f"  [{_MARKS[check.passed]}] {check.statement}"


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""


def _words(labels: Iterable[str]) -> str:
    return ", ".join(labels)
