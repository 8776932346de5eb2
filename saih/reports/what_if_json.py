"""Forecasts as plain JSON values, for programs."""

from dataclasses import asdict
from typing import Any

from saih.domain.what_if import Forecast, WhatIf

SCHEMA_VERSION = 1


def what_if_as_json(found: WhatIf) -> dict[str, Any]:
    """The scenario and its forecasts; intervals are {low, value, high, level, count}, durations in ns."""
    scenario = found.scenario
    return {
        "sweep_name": found.sweep_name,
        "scenario": {
            "alterations": [
                {"part": str(one.part), "speed": None if one.is_removal else one.speed, "text": str(one)}
                for one in scenario.alterations
            ],
            "growth": None if scenario.growth is None else asdict(scenario.growth),
        },
        "forecasts": [_forecast(forecast) for forecast in found.forecasts],
        "verified": {record_id: list(statements) for record_id, statements in found.verified.items()},
    }


def _forecast(forecast: Forecast) -> dict[str, Any]:
    limits = {"limit": str(forecast.limit), "then": None if forecast.then is None else str(forecast.then)}
    return {**asdict(forecast), "labels": dict(forecast.labels), **limits}
