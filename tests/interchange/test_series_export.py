"""What is exported is read back as the same: CSV by ``parse_csv``, Extra-P's text by ``parse_extrap``."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saih.domain.interval import Interval
from saih.domain.series import Reading, Series, SeriesKind
from saih.interchange.extrap_export import GridPoint, extrap_lines, grids_of
from saih.interchange.extrap_text import parse_extrap
from saih.interchange.series_csv import parse_csv
from saih.interchange.series_export import csv_line, csv_lines

TEXTS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30
).map(str.strip).filter(lambda text: text and not text.startswith(("=", "@", "+", "-", "'")))  # fmt: skip
VALUES = st.floats(min_value=1e-9, max_value=1e15)


def reading(size: float, value: float) -> Reading:
    spread = Interval(low=0.9 * value, value=value, high=1.1 * value, level=0.95, count=24)
    return Reading(size=size, value=value, written="", place="p/attempt-1", spread=spread)


@settings(deadline=None, suppress_health_check=list(HealthCheck))  # shared machines stall
@given(name=TEXTS, phase=TEXTS, values=st.lists(VALUES, min_size=1, max_size=6))
def test_series_come_back_equal_whatever_they_are_called(name: str, phase: str, values: list[float]) -> None:
    whole = tuple(reading(float(2**index), value) for index, value in enumerate(values))
    series = Series(
        name=name, source="s", axis="ranks", size_label="ranks", kind=SeriesKind.WEAK, unit="ns",
        whole=whole, phases={phase: whole},
    )  # fmt: skip
    (again,) = parse_csv("".join(csv_lines([series])).encode(), "again")
    assert (again.name, again.axis, again.kind, again.unit) == (name, "ranks", SeriesKind.WEAK, "ns")
    for ours, theirs in ((series.whole, again.whole), (series.phases[phase], again.phases[phase])):
        assert [(one.size, one.value, one.spread) for one in ours] == [
            (one.size, one.value, one.spread) for one in theirs
        ]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+1", "-1", "\tx", "\rx"])
def test_no_text_is_a_formula_for_a_spreadsheet(text: str) -> None:
    assert csv_line([text, 1]).lstrip('"').startswith("'")


def test_points_of_a_grid_are_read_back_by_region_and_line() -> None:
    points = [
        GridPoint(
            sizes={"data axis": data, "model": model, "fixed": 7.0},
            seconds={"step": [data * model, 1.5], "step->forward pass": [0.1 + model]},
        )
        for data in (1.0, 2.0)
        for model in (10.0, 1e-7, 30.0)
    ]
    text = "".join(extrap_lines(points))
    assert "PARAMETER data_axis\nPARAMETER model\n" in text
    assert "fixed" not in text
    found = {series.name: series for series in parse_extrap(text.encode(), "t")}
    assert found["step time over data_axis at model=10"].values == ((10.0, 1.5), (20.0, 1.5))
    forward = found["step->forward_pass time over model at data_axis=2"]
    assert forward.sizes == (1e-7, 10.0, 30.0)
    assert forward.values == ((0.1 + 1e-7,), (10.1,), (30.1,))


def test_every_line_is_one_of_the_documented_grammar() -> None:
    points = [GridPoint(sizes={"p": size}, seconds={"a": [1.0, 2.0]}) for size in (1.0, 2.0, 4.0)]
    lines = [line.split() for line in extrap_lines(points) if line.strip()]
    assert lines[0][0] == "#"
    assert [line[0] for line in lines[1:]] == [
        "PARAMETER",
        "POINTS",
        "REGION",
        "METRIC",
        "DATA",
        "DATA",
        "DATA",
    ]
    assert lines[2] == ["POINTS", "1", "2", "4"]
    assert lines[5] == ["DATA", "1.0", "2.0"]


def test_points_of_the_same_sizes_go_to_files_of_their_own_and_lone_regions_stay_away() -> None:
    one = GridPoint(sizes={"p": 1.0}, seconds={"a": [1.0], "b": [1.0]})
    two = GridPoint(sizes={"p": 2.0}, seconds={"a": [1.0]})
    assert grids_of([one, two, one]) == ((one, two), (one,))
    assert "REGION b" not in "".join(extrap_lines([one, two]))
