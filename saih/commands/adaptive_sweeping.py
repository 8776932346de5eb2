"""An adaptive sweep: measure the start, look, choose the next point, until enough is known.

What is measured is the only state: the same records give the same next point, so the same command continues
after any end.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saih.commands.adaptive_grid import Axes, Survey, axes_of, survey
from saih.commands.analysis import analysis_of
from saih.commands.outcome import states_json, where_option
from saih.commands.selection import read_choice
from saih.commands.stage import dropped_words, limits_here, require_points, stored_sweep
from saih.commands.sweeping import commands_of, measure, refuse_live_jobs
from saih.commands.talk import give, give_json, say
from saih.commands.wish import Wish, write_report_of
from saih.config.definition import define
from saih.domain.adaptive import Adaptive, Asked
from saih.domain.errors import UsageError
from saih.domain.quantity import counted, percent
from saih.domain.site import Site
from saih.domain.sweep import Sweep
from saih.domain.trend import Analysis
from saih.planner.adaptive import Choice, next_round, node_time, relaxed, start_design
from saih.planner.plan import Plan, make_plan
from saih.store.adaptive_file import write_adaptive
from saih.store.limits_file import write_limits
from saih.store.point_state import PointStatus
from saih.store.sweep_folder import SweepFolder, point_ids, point_states, record_definition, sweep_names


def sweep_adaptively(wish: Wish, site: Site, asked: Asked) -> int:
    """Measure what the asked precision needs on this machine, then report; gives the exit code."""
    folder, wanted, plan = _begin(wish, site, asked)
    axes = axes_of(wanted, plan)
    say(f"{wanted.name}: adaptive, {_wish_words(asked)}; {counted(len(plan.points), 'point')} in the grid")
    write_adaptive(folder, Adaptive(asked=asked, is_over=False, reason=""))
    campaign = _Campaign(wish=wish, site=site, sweep=wanted, plan=plan, folder=folder, axes=axes, asked=asked)
    choice, known = _measured(campaign)
    write_adaptive(folder, Adaptive(asked=asked, is_over=True, reason=choice.reason))
    return _ended(campaign, choice, known)


def with_kept_timing(wanted: Sweep, wish: Wish, asked: Asked) -> tuple[Sweep, str]:
    """The sweep with the timing of its results, or no longer a one than needed, and what is said."""
    folder = SweepFolder(wish.choice.results_folder, wanted.name)
    if wanted.name in sweep_names(folder.root) and any(point_ids(folder)):
        return replace(wanted, timing=stored_sweep(folder).timing), ""
    timing = relaxed(wanted.timing, asked.precision)
    if timing == wanted.timing:
        return wanted, ""
    return replace(wanted, timing=timing), (
        f"each point is measured until the interval of its median step is {percent(timing.relative_width)} "
        f"wide (usually {percent(wanted.timing.relative_width)}), over {timing.min_steps} steps at least: "
        "more would not help the trend"
    )


def _begin(wish: Wish, site: Site, asked: Asked) -> tuple[SweepFolder, Sweep, Plan]:
    wanted, note = with_kept_timing(read_choice(wish.choice), wish, asked)
    limits = limits_here(wish.choice.data_folder)
    plan = make_plan(wanted, limits)
    require_points(wanted, plan)
    folder = SweepFolder(wish.choice.results_folder, wanted.name)
    refuse_live_jobs(folder, plan)
    commands_of(plan, site)
    record_definition(folder, define(wanted))
    write_limits(folder, limits)
    for line in (*plan.notes, *dropped_words(plan), *([note] if note else [])):
        say(line)
    return folder, wanted, plan


def _wish_words(asked: Asked) -> str:
    budget = "" if asked.budget_node_s is None else f", within {node_time(asked.budget_node_s)}"
    return f"every step to be known within {percent(asked.precision)} (90 %){budget}"


def _measured(campaign: "_Campaign") -> tuple[Choice, Survey]:
    """Measure round after round; the choice that ended it, and what is known then."""
    plan, asked = campaign.plan, campaign.asked
    start = start_design(campaign.axes.sizes)
    tried = set(_failed(plan, campaign.folder)) if campaign.wish.is_retrying else set()
    if tried:
        campaign.measure(tried, is_retrying=True)
    while True:
        analysis = _analysis(campaign.wish, campaign.folder)
        known = survey(plan, campaign.axes, analysis, asked.precision)
        known = replace(known, prospects=tuple(one for one in known.prospects if one.point_id not in tried))
        chosen, choice = next_round(asked, start, known.prospects, known.spent_node_s)
        _tell(plan, known, chosen, choice)
        if not chosen:
            return choice, known
        # A point that has no outcome after its round, such as one that loses its ranks, is not chosen again.
        tried |= set(chosen)
        campaign.measure(chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Campaign:
    """One call of an adaptive sweep."""

    wish: Wish
    site: Site
    sweep: Sweep
    plan: Plan
    folder: SweepFolder
    axes: Axes
    asked: Asked

    def measure(self, chosen: Collection[str], *, is_retrying: bool = False) -> None:
        """Measure these points of the grid."""
        part = replace(
            self.plan, points=tuple(one for one in self.plan.points if one.point.point_id in chosen)
        )
        measure(replace(self.wish, is_retrying=is_retrying), self.site, self.sweep, part, self.folder)


def _analysis(wish: Wish, folder: SweepFolder) -> Analysis | None:
    """What is measured so far; None where there is nothing yet."""
    if not any(point_ids(folder)):
        return None
    try:
        return analysis_of(folder, wish.choice.data_folder)[0]
    except UsageError:  # begun, and nothing finished
        return None


def _failed(plan: Plan, folder: SweepFolder) -> tuple[str, ...]:
    states = point_states(folder, [planned.point.point_id for planned in plan.points])
    return tuple(name for name, state in states.items() if state.status is PointStatus.FAILED)


def _tell(plan: Plan, known: Survey, chosen: Collection[str], choice: Choice) -> None:
    """What is known, and why the next point is chosen."""
    measured = sum(belief.is_measured for belief in known.believed.values())
    worst = _worst(known)
    if measured:
        say(
            f"adaptive: {measured} of {counted(len(known.believed), 'point')} measured, {_doubt(worst)}, "
            f"about {node_time(known.spent_node_s)} spent"
        )
    names = [", ".join(one.labels.values()) for one in plan.points if one.point.point_id in chosen]
    if len(names) == 1:
        say(f"adaptive: next is {names[0]}: {choice.reason}")
    elif names:
        say(f"adaptive: the start is {counted(len(names), 'point')}: corners and the middle of the grid")
    else:
        say(f"adaptive: over: {choice.reason}")


def _doubt(worst: float) -> str:
    if worst >= 1:
        return "some steps are not known at all"
    return f"every step is known within {percent(worst)}"


def _ended(campaign: _Campaign, choice: Choice, known: Survey) -> int:
    wish, plan, folder, asked = campaign.wish, campaign.plan, campaign.folder, campaign.asked
    states = point_states(folder, [planned.point.point_id for planned in plan.points])
    left_out = [one.point_id for one in known.prospects if states[one.point_id].is_to_be_measured]
    report = write_report_of(wish, folder) if wish.is_reporting else None
    failed = _failed(plan, folder)
    if _worst(known) > asked.precision:
        say(
            f"not reached: the least known step is known within {percent(_worst(known))}, "
            f"{percent(asked.precision)} was asked for"
        )
    if left_out:
        say(
            f"{counted(len(left_out), 'point')} of {len(plan.points)} not measured: not needed; "
            f"`saih sweep {folder.name}{where_option(folder)}` measures the whole grid"
        )
    if wish.is_json:
        content = {"sweep": folder.name, **states_json(plan, states), "report": report and str(report)}
        give_json("sweep", {**content, "adaptive": _json(asked, choice, known, left_out)})
    elif report is not None:
        give(str(report))
    return 1 if failed else 0


def _json(asked: Asked, choice: Choice, known: Survey, left_out: list[str]) -> Mapping[str, Any]:
    worst = _worst(known)
    return {
        "precision": asked.precision,
        "is_reached": worst <= asked.precision,
        "half_width": worst,
        "reason": choice.reason,
        "spent_node_s": known.spent_node_s,
        "not_needed": left_out,
    }


def _worst(known: Survey) -> float:
    """Half-width of the least known step, in log."""
    return max(belief.half_width for belief in known.believed.values())
