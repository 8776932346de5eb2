from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.synthetic_sweep import Size, synthetic_analysis
from saih.domain.trend import PointSummary
from saih.reports.edge_section import edge_section
from saih.reports.edge_table import edge_table
from saih.reports.grid import grids
from saih.reports.map_panels import edge_segments
from saih.reports.setting import setting_names
from saih.reports.thinned import thinned, thinned_words
from saih.reports.turn_section import turns_of

EDGE = Size(data=7, model=5, ranks=2)


def test_every_turn_lies_between_neighbours_with_different_limits() -> None:
    analysis = synthetic_analysis(Size(data=5, model=4, ranks=1))
    turns = turns_of(analysis)
    assert turns
    for turn in turns:
        ids = turn.trend.record_ids
        assert ids.index(turn.after.record_id) == ids.index(turn.before.record_id) + 1
        assert turn.before.diagnosis.limit is not turn.after.diagnosis.limit
    limits = {point.record_id: point.diagnosis.limit for point in analysis.points}
    changes = [
        limits[one] is not limits[two] for trend in analysis.trends for one, two in pairwise(trend.record_ids)
    ]
    assert sum(changes) == len(turns)


def test_the_table_of_the_edge_tells_predicted_and_available_bytes() -> None:
    analysis = synthetic_analysis(EDGE)
    short = [point.shortage for point in analysis.dropped if point.shortage is not None]
    assert short
    rows = edge_table(analysis).rows
    assert any("80.0\N{NO-BREAK SPACE}GB" in cell for row in rows for cell in row)
    assert any("memory of a GPU" in cell for row in rows for cell in row)
    counts = sum(int(row[0].split()[0]) if "points from" in row[0] else 1 for row in rows)
    assert counts == len(analysis.failed) + len(analysis.dropped)


def test_the_edge_lies_between_measured_cells_and_lost_ones_only() -> None:
    for grid in grids(synthetic_analysis(EDGE)):
        num_sides = sum(
            isinstance(grid.cells.get((row, column)), PointSummary)
            is not isinstance(grid.cells.get(other), PointSummary)
            for row, column in grid.cells
            for other in ((row + 1, column), (row, column + 1))
            if other in grid.cells
        )
        assert len(edge_segments(grid)) == num_sides > 0


def test_a_sweep_without_losses_says_that_its_edge_is_beyond() -> None:
    section = edge_section(synthetic_analysis(Size(data=2, model=2, ranks=1)))
    assert section.is_short
    assert "beyond this sweep" in str(section.blocks)


def test_settings_are_named_by_what_differs() -> None:
    analysis = synthetic_analysis(Size(data=1, model=1, ranks=3))
    assert list(setting_names(analysis.points).values()) == [
        "1 rank on 1 node",
        "2 ranks on 1 node",
        "4 ranks on 1 node",
    ]


@given(st.lists(st.integers(), min_size=1, max_size=60), st.integers(min_value=1, max_value=20))
def test_thinning_keeps_the_ends_and_the_order(items: list[int], most: int) -> None:
    places = thinned(range(len(items)), most)
    assert list(places) == sorted(set(places))
    assert len(places) == min(most, len(items))
    assert places[0] == 0
    assert most == 1 or places[-1] == len(items) - 1
    assert bool(thinned_words(len(places), len(items), "line")) == (len(places) < len(items))
