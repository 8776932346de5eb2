"""What the benchmark of latency judges, and what it tells beside its bars."""

from dataclasses import replace

import pytest

from benchmarks.galaxy_latency import GAIN_ENVIRONMENT, GAIN_RATE, WAYS, Row, judged, line_of

ROW = Row(
    model="gpt2-774m",
    environment=GAIN_ENVIRONMENT,
    rate_mbit=GAIN_RATE,
    took_ms=dict.fromkeys(WAYS, 36_000.0) | {"ours": 12_000.0, "ours int8": 11_000.0},
    bound_ms=dict.fromkeys(WAYS, 11_900.0),
    foreseen_ms=dict.fromkeys(WAYS, 36_000.0) | {"ours": 12_000.0, "ours int8": 11_000.0},
    error=dict.fromkeys(WAYS, 0.0) | {"ours int8": 0.0123},
    compute_ms=11_900.0,
    link_ms=5_000.0,
    plan="hybrid, heads 11:6:3, 16 tiles",
)


def test_what_flops_allow_stands_beside_the_bar_of_int8(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(judged([ROW]))
    assert "over even Megatron, int8 (by FLOPs at most 3.08 x): 3.273 x" in capsys.readouterr().out


@pytest.mark.parametrize("way", ["ours", "ours int8"])
def test_a_forecast_that_is_far_off_misses_a_bar(way: str) -> None:
    far = replace(ROW, foreseen_ms={**ROW.foreseen_ms, way: 0.85 * ROW.took_ms[way]})
    assert sum(not is_met for is_met in judged([far])) == 1


def test_how_far_answers_over_int8_are_is_told() -> None:
    assert "int8 is off by 0.012" in line_of(ROW)
