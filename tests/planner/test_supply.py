"""Plans of points whose batches do not come from the data folder."""

from dataclasses import replace

from saih.config.preset import preset_sweep
from saih.domain.limits import Limits
from saih.domain.site import Site
from saih.domain.supply import Supply
from saih.planner.demand import demand
from saih.planner.plan import make_plan
from tests.planner.conftest import BASE

SYNTHETIC, STAGED = Supply(input="synthetic"), Supply(staging="node")


def test_synthetic_points_need_no_data_set_and_have_ids_of_their_own() -> None:
    real = make_plan(BASE, Limits())
    made = make_plan(replace(BASE, supply=SYNTHETIC), Limits())
    assert len(made.points) == len(real.points)
    assert not {one.point.point_id for one in made.points} & {one.point.point_id for one in real.points}
    assert (made.data_bytes, made.disk_bytes) == (0, 0)
    assert real.disk_bytes > 0
    assert all(one.cost.input_bytes == 0 for one in made.points)
    assert [one.cost.flops for one in made.points] == [one.cost.flops for one in real.points]
    assert [dict(one.cost.axis_sizes) for one in made.points] == [
        dict(one.cost.axis_sizes) for one in real.points
    ]
    assert any("no data set is made or read" in note for note in made.notes)


def test_a_full_disk_drops_no_synthetic_point() -> None:
    full = Limits(disk_bytes=10)
    assert not make_plan(BASE, full).points
    assert make_plan(replace(BASE, supply=SYNTHETIC), full).points


def test_staged_points_keep_their_data_sets_and_tell_where_the_copies_go() -> None:
    plan = make_plan(replace(BASE, supply=STAGED), Limits())
    assert plan.disk_bytes == make_plan(BASE, Limits()).disk_bytes
    assert any("staging_folder of the site file, else TMPDIR" in note for note in plan.notes)


def test_points_measured_before_there_were_supplies_keep_their_ids() -> None:
    for planned in make_plan(BASE, Limits()).points:
        assert "supply" not in planned.point.definition


def test_workloads_that_read_no_data_set_refuse_both_by_name() -> None:
    sweep = preset_sweep("energon")
    for supply, words in ((SYNTHETIC, "input: synthetic"), (STAGED, "staging: node")):
        plan = make_plan(replace(sweep, supply=supply), Limits())
        assert not plan.points
        assert {dropped.reason for dropped in plan.dropped} == {
            f"energon reads no data set, so {words} says nothing; remove that key."
        }


def test_contradictions_that_no_file_can_hold_are_refused_too() -> None:
    both = Supply(input="synthetic", staging="node")
    plan = make_plan(replace(BASE, supply=both), Limits())
    assert {dropped.reason for dropped in plan.dropped} == {both.contradiction}


def test_demands_of_synthetic_sweeps_are_told() -> None:
    plan = make_plan(replace(BASE, supply=SYNTHETIC), Limits())
    assert demand(plan, (), Site()).data_bytes == 0
