"""A comparison as tables on the terminal."""

from collections.abc import Iterable, Sequence

from saih.commands.table import table
from saih.domain.quantity import duration, factor
from saih.domain.trend import Comparison
from saih.reports.rung_labels import matched_apart


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


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""


def _words(labels: Iterable[str]) -> str:
    return ", ".join(labels)
