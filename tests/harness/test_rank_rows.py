import numpy as np
import pytest
from mpi4py import MPI

from saih.domain.record import STEP_PHASES, Meter, Phase
from saih.harness.phases import COLUMNS, METERS, Rows
from saih.harness.rank_rows import gather_steps, medians
from saih.harness.step_meter import UNKNOWN


def rows_with(meters: Rows) -> Rows:
    phases = np.full((len(meters), len(COLUMNS)), 5, dtype=np.int64)
    return np.hstack([phases, meters])


def test_meters_come_with_the_phases_of_each_rank() -> None:
    meters = np.arange(4 * len(METERS), dtype=np.int64).reshape(4, -1)
    steps = gather_steps(MPI.COMM_SELF, rows_with(meters), [30] * 4, [0.1] * 6)
    assert steps is not None
    assert steps.meters == {meter: (tuple(meters[:, place].tolist()),) for place, meter in enumerate(METERS)}
    assert steps.duration_ns[Phase.FORWARD] == ((5,) * 4,)


def test_a_meter_that_was_unknown_at_any_step_is_absent() -> None:
    meters = np.ones((4, len(METERS)), dtype=np.int64)
    meters[2, METERS.index(Meter.WORK_RUN_DELAY)] = UNKNOWN
    steps = gather_steps(MPI.COMM_SELF, rows_with(meters), [30] * 4, [0.1] * 6)
    assert steps is not None
    assert set(METERS) - set(steps.meters) == {Meter.WORK_RUN_DELAY}


@pytest.mark.parametrize("has_meters", [True, False])
def test_medians_are_of_phases_alone(*, has_meters: bool) -> None:
    rows = rows_with(np.ones((4, len(METERS)), dtype=np.int64))
    found = medians(rows if has_meters else rows[:, : len(COLUMNS)])
    assert found.tolist() == [5 * len(STEP_PHASES), *[5] * len(COLUMNS)]


def test_a_phase_in_which_no_rank_ever_was_is_absent_where_only_pipelines_have_it() -> None:
    rows = np.full((4, len(COLUMNS)), 5, dtype=np.int64)
    waits = COLUMNS.index(Phase.STAGE_WAIT)
    for waited_ns in (0, 7):
        rows[1, waits] = waited_ns
        rows[[0, 2, 3], waits] = 0
        steps = gather_steps(MPI.COMM_SELF, rows, [40] * 4, [0.1] * 6)
        assert steps is not None
        assert (Phase.STAGE_WAIT in steps.duration_ns) == (waited_ns > 0)
        assert steps.step_ns == ((30, 30 + waited_ns, 30, 30),)
