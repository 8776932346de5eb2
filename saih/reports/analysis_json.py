"""An analysis as plain JSON values, for programs: SI units as the names say, no NaN, nothing left out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from saih.domain.comparison import Comparison
from saih.domain.history import History
from saih.domain.point import Point
from saih.domain.series_trend import SeriesTrend
from saih.domain.trend import Analysis
from saih.reports.point_sheet import PointSheet

SCHEMA_VERSION = 1
COMPARISON_VERSION = 2
"""1 had two systems only, and one list of matched points."""


def analysis_as_json(analysis: Analysis) -> dict[str, Any]:
    """The analysis with ``schema`` and ``version``; intervals are {low, value, high, level, count}."""
    return {"schema": "saih.analysis", "version": SCHEMA_VERSION, **_fields(analysis)}


def comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison with ``schema`` and ``version``, in the form of ``analysis_as_json``."""
    pairs = [{**_plain(pair), "geometric_mean": _plain(pair.geometric_mean)} for pair in comparison.pairs]
    return {
        "schema": "saih.comparison",
        "version": COMPARISON_VERSION,
        **_fields(comparison),
        "pairs": pairs,
    }


def history_as_json(history: History) -> dict[str, Any]:
    """The history with ``schema`` and ``version``, in the form of ``analysis_as_json``."""
    return {"schema": "saih.history", "version": SCHEMA_VERSION, **_fields(history)}


def point_as_json(sheet: PointSheet) -> dict[str, Any]:
    """Everything about one point, in the form of ``analysis_as_json``."""
    return {"schema": "saih.point", "version": SCHEMA_VERSION, **_fields(sheet)}


def series_trends_as_json(trends: Sequence[SeriesTrend]) -> dict[str, Any]:
    """Trends of foreign series in the form of ``analysis_as_json``, in the unit of each series."""
    return {"series": [_plain(trend) for trend in trends]}


def _fields(value: Analysis | Comparison | History | PointSheet) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:  # Any: every kind of value that the domain holds
    if isinstance(value, Point):
        return {"point_id": value.point_id, **_plain(value.definition)}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> str | int | float | bool | None:  # Any: see _plain
    """Numbers stay; one that is not finite becomes null; an enum becomes its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)
