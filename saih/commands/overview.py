"""What became of all points of a sweep, readable for ten points and for a hundred thousand."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from saih.domain.quantity import counted
from saih.planner.plan import Plan
from saih.reports.rung_labels import labels_apart
from saih.reports.terminal_bars import gauge
from saih.reports.terminal_table import table_lines
from saih.reports.terminal_text import columns_of, wrapped

MAX_ROWS = 60
"""More points are told in groups."""
_MAX_GROUPS, _MAX_RUNGS, _MAX_REASONS = 16, 12, 8
_GAUGE = 16
_SHORT_REASON = 28
"""Reasons that may not be read whole in the table stand below it."""
DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointLine:
    """One point in a line."""

    point_id: str
    labels: Mapping[str, str]
    state: str
    why: str
    num_attempts: int | None
    """None where attempts are not told."""
    is_done: bool


def dropped_lines(plan: Plan) -> tuple[PointLine, ...]:
    """The points that the plan leaves out."""
    return tuple(
        PointLine(
            point_id=one.point.point_id,
            labels=one.labels,
            state=DROPPED,
            why=one.reason,
            num_attempts=0,
            is_done=False,
        )
        for one in plan.dropped
    )


def overview_text(lines: Sequence[PointLine], width: int) -> str:
    """A row for each point; of many, how far each axis is, and groups that ended alike."""
    if len(lines) > MAX_ROWS:
        more = wrapped("`saih show POINT` tells all of one point; --json lists every point", width)
        return "\n".join([*_axes(lines, width), "", *_groups(lines, width), "", *more])
    return "\n".join([*_rows(lines, width), *_reasons(lines, width)])


def _rows(lines: Sequence[PointLine], width: int) -> list[str]:
    known = [line.labels for line in lines if line.state != DROPPED]
    labels, shared = labels_apart([line.labels for line in lines], known)
    names = tuple(known[0]) if known else tuple(lines[0].labels) if lines else ()
    has_attempts = any(line.num_attempts is not None for line in lines)
    rows = [
        (
            line.point_id,
            *(label.get(name, "") for name in names),
            line.state,
            *((str(line.num_attempts),) if has_attempts else ()),
            " ".join(line.why.split()),
        )
        for line, label in zip(lines, labels, strict=True)
    ]
    header = ("point", *names, "state", *(("attempts",) if has_attempts else ()), "why")
    cuttable = [(len(header) - 1,), range(1, len(names) + 1)]
    same = wrapped(f"same at all points: {', '.join(shared)}", width, rest="  ") if shared else []
    if not any(line.why for line in lines):
        header, rows, cuttable = header[:-1], [row[:-1] for row in rows], cuttable[1:]
    return [*same, *table_lines(header, rows, width=width, cuttable=cuttable)]


def _reasons(lines: Sequence[PointLine], width: int) -> list[str]:
    """Reasons that the table may have cut; those that differ in numbers alone, once."""
    alike: dict[str, list[PointLine]] = {}
    for line in lines:
        if columns_of(line.why) > _SHORT_REASON:
            alike.setdefault(_without_numbers(line.why), []).append(line)
    told: list[str] = []
    for group in alike.values():
        more = f" (and {len(group) - 1} alike)" if len(group) > 1 else ""
        told += ["", *wrapped(f"{group[0].point_id}{more}: {group[0].why}", width, rest="  ")]
    return told


def _without_numbers(why: str) -> str:
    return re.sub(r"[0-9]+", "N", why)


def _axes(lines: Sequence[PointLine], width: int) -> list[str]:
    """For each axis that grows, how many points of each rung are done."""
    told: list[str] = []
    planned = [line for line in lines if line.state != DROPPED]
    known = [line.labels for line in planned]
    shorter, shared = labels_apart(known, known)
    told += wrapped(f"same at all points: {', '.join(shared)}", width, rest="  ") if shared else []
    for axis in dict.fromkeys(name for labels in shorter for name in labels):
        total = Counter(labels.get(axis, "") for labels in shorter)
        done = Counter(
            labels.get(axis, "") for line, labels in zip(planned, shorter, strict=True) if line.is_done
        )
        if len(total) < 2:
            continue
        rungs = _spread(list(total))
        rows = [
            (rung, gauge(done[rung] / total[rung], _GAUGE), f"{done[rung]} of {total[rung]}")
            for rung in rungs
        ]
        told += ["", *table_lines((axis, "done", "points"), rows, width=width, cuttable=((0,),))]
        hidden = len(total) - len(rungs)
        told += [f"({counted(hidden, 'rung')} between them not shown)"] if hidden else []
    return told


def _spread(rungs: Sequence[str]) -> list[str]:
    """The rungs, or the first and the last of many."""
    half = _MAX_RUNGS // 2
    return list(rungs) if len(rungs) <= _MAX_RUNGS else [*rungs[:half], *rungs[-half:]]


def _groups(lines: Sequence[PointLine], width: int) -> list[str]:
    """Points of one state and one reason, whatever numbers are in it; then the reasons whole."""
    groups: dict[tuple[str, str], list[PointLine]] = {}
    for line in lines:
        groups.setdefault((line.state, _without_numbers(line.why)), []).append(line)
    ordered = sorted(groups.values(), key=len, reverse=True)
    shown = ordered[:_MAX_GROUPS]
    rows = [
        (group[0].state, str(len(group)), group[0].point_id, " ".join(group[0].why.split()))
        for group in shown
    ]
    told = table_lines(("state", "points", "such as", "why"), rows, width=width, cuttable=((3,),))
    if len(ordered) > len(shown):
        rest = sum(len(group) for group in ordered[_MAX_GROUPS:])
        told.append(f"... and {counted(rest, 'point')} in {len(ordered) - len(shown)} smaller groups")
    return [
        *told,
        *_reasons([group[0] for group in shown if len(group[0].why) > _SHORT_REASON][:_MAX_REASONS], width),
    ]


def progress_lines(lines: Sequence[PointLine], left: str, width: int) -> list[str]:
    """How many of the points that can run are done, as a gauge; ``left`` says how long the others take."""
    able = [line for line in lines if line.state != DROPPED]
    done = sum(line.is_done for line in able)
    share = done / len(able) if able else 0.0
    said = f" {done} of {counted(len(able), 'point')} ({int(100 * share)} %)"
    return [f"{gauge(share, max(min(width - columns_of(said), 40), 8))}{said}", *([left] if left else [])]
