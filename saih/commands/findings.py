"""A comparison as tables on the terminal."""

from collections.abc import Iterable, Sequence

from saih.commands.table import table
from saih.domain.comparison import Comparison, Pair
from saih.domain.quantity import factor, interval_with_si
from saih.domain.system import System
from saih.reports.comparison_tables import verdict_word
from saih.reports.comparison_words import NAME, caution_words, pair_claims
from saih.reports.label import shortened
from saih.reports.rung_labels import matched_apart

_LONG = 300


def comparison_text(comparison: Comparison) -> str:
    """Each pair: matched points, views, findings, and what differs."""
    parts = [pair_text(pair, comparison.systems) for pair in comparison.pairs]
    return "\n\n\n".join(parts)


def pair_text(pair: Pair, systems: Sequence[System]) -> str:
    """One pair as tables and sentences."""
    told, shared = matched_apart(pair)
    a, b = (shortened(name, NAME) for name in (pair.name_a, pair.name_b))
    mean = pair.geometric_mean
    sides = [system for system in systems if system.name in (pair.name_a, pair.name_b)]
    parts = [
        _points(told, a, b) or "no point was measured on both",
        f"same at all points: {', '.join(shared)}" if shared else "",
        f"geometric mean of the speed ratios: {factor(mean)}" if mean else "",
        _views(pair, a, b) if pair.matched else "",
        _listed("findings", [claim.text for claim in pair_claims(pair)]),
        _listed(f"only {a}", pair.only_a),
        _listed(f"only {b}", pair.only_b),
        _listed("would match but for something", pair.near_misses),
        _listed("differences", pair.differences),
        _listed("cautions", caution_words(sides)),
        _listed(
            "without a number",
            [f"{shortened(one.name, NAME)}: {text}" for one in sides for text in one.failed],
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _points(pair: Pair, a: str, b: str) -> str:
    rows = [
        (
            ", ".join(point.labels.values()),
            interval_with_si(point.rate_a, ""),
            interval_with_si(point.rate_b, ""),
            factor(point.speed_ratio),
            "different" if point.is_different else "not told apart",
        )
        for point in pair.matched
    ]
    return table(("point", f"samples/s {a}", f"samples/s {b}", f"speed {a} / {b}", ""), rows)


def _views(pair: Pair, a: str, b: str) -> str:
    rows = [
        (
            str(view.view),
            factor(view.ratio) if view.ratio is not None else "absent",
            verdict_word(view.ratio, is_different=view.is_different) if view.ratio is not None else "",
            view.remark,
        )
        for view in pair.views
    ]
    return table(("view", f"{a} / {b}", f"{a} is", ""), rows)


def _listed(title: str, lines: Iterable[str]) -> str:
    told = [f"  {shortened(line, _LONG)}" for line in lines]
    return "\n".join([f"{title}:", *told]) if told else ""
