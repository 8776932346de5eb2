"""The point that a user means: by the beginning of its id, by a record, or by its number in the report."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from saih.commands.choice import Folders
from saih.commands.selection import find_folder
from saih.commands.stage import plan_of
from saih.commands.talk import say
from saih.domain.errors import DamagedData, SaihError, UsageError
from saih.domain.point import Point
from saih.planner.plan import Plan
from saih.store.attempt import read_record
from saih.store.sweep_folder import SweepFolder, attempts_of, point_ids, sweep_names

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_ID = re.compile(r"([0-9a-f]{1,16})(?:/attempt-([1-9][0-9]{0,8}))?")
_MAX_CANDIDATES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A point of a sweep, and how it was asked for."""

    folder: SweepFolder
    plan: Plan
    point: Point
    labels: Mapping[str, str]
    dropped: str = ""
    """Why the plan leaves it out; empty where it does not."""
    number: int | None = None
    attempt: int | None = None
    """The attempt that was asked for; None for the one that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A sweep in which to look, with all its points by their ids."""

    folder: SweepFolder
    plan: Plan
    planned: Mapping[str, tuple[Point, Mapping[str, str], str]] = field(repr=False)
    """Point, labels and why it was dropped."""

    def ids(self) -> set[str]:
        """Planned, dropped and attempted points."""
        return {*self.planned, *point_ids(self.folder)}


def find_point(asked: str, name: str | None, folders: Folders) -> Found:
    """The point that is meant, in the sweep ``name``, or in any below the results folder.

    Decimal digits are a number of the report where it has that many points, and the beginning of an id else.

    Raises:
        UsageError: when there is none, or more than one.
    """
    number, match = _NUMBER.fullmatch(asked), _ID.fullmatch(asked)
    if number is None and match is None:
        raise UsageError(
            f"{asked[:60]!r} is no point",
            "give its id or the beginning of it, POINT/attempt-N, or its number in the report.",
        )
    places = tuple(_places(name, folders))
    if number is not None and (found := _by_number(int(asked), places, folders)) is not None:
        return found
    if match is None:
        raise _unknown(asked, places)
    candidates = [
        (place, point_id)
        for place in places
        for point_id in sorted(place.ids())
        if point_id.startswith(match.group(1))
    ]
    if not candidates:
        raise _unknown(asked, places)
    if len(candidates) > 1:
        raise _ambiguous(asked, candidates)
    return _found(*candidates[0], attempt=int(match.group(2)) if match.group(2) else None)


def _places(name: str | None, folders: Folders) -> Iterator[_Place]:
    if name is not None:
        yield _place(find_folder(name, folders.results), folders.data)
        return
    names = sweep_names(folders.results)
    if not names:
        raise UsageError(
            f"there is no sweep in {folders.results}", "run `saih sweep` first, or name it with --results."
        )
    for one in names:
        try:
            yield _place(SweepFolder(folders.results, one), folders.data)
        except SaihError as error:  # others may still hold the point
            if len(names) == 1:
                raise
            say(f"{one} was passed over: {error.problem}")


def _place(folder: SweepFolder, data_folder: Path) -> _Place:
    plan = plan_of(folder, data_folder)
    planned = {one.point.point_id: (one.point, one.labels, "") for one in plan.points}
    planned |= {one.point.point_id: (one.point, one.labels, one.reason) for one in plan.dropped}
    return _Place(folder=folder, plan=plan, planned=planned)


def _by_number(number: int, places: Sequence[_Place], folders: Folders) -> Found | None:
    """The point with this number in the tables of the report; None where no report has that many."""
    from saih.commands.analysis import analysis_of

    if len(places) > 1:
        lines = [f"saih show {number} {place.folder.name}" for place in places[:_MAX_CANDIDATES]]
        raise UsageError(
            f"{number} is a number of {len(places)} reports:\n  " + "\n  ".join(lines), "say which one."
        )
    try:
        points = analysis_of(places[0].folder, folders.data)[0].points
    except UsageError:  # nothing to number; the digits may still begin an id
        if any(point_id.startswith(str(number)) for point_id in places[0].ids()):
            return None
        raise
    return _found(places[0], points[number - 1].point.point_id, number) if number <= len(points) else None


def _found(place: _Place, point_id: str, number: int | None = None, attempt: int | None = None) -> Found:
    tried = [one.number for one in attempts_of(place.folder, point_id)]
    if attempt is not None and attempt not in tried:
        raise UsageError(
            f"{point_id} of {place.folder.name} has no attempt {attempt}",
            f"it has {', '.join(map(str, tried)) or 'none'}.",
        )
    if point_id in place.planned:
        point, labels, dropped = place.planned[point_id]
    else:
        point, labels, dropped = _recorded(place.folder, point_id), {}, ""
    return Found(
        folder=place.folder,
        plan=place.plan,
        point=point,
        labels=labels,
        dropped=dropped,
        number=number,
        attempt=attempt,
    )


def _recorded(folder: SweepFolder, point_id: str) -> Point:
    """A point that the plan has no more, from its records."""
    for attempt in attempts_of(folder, point_id):
        try:
            return read_record(attempt, folder.name).point
        except (FileNotFoundError, DamagedData):
            continue
    raise UsageError(
        f"{point_id} is not in the plan of {folder.name}, and has no record that verifies",
        f"look into {folder.path / point_id}.",
    )


def _unknown(asked: str, places: Sequence[_Place]) -> UsageError:
    known = sorted({point_id for place in places for point_id in place.ids()})
    where = ", ".join(place.folder.name for place in places[:_MAX_CANDIDATES])
    near = [point_id for point_id in known if point_id[:1] == asked[:1]][:_MAX_CANDIDATES]
    hint = f"those that begin alike are {', '.join(near)}; " if near else ""
    return UsageError(f"there is no point {asked!r} in {where}", f"{hint}`saih status NAME` lists all.")


def _ambiguous(asked: str, candidates: Sequence[tuple[_Place, str]]) -> UsageError:
    """Every candidate by a command that means it alone."""
    lines = [
        f"saih show {point_id} {place.folder.name}"
        + (f"  ({', '.join(place.planned[point_id][1].values())})" if point_id in place.planned else "")
        for place, point_id in candidates[:_MAX_CANDIDATES]
    ]
    hidden = len(candidates) - len(lines)
    more = [f"... and {hidden} more"] if hidden else []
    return UsageError(
        f"{asked!r} may be {len(candidates)} points:\n  " + "\n  ".join([*lines, *more]), "say which one."
    )
