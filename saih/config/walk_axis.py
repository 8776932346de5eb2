"""The axes ``iso`` and ``compound`` of a sweep: sizes of data, model and run that change together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from augment.compound import CompoundWalk
from augment.iso import IsoWalk, Quantity
from augment.ladder import Combine, build
from augment.problem import ProblemError, Shape, Value
from saih.config.entry import Entries, Path
from saih.config.mistake import nearest
from saih.config.workload_sizes import sizes_in
from saih.domain.errors import UsageError
from saih.domain.point import Placement
from saih.domain.scaling import placed_on, sharing
from saih.domain.sweep import BATCH, RANKS, SHARING, Sweep, Walk
from workloads.growing import GrowingWorkload
from workloads.protocol import Workload

ISO, COMPOUND = "iso", "compound"
WALKS = (ISO, COMPOUND)
_ISO: Path = ("axes", ISO)
_COMPOUND: Path = ("axes", COMPOUND)
_GIVEN: Path = (*_ISO, "walk")
_RUN_SIZES = (RANKS, BATCH, SHARING)


def check_walk_axis(
    entries: Entries, workload: Workload | None, placements: Sequence[Placement], num_placements: int
) -> None:
    """Report a walk that cannot be gone; ``workload`` is None where it could not be told.

    ``placements`` are those without a mistake.
    """
    names = [name for name in WALKS if ("axes", name) in entries.places]
    if not names or workload is None:
        return
    path: Path = ("axes", names[0])
    others = [name for name in ("data", "model", *WALKS) if ("axes", name) in entries.places]
    if len(others) > 1:
        found = f"the axes {', '.join(others)}"
        entries.report(
            entries.places[path],
            path,
            found,
            f"{names[0]} alone",
            "remove the others: it changes them itself",
        )
    if not isinstance(workload, GrowingWorkload):
        entries.report(
            entries.places[path],
            path,
            f"the workload {workload.name}",
            "a workload whose sizes can follow from a cost",
            "use cosmoflow, or axes of data and model",
        )
    elif names[0] == ISO:
        _check_iso(entries, workload, num_placements)
        _check_run_sizes(entries, placements)


def walk_of(entries: Entries) -> Walk | None:
    """The walk of entries without a mistake; None where the file has none."""
    if _COMPOUND in entries.places:
        phis = entries.values[(*_COMPOUND, "phi")].value
        values = phis if isinstance(phis, tuple) else (phis,)
        return CompoundWalk(phis=tuple(float(phi) for phi in values))
    if _ISO not in entries.places:
        return None
    lists = dict(_lists(entries))
    return IsoWalk(
        hold=_quantity(entries.word((*_ISO, "hold"))),
        rungs=build("data", lists, _combine(entries)).rungs,
        free=entries.word((*_ISO, "free")),
        tolerance=entries.real((*_ISO, "tolerance")),
    )


def num_stations(entries: Entries) -> int:
    """How many stations a walk has; 1 where there is none."""
    if _COMPOUND in entries.places:
        entry = entries.values.get((*_COMPOUND, "phi"))
        return len(entry.value) if entry is not None and isinstance(entry.value, tuple) else 1
    lengths = [len(values) for _, values in _lists(entries)]
    if _combine(entries) == "product":
        count = 1
        for length in lengths:
            count *= max(1, length)
        return count
    return max(lengths, default=1)


def walk_definition(sweep: Sweep) -> dict[str, Any]:
    """The walk of a sweep as its file has it."""
    walk = sweep.walk
    if walk is None:
        return {}
    if isinstance(walk, CompoundWalk):
        return {COMPOUND: {"phi": list(walk.phis)}}
    lists = {name: [rung[name] for rung in walk.rungs] for name in walk.rungs[0]}
    return {ISO: {"hold": walk.hold, "walk": lists, "free": walk.free, "tolerance": walk.tolerance}}


def walk_name(sweep: Sweep) -> str:
    """The name of the axis that a sweep's walk is; empty where it has none."""
    return "" if sweep.walk is None else COMPOUND if isinstance(sweep.walk, CompoundWalk) else ISO


