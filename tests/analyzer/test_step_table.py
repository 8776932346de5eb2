import numpy as np
import pytest

from saih.analyzer.step_table import at_rows, kept_with_table, table_of
from saih.domain.record import ADDITIVE_PHASES, Meter, Phase, RankSummary, Steps


def made(phases=tuple(Phase), summary=None):
    rows = {phase: ((10 + place, 20), (30, 40 + place)) for place, phase in enumerate(phases)}
    whole = np.sum([rows[phase] for phase in phases if phase in ADDITIVE_PHASES], axis=0)
    return Steps(
        duration_ns=rows,
        step_ns=tuple(map(tuple, whole.tolist())),
        losses=(1.0, 0.9),
        warmup_steps=0,
        summary=summary,
        meters={Meter.WORK_ON_CPU: ((1, 2), (3, 4))},
    )


def test_a_table_holds_what_the_steps_hold():
    steps = made()
    table = table_of(steps)
    assert {phase: tuple(map(tuple, rows.tolist())) for phase, rows in table.phases.items()} == (
        steps.duration_ns
    )
    assert table.whole.tolist() == [list(row) for row in steps.step_ns]
    assert table.slowest.tolist() == list(steps.slowest_ns)
    assert table.meters[Meter.WORK_ON_CPU].tolist() == [[1, 2], [3, 4]]
    assert table.greatest == max(map(max, steps.step_ns))


@pytest.mark.parametrize("phases", [tuple(Phase), tuple(reversed(Phase)), ADDITIVE_PHASES])
def test_additive_phases_come_in_their_order_whatever_that_of_the_record(phases):
    steps = made(phases)
    expected = [steps.duration_ns[phase] for phase in ADDITIVE_PHASES]
    assert np.array_equal(table_of(steps).additive, expected)


def test_of_summarised_ranks_the_slowest_of_all_counts():
    summary = RankSummary(num_ranks=9, kept=(0, 8), slowest_ns=(500, 600), median_step_ns=(), median_ns={})
    assert table_of(made(summary=summary)).slowest.tolist() == [500, 600]


def test_other_steps_have_another_table_and_nothing_can_be_written():
    first, second = made(), made(tuple(reversed(Phase)))
    assert table_of(first) is table_of(first)
    assert table_of(first) is not table_of(second)
    assert table_of(first).whole.tolist() == [list(row) for row in first.step_ns]
    with pytest.raises(ValueError, match="read-only"):
        table_of(first).durations[0, 0, 0] = 1.0


def test_a_phase_that_is_missing_is_named():
    steps = made(tuple(phase for phase in Phase if phase is not Phase.FORWARD))
    with pytest.raises(KeyError, match="forward"):
        _ = table_of(steps).additive


@pytest.mark.parametrize("num_ranks", [1, 3])
def test_each_step_is_picked_from_its_own_row(num_ranks):
    values = np.arange(2.0 * num_ranks * 4).reshape(2, num_ranks, 4)
    rows = np.arange(4) % num_ranks
    expected = [[values[phase, row, step] for step, row in enumerate(rows)] for phase in range(2)]
    assert at_rows(values, rows).tolist() == expected
    assert at_rows(values[0], rows).tolist() == expected[0]


def test_what_is_kept_with_a_table_is_found_once_for_each_number_of_ranks_that_meet():
    asked = []

    @kept_with_table
    def find(steps, size=None):
        asked.append(size)
        return len(asked)

    first, second = made(), made()
    assert [find(first), find(first, 1), find(first), find(first, 1)] == [1, 2, 1, 2]
    assert find(second, 1) == 3
    assert asked == [None, 1, 1]
