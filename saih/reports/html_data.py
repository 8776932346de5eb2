"""What the interactive figures of a page show, as JSON: numbers to place marks by, and words to print.

The words are those of the tables, so that a page and a PDF never differ in a digit.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from saih.domain.interval import Interval
from saih.domain.quantity import duration, interval_with_si, percent, share, with_si
from saih.domain.record import HIDDEN_PHASES, STEP_PHASES, Phase
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import Analysis, CurvePoint, FailedPoint, PointSummary
from saih.reports.grid import Cell, Grid, grids, setting_of
from saih.reports.html_lines import Line, lines_of
from saih.reports.label import shortened
from saih.reports.map_figure import state_words
from saih.reports.rung_labels import told_apart
from saih.reports.stack_figure import phase_words

_NAME, _REASON = 160, 400
_PHASES = (*STEP_PHASES, *HIDDEN_PHASES)
_QUANTITIES = (
    ("share", "share of measured peak", "%"),
    ("flops", "rate", "FLOP/s"),
    ("samples", "samples per second", ""),
    ("step", "median step", "s"),
    ("vendor", "share of the vendor's peak", "%"),
    ("energy", "energy per sample", "J"),
)
Json = dict[str, Any]  # Any: JSON values


def figures_json(analysis: Analysis) -> str:
    """The data of the interactive figures; labels and numbers of points are those of the document."""
    analysis, _ = told_apart(analysis)
    missing: tuple[FailedPoint | DroppedPoint, ...] = (*analysis.failed, *analysis.dropped)
    cells: tuple[Cell, ...] = (*analysis.points, *missing)
    settings = sorted({setting_of(cell.point) for cell in cells})
    points = [_point(point, number, settings) for number, point in enumerate(analysis.points, start=1)]
    known = {name for point in points for name in point["values"]}
    places = {point.record_id: index for index, point in enumerate(analysis.points)}
    places |= {cell.point.point_id: index for index, cell in enumerate(missing)}
    content = {
        "quantities": [
            {"name": name, "title": title, "unit": unit} for name, title, unit in _QUANTITIES if name in known
        ],
        "settings": [shortened(setting, _NAME) for setting in settings],
        "phases": [{"title": phase_words(phase), "hidden": phase in HIDDEN_PHASES} for phase in _PHASES],
        "points": points,
        "missing": [_missing(cell, settings) for cell in missing],
        "lines": [_line(line, places) for line in lines_of(analysis)],
        "maps": [_map(grid, places, settings) for grid in grids(analysis)],
    }
    return json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _point(summary: PointSummary, number: int, settings: Sequence[str]) -> Json:
    quantities = _quantities(summary)
    return {
        "number": number,
        "record": summary.record_id,
        "labels": _labels(summary.labels),
        "setting": settings.index(setting_of(summary.point)),
        "values": {name: _bounds(values) for name, values, _ in quantities if values is not None},
        "words": {name: shortened(words, _NAME) for name, _, words in quantities},
        "steps": summary.step_ns.count,
        "level": percent(summary.step_ns.level),
        "verdict": str(summary.diagnosis.limit),
        "evidence": shortened(" ".join(summary.diagnosis.evidence), _REASON),
        "stop": shortened(summary.stop_reason, _NAME),
        "phases": [_phase(summary, phase) for phase in _PHASES],
    }


def _quantities(summary: PointSummary) -> list[tuple[str, Interval | None, str]]:
    """Name, values in the unit of the ordinate, and words of each quantity."""
    peak, vendor = summary.share_of_peak, summary.share_of_vendor_peak
    return [
        ("share", peak.scaled(100.0) if peak else None, share(peak) if peak else ""),
        ("flops", summary.flops_per_s, interval_with_si(summary.flops_per_s, "FLOP/s")),
        ("samples", summary.samples_per_s, interval_with_si(summary.samples_per_s, "")),
        ("step", summary.step_ns.scaled(1e-9), duration(summary.step_ns)),
        ("vendor", vendor.scaled(100.0) if vendor else None, share(vendor) if vendor else ""),
        ("energy", *_energy(summary)),
    ]


def _energy(summary: PointSummary) -> tuple[Interval | None, str]:
    """Joules per sample; the mean of all steps, and that it has no interval, where blocks were too few."""
    energy = summary.energy
    if energy is None:
        return None, f"absent: {summary.energy_reason or 'no counter was read'}"
    if energy.joules_per_sample is not None:
        return energy.joules_per_sample, interval_with_si(energy.joules_per_sample, "J")
    mean = energy.mean_joules_per_sample
    alone = Interval(low=mean, value=mean, high=mean, level=summary.step_ns.level, count=energy.num_blocks)
    return alone, f"{with_si(mean, 'J')} (mean, without interval)"


def _phase(summary: PointSummary, phase: Phase) -> list[Any] | None:  # Any: JSON values
    """Median [s] and words of a phase; None where it was not recorded."""
    found = summary.phases_ns.get(phase)
    return [_brief(found.value * 1e-9), duration(found), found.count] if found else None


def _missing(cell: FailedPoint | DroppedPoint, settings: Sequence[str]) -> Json:
    return {
        "labels": _labels(cell.labels),
        "setting": settings.index(setting_of(cell.point)),
        "state": state_words(cell),
        "reason": shortened(cell.reason, _REASON),
    }


def _line(line: Line, places: Mapping[str, int]) -> Json:
    return {
        "axis": shortened(line.axis, _NAME),
        "sizeLabel": shortened(line.size_label, _NAME),
        "name": shortened(line.name, _NAME),
        "points": [
            [_brief(size), places[record_id]]
            for size, record_id in zip(line.sizes, line.record_ids, strict=True)
            if record_id in places
        ],
        "curves": {
            "share": [_curve_point(point, 100.0) for point in line.share_curve],
            "step": [_curve_point(point, 1e-9) for point in line.step_curve],
            "energy": [_curve_point(point, 1.0) for point in line.energy_curve],
        },
    }


def _curve_point(point: CurvePoint, factor: float) -> list[float]:
    """Size, low, value, high, and 1 where it is extrapolated."""
    return [_brief(point.size), *_bounds(point.interval.scaled(factor)), int(point.is_extrapolated)]


def _map(grid: Grid, places: Mapping[str, int], settings: Sequence[str]) -> Json:
    """Cells are row, column, the place of a measured point and that of a missing one, -1 for none."""
    cells = []
    for (row, column), cell in sorted(grid.cells.items(), key=lambda item: item[0]):
        if isinstance(cell, PointSummary):
            cells.append([row, column, places[cell.record_id], -1])
        else:
            cells.append([row, column, -1, places[cell.point.point_id]])
    return {
        "setting": settings.index(grid.setting),
        "data": [shortened(rung.label, _NAME) for rung in grid.data],
        "model": [shortened(rung.label, _NAME) for rung in grid.model],
        "cells": cells,
    }


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {shortened(axis, _NAME): shortened(label, _NAME) for axis, label in sorted(labels.items())}


def _bounds(interval: Interval) -> list[float]:
    return [_brief(interval.low), _brief(interval.value), _brief(interval.high)]


def _brief(value: float) -> float:
    """Six digits place a mark on any screen."""
    return float(f"{value:.6g}")
