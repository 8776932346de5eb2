"""Bad records: each is named in the analysis as what it is; nothing is dropped silently or averaged in."""

from dataclasses import replace

import numpy as np
import pytest

from saih.domain.errors import UsageError
from saih.domain.record import ADDITIVE_PHASES, Outcome, Phase, Steps
from saih.domain.trend import Analysis

ROWS = (8, 16, 32, 64, 128, 256)


@pytest.fixture
def analyzed(synthetic):
    from saih.analyzer.analysis import analyze  # noqa: PLC0415 - beside the fixture that needs it

    def run(records, **changed) -> Analysis:
        ceilings = changed.pop("ceilings", [synthetic.ceilings()])
        found = changed.pop("find_workload", lambda _: synthetic.workload)
        return analyze("sweep", records, ceilings, (), len(records), find_workload=found)

    return run


def growing(synthetic, rows, seed: int = 5) -> Steps:
    """Steps that take 1 ms for each row, as the work of the ceilings allows."""
    each = {Phase.FORWARD: 3e5 * rows, Phase.BACKWARD: 6e5 * rows, Phase.OTHER: 1e5 * rows}
    return synthetic.steps(each, np.random.default_rng((seed, rows)))


def in_unit(steps: Steps, factor: float) -> Steps:
    """The steps with every duration in another unit."""
    table = {
        phase: tuple(tuple(max(round(value * factor), 1) for value in row) for row in rows)
        for phase, rows in steps.duration_ns.items()
    }
    whole = tuple(
        tuple(sum(table[phase][rank][step] for phase in ADDITIVE_PHASES) for step in range(steps.num_steps))
        for rank in range(len(steps.step_ns))
    )
    return replace(steps, duration_ns=table, step_ns=whole)


def records_of(synthetic, rows=ROWS):
    return [synthetic.record(synthetic.point(rows=one), growing(synthetic, one)) for one in rows]


def trend_along_data(analysis: Analysis):
    (trend,) = [trend for trend in analysis.trends if trend.axis == "data"]
    return trend


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_points_are_said_to_be_too_few(synthetic, analyzed, count):
    analysis = analyzed(records_of(synthetic, ROWS[:count]))
    assert len(analysis.points) == count
    checks = [check for trend in analysis.trends for check in trend.checks if check.name == "enough points"]
    assert len(checks) == count - 1  # one point lies on no axis
    assert all(check.passed is None and "too few" in check.statement for check in checks)


def test_when_all_points_failed_each_says_why_and_there_is_no_number(synthetic, analyzed):
    records = [
        synthetic.record(synthetic.point(rows=rows), None, outcome=Outcome.OUT_OF_MEMORY, reason="too large")
        for rows in ROWS
    ]
    analysis = analyzed(records)
    assert (analysis.points, analysis.trends) == ((), ())
    assert [one.reason for one in analysis.failed] == ["too large"] * len(ROWS)


@pytest.mark.parametrize(
    ("value", "words"), [(0, "lasts 0 ns"), (-7, "lasts -7 ns"), (float("nan"), "nan ns")]
)
def test_a_duration_that_is_none_refuses_its_point_alone(synthetic, analyzed, value, words):
    records = records_of(synthetic)
    steps = records[2].result.steps
    spoiled = replace(steps, step_ns=((value, *steps.step_ns[0][1:]),))
    records[2] = synthetic.record(records[2].point, spoiled)
    analysis = analyzed(records)
    assert len(analysis.points) == len(ROWS) - 1
    assert words in analysis.failed[0].reason
    assert "clock that stands or runs backwards" in analysis.failed[0].reason
    assert trend_along_data(analysis).sizes == tuple(float(rows) for rows in ROWS if rows != 32)


@pytest.mark.parametrize("factor", [1e3, 1e-3])
@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_point_in_another_unit_is_refused_as_that(synthetic, analyzed, factor, place):
    records = records_of(synthetic)
    steps = in_unit(records[place].result.steps, factor)
    records[place] = synthetic.record(records[place].point, steps)
    analysis = analyzed(records)
    (failed,) = analysis.failed
    assert failed.record_ids == (records[place].record_id,)
    assert "one unit is told for another (ns for us)" in failed.reason
    assert f"about 10^{'3' if factor > 1 else '-3'} times" in failed.reason
    assert len(trend_along_data(analysis).sizes) == len(ROWS) - 1


def test_a_jump_between_three_points_fails_the_check_of_their_unit(synthetic, analyzed):
    """Which side of it is off nobody can tell, so no point is refused."""
    records = records_of(synthetic)[:3]
    records[2] = synthetic.record(records[2].point, in_unit(records[2].result.steps, 1e3))
    analysis = analyzed(records)
    assert analysis.failed == ()
    (unit,) = [one for one in trend_along_data(analysis).checks if one.name == "one unit"]
    assert unit.passed is False
    assert "may be in another unit (ns for us)" in unit.statement


def test_points_that_grow_fast_are_in_no_other_unit(synthetic, analyzed):
    records = [
        synthetic.record(synthetic.point(rows=rows), in_unit(growing(synthetic, rows), (rows / 8) ** 2))
        for rows in ROWS
    ]
    assert analyzed(records).failed == ()


def test_phases_in_another_unit_than_the_step_are_refused_as_that(synthetic, analyzed):
    records = records_of(synthetic)
    steps = records[1].result.steps
    records[1] = synthetic.record(records[1].point, replace(in_unit(steps, 1e-3), step_ns=steps.step_ns))
    (failed,) = analyzed(records).failed
    assert "in another unit" in failed.reason


def test_with_few_points_a_rate_a_thousand_times_the_ceiling_names_the_unit(synthetic, analyzed):
    steps = in_unit(growing(synthetic, 8), 1e-6)
    analysis = analyzed([synthetic.record(synthetic.point(rows=8), steps)])
    assert any("durations in us or ms are told for ns" in warning for warning in analysis.warnings)


def test_copied_runs_are_named(synthetic, analyzed):
    records = records_of(synthetic)
    copied = synthetic.record(records[4].point, records[3].result.steps)
    analysis = analyzed([*records[:4], copied, *records[5:]])
    (warning,) = [text for text in analysis.warnings if "nanosecond" in text]
    assert f"{records[3].record_id} = {copied.record_id}" in warning
    assert warning.startswith("2 records hold the steps of 1 run")
    assert not any("nanosecond" in text for text in analyzed(records).warnings)


def test_mixed_environments_are_refused_by_the_facts_that_differ(synthetic, analyzed):
    records = records_of(synthetic)
    other = replace(records[0].environment, facts={"cpu_model": "Test 2"}, environment_id="env-2")
    records[3] = replace(records[3], environment=other)
    with pytest.raises(UsageError, match=r"cpu_model \(Test 1 / Test 2\)"):
        analyzed(records)


def test_labels_in_any_script_change_no_number(synthetic, analyzed):
    class Foreign(type(synthetic.workload)):
        """The same problems under other names."""

        def describe(self, problem, axis):
            return f"宇宙 \u202e한국어 🚀 {super().describe(problem, axis)}"

    records = records_of(synthetic)
    plain, other = analyzed(records), analyzed(records, find_workload=lambda _: Foreign())
    assert [point.step_ns for point in plain.points] == [point.step_ns for point in other.points]
    assert [trend.step_curve for trend in plain.trends] == [trend.step_curve for trend in other.trends]
    assert "宇宙" in other.points[0].labels["data"]
