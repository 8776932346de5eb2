"""An analysis as one text for a terminal: findings first, then points, plots, laws and how far they hold."""

from saih.domain.trend import Analysis, Check, Trend
from saih.reports.terminal import scaling_lines, summary_lines

_MARKS = {True: "ok", False: "FAILED", None: "unknown"}


def analysis_text(analysis: Analysis, width: int = 100) -> str:
    """Points with their limits, then the law of every trend and how far it may be trusted."""
    parts = ["\n".join(summary_lines(analysis, width)), "\n".join(scaling_lines(analysis, width))]
    return "\n\n".join(part for part in (*parts, *map(_trend, analysis.trends)) if part)


def _trend(trend: Trend) -> str:
    law = trend.total.text if trend.total else "no law"
    lines = [f"along {trend.axis} ({trend.size_label}), {trend.fixed}:", f"  step: {law}"]
    lines += [f"  {str(fit.phase).replace('_', ' ')}: {fit.text}" for fit in trend.components]
    return "\n".join([*lines, *(_check(check) for check in trend.checks)])


def _check(check: Check) -> str:
    return f"  [{_MARKS[check.passed]}] {check.statement}"
