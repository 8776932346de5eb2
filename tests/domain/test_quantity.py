import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.domain.interval import Interval
from saih.domain.quantity import (
    counted,
    duration,
    factor,
    interval_with_si,
    percent,
    share,
    tick,
    with_si,
)


def interval(low: float, value: float, high: float) -> Interval:
    return Interval(low=low, value=value, high=high, level=0.95, count=9)


def spaced(text: str) -> str:
    return text.replace("\xa0", " ")


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1.234e9, "FLOP/s", "1.23 GFLOP/s"),
        (999.7, "B", "1.00 kB"),
        (0.0123, "s", "12.3 ms"),
        (1640.0, "s", "1640 s"),
        (0.5, "", "0.500"),
        (0.0, "s", "0 s"),
        (168_897, "", "169 k"),
        (4e-13, "s", "0.400 ps"),
        (3e22, "B", "30000 EB"),
    ],
)
def test_a_quantity_has_three_digits_and_an_si_prefix(value: float, unit: str, words: str) -> None:
    assert spaced(with_si(value, unit)) == words


def test_bounds_share_the_unit_of_the_value() -> None:
    assert spaced(duration(interval(0.9e6, 1.0e6, 1.2e6))) == "1.00 ms [0.90, 1.20]"
    assert spaced(interval_with_si(interval(950.0, 1000.0, 1100.0), "B/s")) == "1.00 kB/s [0.95, 1.10]"


def test_a_narrow_interval_gets_the_digits_that_show_it() -> None:
    assert spaced(share(interval(0.38195, 0.38200, 0.38205))) == "38.200 % [38.195, 38.205]"
    assert spaced(factor(interval(1.3, 1.32, 1.35))) == "1.32x [1.30, 1.35]"


def test_percent_and_counts_read_as_words() -> None:
    assert spaced(percent(0.041)) == "4.1 %"
    assert spaced(percent(0.379)) == "38 %"
    assert (counted(1, "point"), counted(0, "point")) == ("1 point", "0 points")


def test_ticks_have_no_trailing_zeros() -> None:
    assert [spaced(tick(value)) for value in (0.5, 1.0, 20.0, 200e3, 1e6)] == [
        "0.5",
        "1",
        "20",
        "200 k",
        "1 M",
    ]


@given(st.floats(min_value=1e-12, max_value=1e20), st.sampled_from(["", "s", "B", "FLOP/s"]))
def test_every_quantity_reads_back_within_its_digits(value: float, unit: str) -> None:
    powers = {"p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
    match = re.fullmatch(rf"([0-9.]+) ?([pnµmkMGTPE]?){re.escape(unit)}", spaced(with_si(value, unit)))
    assert match is not None
    read = float(match[1]) * 10.0 ** powers[match[2]]
    assert read == pytest.approx(value, rel=0.006, abs=0.0 if unit else 1e-12)