def _check_iso(entries: Entries, workload: Workload, num_placements: int) -> None:
    known = (*sizes_in(workload.axes, "data"), *sizes_in(workload.axes, "model"), *_RUN_SIZES)
    lists = dict(_lists(entries))
    for name in lists:
        if name not in known:
            entries.report(
                entries.values[(*_GIVEN, name)].place,
                (*_GIVEN, name),
                f"the size {name!r}",
                "a size of the workload, ranks, batch_per_rank or spatial_parallel",
                nearest(name, known),
            )
    free = entries.values.get((*_ISO, "free"))
    if free is not None:
        _check_free(entries, workload, str(free.value), lists)
    if _GIVEN in entries.places and not lists and not entries.mistakes:
        entries.report(
            entries.places[_GIVEN], _GIVEN, "no sizes", "at least one list", "write resolution: [32, 64]"
        )
    if _combine(entries) == "zip" and len({len(values) for values in lists.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(values)}" for name, values in lists.items())
        entries.report(
            entries.places[_GIVEN],
            _GIVEN,
            f"lists of different lengths ({lengths})",
            "equal lengths, which pair up",
            "make them equal or add `combine: product`",
        )
    _check_ranks(entries, lists, num_placements, is_free=free is not None and free.value == RANKS)


def _check_run_sizes(entries: Entries, placements: Sequence[Placement]) -> None:
    """Ranks and batches of a walk are whole numbers; its ranks fill nodes, those of a sample divide them."""
    lists = dict(_lists(entries))
    for name in _RUN_SIZES:
        entry = entries.values.get((*_GIVEN, name))
        for value in entry.value if entry is not None and isinstance(entry.value, tuple) else ():
            try:
                count = Shape.of({name: value}).count(name)
                if name == RANKS and placements:
                    placed_on(placements[0], count)
                if name == SHARING and placements and RANKS not in lists:
                    sharing(placements[0], count)
            except (ProblemError, UsageError) as error:
                entries.report(
                    entries.places[_GIVEN], (*_GIVEN, name), str(value), "another number", str(error)
                )
                break


def _check_free(
    entries: Entries, workload: Workload, free: str, lists: Mapping[str, tuple[Value, ...]]
) -> None:
    path = (*_ISO, "free")
    place = entries.values[path].place
    if free in lists:
        entries.report(place, path, f"{free}, which walk gives", "another size", "remove it from one of them")
    elif free not in _RUN_SIZES and isinstance(workload, GrowingWorkload) and free not in workload.following:
        known = (*workload.following, *_RUN_SIZES)
        entries.report(place, path, free, "a size that can follow", nearest(free, known))


def _check_ranks(
    entries: Entries, lists: Mapping[str, tuple[Value, ...]], num_placements: int, *, is_free: bool
) -> None:
    """Where a walk changes ranks, nothing else may."""
    if RANKS not in lists and not is_free:
        return
    if ("axes", RANKS) in entries.places or num_placements > 1:
        found = "a ranks axis" if ("axes", RANKS) in entries.places else f"{num_placements} placements"
        entries.report(
            entries.places[_ISO],
            _ISO,
            f"ranks in the walk, and {found}",
            "one placement, whose ranks the walk changes",
            "remove ranks from one of them",
        )


def _lists(entries: Entries) -> Iterator[tuple[str, tuple[Value, ...]]]:
    for name, entry in entries.below(_GIVEN):
        if name != "combine" and isinstance(entry.value, tuple):
            yield name, entry.value


def _combine(entries: Entries) -> Combine:
    entry = entries.values.get((*_GIVEN, "combine"))
    return "product" if entry is not None and entry.value == "product" else "zip"


def _quantity(word: str) -> Quantity:
    found: dict[str, Quantity] = {one: one for one in get_args(Quantity)}
    return found[word]
