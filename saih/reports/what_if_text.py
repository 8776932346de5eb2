"""Forecasts as text for a terminal: a table, and bars of each step before and after."""

from collections.abc import Sequence
from dataclasses import replace

from saih.domain.interval import Interval
from saih.domain.quantity import counted, duration, in_seconds
from saih.domain.what_if import Forecast, WhatIf
from saih.reports.label import shortened
from saih.reports.rung_labels import labels_apart
from saih.reports.terminal_bars import bar
from saih.reports.terminal_table import table_lines
from saih.reports.terminal_text import columns_of, cut, padded

_NAME = 60
_SAME = 200
_MOST_BARS = 24
_LEAST_BAR, _MOST_BAR = 10, 40
_BESIDE_BAR = 40
"""Columns for the name and the duration beside a bar."""
_REFUSAL = 400


def what_if_text(found: WhatIf, width: int) -> str:
    """The forecasts of a scenario; what is predicted is marked so, and every refusal has its reason."""
    forecasts, shared = _told_apart(found.forecasts)
    told = [forecast for forecast in forecasts if forecast.predicted_ns is not None]
    lines = [
        f"{shortened(found.sweep_name, _NAME)}: what if {shortened(str(found.scenario), 120)}?",
        "Predicted by replaying the measured steps, 90 % intervals; nothing of it was measured.",
        *([f"Same at all points: {shortened(', '.join(shared), _SAME)}."] if shared else []),
        "",
    ]
    lines += _table(told, width)
    lines += _bars(told, width)
    lines += _refusals(forecasts)
    lines += _verified(found, forecasts)
    return "\n".join(lines).rstrip()


def _told_apart(forecasts: Sequence[Forecast]) -> tuple[list[Forecast], tuple[str, ...]]:
    """The forecasts with names as short as still tells them apart, and what is the same for all."""
    known = [forecast.labels for forecast in forecasts]
    shorter, shared = labels_apart(known, known)
    constant = {axis for axis in known[0] if len({labels.get(axis) for labels in shorter}) == 1}
    if not known or constant >= set(known[0]):
        constant = set()
    said = (*shared, *(shorter[0][axis] for axis in known[0] if axis in constant))
    told = [
        replace(one, labels={axis: label for axis, label in own.items() if axis not in constant})
        for one, own in zip(forecasts, shorter, strict=True)
    ]
    return told, said


def _table(told: Sequence[Forecast], width: int) -> list[str]:
    header = ("point", "measured", "predicted", "change", "limited by", "then")
    rows = [
        (
            _name(forecast),
            duration(forecast.measured_ns),
            duration(forecast.predicted_ns),
            _change(forecast.ratio),
            str(forecast.limit),
            f"{forecast.then or 'unknown'}{' (extrapolated)' if forecast.is_extrapolated else ''}",
        )
        for forecast in told
        if forecast.predicted_ns is not None and forecast.ratio is not None
    ]
    return table_lines(header, rows, width=width, cuttable=((0,), (4, 5)))


def _name(forecast: Forecast) -> str:
    words = shortened(", ".join(forecast.labels.values()), _NAME)
    return f"{words} -> {shortened(forecast.at, _NAME)}" if forecast.at else words


def _change(ratio: Interval) -> str:
    """The change of the step in percent, such as ``-12 % [-15, -9]``."""
    low, value, high = (100 * (bound - 1) for bound in (ratio.low, ratio.value, ratio.high))
    return f"{value:+.0f} % [{low:+.0f}, {high:+.0f}]"


def _bars(told: Sequence[Forecast], width: int) -> list[str]:
    """Each step before and after on one scale; of many points those that change most."""
    known = [one for one in told if one.predicted_ns is not None and one.ratio is not None]
    if not known:
        return []
    by_change = sorted(
        known, key=lambda one: abs(one.ratio.value - 1) if one.ratio is not None else 0.0, reverse=True
    )
    kept = {id(one) for one in by_change[:_MOST_BARS]}
    shown = [one for one in known if id(one) in kept]
    longest = max(
        max(one.measured_ns.value, one.predicted_ns.value) for one in shown if one.predicted_ns is not None
    )
    space = min(max(width - _BESIDE_BAR, _LEAST_BAR), _MOST_BAR)
    name_width = min(max(columns_of(_name(one)) for one in shown), max(width - space - 24, 12))
    lines = ["", "step before (measured) and after (predicted):"]
    for one in shown:
        if one.predicted_ns is None:
            continue
        name = padded(cut(_name(one), name_width), name_width, is_right=False)
        for title, value in ((name, one.measured_ns.value), (" " * name_width, one.predicted_ns.value)):
            lines.append(f"{title}  {bar(value / longest, space)} {in_seconds(value)}".rstrip())
    if len(shown) < len(known):
        lines.append(f"({counted(len(shown), 'point')} of {len(known)} that change most)")
    return lines


def _refusals(forecasts: Sequence[Forecast]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for forecast in forecasts:
        if forecast.refusal:
            reasons.setdefault(forecast.refusal, []).append(_name(forecast))
    if not reasons:
        return []
    lines = ["", "not predicted:"]
    for reason, names in reasons.items():
        whose = names[0] if len(names) == 1 else f"{counted(len(names), 'point')}, such as {names[0]}"
        lines.append(f"  {whose}: {shortened(reason, _REFUSAL)}")
    return lines


def _verified(found: WhatIf, forecasts: Sequence[Forecast]) -> list[str]:
    if not found.verified:
        return ["", "No verdict was put to the test by intervention; `saih sweep --verify` does."]
    names = {one.record_id: _name(one) for one in forecasts}
    lines = ["", "put to the test by intervention:"]
    for record_id, statements in found.verified.items():
        lines += [f"  {names.get(record_id, record_id)}: {statement}" for statement in statements]
    return lines
