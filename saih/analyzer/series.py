"""Trends of series that others measured: the same laws, intervals and checks as for own sweeps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.checks import TARGET_FACTOR
from saih.analyzer.fit import Law, Prediction, describe, intervals, predict, term_words
from saih.analyzer.peer_forecasts import own_chained_error, peer_forecasts
from saih.analyzer.series_checks import SeriesScene, check_series
from saih.analyzer.series_laws import Measured, SeriesLaws, fit_series, predict_series
from saih.analyzer.series_reach import out_of_reach
from saih.analyzer.series_readings import Judged, judge
from saih.domain.peer import PeerForecast
from saih.domain.quantity import with_si
from saih.domain.series import HIDDEN_PHASES, SECONDS_PER_UNIT, Series
from saih.domain.series_trend import Component, SeriesPoint, SeriesTrend
from saih.domain.trend import CurvePoint, Fit

Array = NDArray[np.float64]

POINTS_INSIDE = 25
POINTS_OUTSIDE = 8


def trend_of(series: Series) -> SeriesTrend:
    """The laws of a series and its phases, its curve up to twice the largest size, and its checks.

    Whatever is wrong with a reading is a finding; such readings take no part.
    """
    judged, phases, findings = _judged(series)
    measured = Measured(
        kind=series.kind,
        points=judged.points,
        noise=judged.noise,
        phases={name: one.points for name, one in phases.items()},
        phase_noise={name: one.noise for name, one in phases.items()},
    )
    refusal = out_of_reach(judged.points)
    laws = fit_series(measured) if refusal is None else None
    words = value_words(series)
    grid = _grid(judged.points) if laws is not None else np.zeros(0)
    scene = SeriesScene(series=series, points=judged.points, laws=laws, words=words)
    return SeriesTrend(
        series=series,
        points=judged.points,
        fit=_described(laws.total, series) if laws is not None else None,
        components=_components(laws, series, grid) if laws is not None else (),
        curve=_curve(predict_series(laws, grid), grid, judged.points) if laws is not None else (),
        checks=check_series(scene),
        peers=_peers(judged.points) if laws is not None else (),
        chained_error=own_chained_error(laws.total) if laws is not None else None,
        findings=(*series.remarks, *findings, *([refusal] if refusal is not None else [])),
    )


def value_words(series: Series) -> Callable[[float], str]:
    """How a value of the series is written, such as ``12.3 ms``."""
    seconds = SECONDS_PER_UNIT.get(series.unit)
    if seconds is not None:
        return lambda value: with_si(value * seconds, "s")
    return lambda value: f"{value:.4g} {series.unit}".rstrip()


def _judged(series: Series) -> tuple[Judged, Mapping[str, Judged], tuple[str, ...]]:
    """The whole and the phases that stand at each of its sizes, and what is wrong with them."""
    phases = {name: judge(readings, name, is_part=True) for name, readings in series.phases.items()}
    findings = [text for one in phases.values() for text in one.findings]
    whole = judge(series.whole, "") if series.whole else _summed(phases, findings)
    findings = [*whole.findings, *findings]
    sizes = [point.size for point in whole.points]
    fitting = {name: one for name, one in phases.items() if [point.size for point in one.points] == sizes}
    left_out = [name for name in phases if name not in fitting and sizes]
    if left_out:
        findings.append(
            f"The phases {', '.join(left_out)} are not told at the same sizes as the whole; the whole has a "
            "law of its own, and no phase is fitted."
        )
    return whole, {} if left_out else fitting, tuple(findings)


def _summed(phases: Mapping[str, Judged], findings: list[str]) -> Judged:
    """The whole as the sum of its phases, where the file tells no whole."""
    added = [one for name, one in phases.items() if name not in HIDDEN_PHASES]
    tables = [{point.size: point for point in one.points} for one in added]
    sizes = sorted(set.intersection(*(set(table) for table in tables))) if tables else []
    if tables:
        findings.append("The file tells no whole; it is the sum of its phases.")
    points = tuple(
        SeriesPoint(
            size=size,
            value=sum(table[size].value for table in tables),
            interval=None,
            num_runs=min(table[size].num_runs for table in tables),
            places=tuple(place for table in tables for place in table[size].places[:1]),
        )
        for size in sizes
    )
    return Judged(points=points, noise=max((one.noise for one in added), default=0.0), findings=())


def _peers(points: Sequence[SeriesPoint]) -> tuple[PeerForecast, ...]:
    sizes, values = [point.size for point in points], [point.value for point in points]
    return peer_forecasts(sizes, values, TARGET_FACTOR * sizes[-1])


def _components(laws: SeriesLaws, series: Series, grid: Array) -> tuple[Component, ...]:
    return tuple(
        Component(
            phase=name,
            is_hidden=name in laws.hidden,
            points=laws.measured.phases[name],
            fit=_described(law, series),
            curve=_curve(predict(law, grid), grid, laws.measured.points),
        )
        for name, law in {**laws.parts, **laws.hidden}.items()
    )


def _described(law: Law, series: Series) -> Fit:
    """The law in the unit of the series."""
    found, words = describe(law, None), value_words(series)
    parts = [
        f"{words(coefficient)} {term_words(term, found.scale)}".rstrip()
        for coefficient, term in zip(found.coefficients, found.terms, strict=True)
    ]
    return replace(found, text=" + ".join(parts))


def _grid(points: Sequence[SeriesPoint]) -> Array:
    """Sizes at which curves are drawn: inside the range, beyond it, and the measured ones."""
    sizes = [point.size for point in points]
    inside = np.geomspace(sizes[0], sizes[-1], POINTS_INSIDE)
    outside = np.geomspace(sizes[-1], TARGET_FACTOR * sizes[-1], POINTS_OUTSIDE + 1)
    return np.unique(np.concatenate([inside, outside, np.array(sizes)]))


def _curve(prediction: Prediction, grid: Array, points: Sequence[SeriesPoint]) -> tuple[CurvePoint, ...]:
    largest = points[-1].size
    return tuple(
        CurvePoint(size=float(size), interval=interval, is_extrapolated=bool(size > largest * (1 + 1e-9)))
        for size, interval in zip(grid, intervals(prediction, len(points)), strict=True)
    )
