"""The text and the JSON of a plan: totals for any number of ranks, and readable however long."""

from dataclasses import replace

import pytest

from augment.ladder import build
from saih.commands.listing import MAX_ROWS, plan_json, plan_text
from saih.config.preset import preset_sweep
from saih.config.sweep_file import with_axes
from saih.domain.limits import Limits
from saih.domain.site import Site
from saih.domain.sweep import Sweep
from saih.planner.plan import make_plan

SLURM = Site(name="big", scheduler="slurm", max_time_s=7200.0)


def large_sweep() -> Sweep:
    """Up to 4096 ranks on 1024 nodes."""
    return with_axes(preset_sweep("cluster", ["placement.nodes=1024"]), ("model", "ranks"))


def test_a_plan_of_thousands_of_ranks_tells_node_hours_bytes_files_and_jobs() -> None:
    sweep = large_sweep()
    text = plan_text(sweep, make_plan(sweep, Limits()), SLURM)
    assert "ranks: 13 rungs, 1 rank to 4096 ranks" in text
    assert "data sets: 17.2 GB" in text
    assert "on 1024 nodes" in text
    assert "of them on nodes that wait" in text
    assert "files: about" in text
    assert "scheduler jobs: 5 (1 makes data sets, 3 measure, 1 reports)" in text


def test_nothing_waits_where_every_placement_has_jobs_of_its_own() -> None:
    sweep = large_sweep()
    text = plan_text(sweep, make_plan(sweep, Limits()), replace(SLURM, packing="placement"))
    assert "nodes that wait" not in text
    assert "scheduler jobs: 15 (1 makes data sets, 13 measure, 1 reports)" in text


def test_a_plan_for_this_machine_has_no_scheduler_jobs() -> None:
    sweep = preset_sweep("laptop")
    text = plan_text(sweep, make_plan(sweep, Limits()))
    assert "scheduler jobs" not in text
    assert "on 1 node, " in text


def test_points_that_no_job_has_time_for_are_shown_as_dropped() -> None:
    sweep = preset_sweep("laptop", ["timing={budget_s: 5000, max_steps: 1000000}"])
    text = plan_text(sweep, make_plan(sweep, Limits()), replace(SLURM, max_time_s=3600.0))
    assert "sweep laptop: 0 points" in text
    assert "12 points dropped:" in text
    assert "a job on big has 58 (max_time_h 1, less notice_s 120)" in text


@pytest.mark.parametrize("num_widths", [MAX_ROWS, 4 * MAX_ROWS])
def test_a_long_plan_shows_its_ends_and_says_what_is_between(num_widths: int) -> None:
    ladder = build("model", {"width": list(range(1, num_widths + 1))}, "zip")
    sweep = replace(preset_sweep("laptop"), ladders=(ladder,))
    plan = make_plan(sweep, Limits())
    text = plan_text(sweep, plan)
    shown = [one for one in plan.points if one.point.point_id in text]
    assert len(shown) == MAX_ROWS
    assert shown[0] == plan.points[0]
    assert shown[-1] == plan.points[-1]
    assert ("... 180 more points (--json lists all)" in text) == (num_widths > MAX_ROWS)
    assert len(plan_json(sweep, plan)["points"]) == num_widths


def test_many_dropped_points_are_told_in_few_lines() -> None:
    ladder = build("data", {"resolution": [16, *range(33, 63)]}, "zip")
    sweep = replace(preset_sweep("laptop"), ladders=(ladder,))
    plan = make_plan(sweep, Limits())
    text = plan_text(sweep, plan)
    assert "30 points dropped:" in text
    assert "and 10 more (--json lists all)" in text
    assert len(plan_json(sweep, plan)["dropped"]) == 30


def test_the_json_of_a_plan_tells_its_batches_and_what_they_ask() -> None:
    sweep = large_sweep()
    document = plan_json(sweep, make_plan(sweep, Limits()), SLURM)
    listed = [one for batch in document["batches"] for one in batch["point_ids"]]
    assert sorted(listed) == sorted(point["point_id"] for point in document["points"])
    held_s = sum(batch["nodes"] * batch["predicted_s"] for batch in document["batches"])
    assert document["demand"]["node_hours"] >= held_s / 3600
    assert document["demand"]["num_jobs"] == len(document["batches"]) + 2
    assert all(batch["time_limit_s"] <= 7200 for batch in document["batches"])
    assert all(point["predicted_s"] > 0 for point in document["points"])
