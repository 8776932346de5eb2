"""What a sweep must mean beyond the type of each value, and the ``Sweep`` that it means."""

import math
from collections.abc import Iterator, Mapping

from augment.ladder import AxisName, Combine, Ladder, build
from augment.problem import Problem, Shape, Value
from saih.config.entry import Entries, Entry, Path
from saih.config.execution_key import check_executions, executions_of, num_executions
from saih.config.mistake import nearest, shown
from saih.config.placement_keys import check_degrees, placement_paths, whole_placements
from saih.config.rank_axis import check_rank_axis, num_rank_rungs, rank_ladder
from saih.config.supply_keys import check_supply, supply_of
from saih.config.walk_axis import check_walk_axis, num_stations, walk_of
from saih.config.workload_sizes import sizes_in
from saih.domain.point import Exchange, Timing
from saih.domain.sweep import MAX_POINTS, Sweep
from workloads.catalog import workload
from workloads.protocol import Workload

AXES: tuple[AxisName, ...] = ("data", "model")
Lists = Mapping[str, tuple[Value, ...]]


def check_meaning(entries: Entries, workloads: Mapping[str, Workload]) -> None:
    """Report what contradicts the workload or itself; entries that could not be typed are passed over."""
    asked = entries.values.get(("workload",))
    if asked is not None:
        _check_sizes(entries, workloads[str(asked.value)])
    for axis in AXES:
        _check_ladder(entries, axis)
    check_degrees(entries)
    check_rank_axis(entries, whole_placements(entries), len(placement_paths(entries)))
    named = None if asked is None else workloads[str(asked.value)]
    if named is not None:
        check_executions(entries, named)
    check_walk_axis(entries, named, whole_placements(entries), len(placement_paths(entries)))
    _check_count(entries)
    _check_steps(entries)
    _check_exchange(entries, workloads)
    check_supply(entries)


def build_sweep(entries: Entries) -> Sweep:
    """The sweep of entries without a mistake."""
    placements = whole_placements(entries)
    return Sweep(
        name=entries.word(("name",)),
        workload=entries.word(("workload",)),
        base=Problem(data=_shape(entries, "data"), model=_shape(entries, "model")),
        ladders=tuple(_ladder(entries, axis) for axis in AXES if ("axes", axis) in entries.places),
        batch_per_rank=entries.whole(("run", "batch_per_rank")),
        precision=entries.word(("run", "precision")),
        exchange=_exchange(entries),
        placements=placements,
        timing=Timing(
            warmup_steps=entries.whole(("timing", "warmup_steps")),
            min_steps=entries.whole(("timing", "min_steps")),
            max_steps=entries.whole(("timing", "max_steps")),
            relative_width=entries.real(("timing", "relative_width")),
            budget_s=entries.real(("timing", "budget_s")),
        ),
        seed=entries.whole(("run", "seed")),
        scheduler=entries.word(("scheduler",)),
        rank_ladder=rank_ladder(entries, placements[0]),
        walk=walk_of(entries),
        supply=supply_of(entries),
        executions=executions_of(entries),
    )


def _check_sizes(entries: Entries, workload: Workload) -> None:
    """Every size must be one of the workload's, and a rung of the same kind as the base."""
    known = {name: tuple(sizes_in(workload.axes, name)) for name in AXES}
    sizes = {name: names for name, names in known.items() if names}
    zeros = {name for axis in workload.axes for name in axis.may_be_zero}
    for axis in AXES:
        for name, entry in entries.below(("base", axis)):
            _check_size(entries, ("base", axis, name), entry, sizes.get(axis, ()))
            _check_zero(entries, ("base", axis, name), entry, zeros)
        if ("axes", axis) in entries.places and axis not in sizes:
            entries.report(
                entries.places["axes", axis],
                ("axes", axis),
                f"the axis {axis}",
                f"an axis of {workload.name}",
                nearest(axis, tuple(sizes)),
            )
            continue
        for name, entry in _rungs(entries, axis):
            _check_size(entries, ("axes", axis, name), entry, sizes.get(axis, ()))
            _check_zero(entries, ("axes", axis, name), entry, zeros)
            _check_kind(entries, ("axes", axis, name), entry, entries.values.get(("base", axis, name)))


def _check_size(entries: Entries, path: Path, entry: Entry, valid: tuple[str, ...]) -> None:
    if path[-1] not in valid:
        size = f"the size {shown(path[-1])}"
        entries.report(entry.place, path, size, "a size of the workload", nearest(path[-1], valid))


def _check_zero(entries: Entries, path: Path, entry: Entry, zeros: set[str]) -> None:
    values = entry.value if isinstance(entry.value, tuple) else (entry.value,)
    if 0 in values and path[-1] not in zeros:
        entries.report(entry.place, path, "0", "a number above 0", "give a size above 0")


def _check_kind(entries: Entries, path: Path, rungs: Entry, base: Entry | None) -> None:
    if base is None or not isinstance(rungs.value, tuple):
        return
    for value in rungs.value:
        if type(value) is not type(base.value):
            entries.report(
                rungs.place,
                path,
                f"{value} among the sizes",
                f"{_kind(base.value)} as in base ({base.value})",
                "use the same kind of value in both",
            )
            return


def _kind(value: object) -> str:
    kinds = {int: "a whole number", float: "a decimal number"}
    return kinds.get(type(value), "a word")


def _check_ladder(entries: Entries, axis: AxisName) -> None:
    is_faulty = any(mistake.key.startswith(f"axes.{axis}") for mistake in entries.mistakes)
    if ("axes", axis) not in entries.places or is_faulty:
        return
    place, lists = entries.places["axes", axis], _lists(entries, axis)
    if not lists:
        entries.report(
            place, ("axes", axis), "no sizes", "at least one list", "write it as name: [16, 32, 64]"
        )
    elif _combine(entries, axis) == "zip" and len({len(values) for values in lists.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(values)}" for name, values in lists.items())
        entries.report(
            place,
            ("axes", axis),
            f"lists of different lengths ({lengths})",
            "equal lengths, which pair up",
            "make them equal or add `combine: product`",
        )


def _check_count(entries: Entries) -> None:
    """The product is counted before anything is expanded."""
    placements = whole_placements(entries)
    stations = num_stations(entries)
    counts = [_num_rungs(entries, axis) for axis in AXES] + ([stations] if stations > 1 else [])
    counts += [max(1, len(placement_paths(entries))) * num_rank_rungs(entries, placements)]
    counts += [num_executions(entries)] if num_executions(entries) > 1 else []
    num_points = math.prod(counts)
    if num_points > MAX_POINTS:
        entries.report(
            entries.places.get(("axes",), entries.places.get((), "")),
            ("axes",),
            f"{num_points} points ({' x '.join(str(count) for count in counts)})",
            f"at most {MAX_POINTS}",
            "make the lists shorter, or several sweeps",
        )


def _num_rungs(entries: Entries, axis: AxisName) -> int:
    lengths = [len(values) for values in _lists(entries, axis).values()]
    if _combine(entries, axis) == "product":
        return max(1, math.prod(lengths))
    return max(lengths, default=1)


def _check_steps(entries: Entries) -> None:
    fewest = entries.values.get(("timing", "min_steps"))
    most = entries.values.get(("timing", "max_steps"))
    if fewest is None or most is None or not isinstance(fewest.value, int) or not isinstance(most.value, int):
        return
    if fewest.value > most.value:
        entries.report(
            most.place,
            ("timing", "max_steps"),
            str(most.value),
            f"at least min_steps, which is {fewest.value}",
            "raise max_steps or lower min_steps",
        )


def _check_exchange(entries: Entries, workloads: Mapping[str, Workload]) -> None:
    """Who asks for an exchange of gradients shall not be given none in silence."""
    asked, exchange = entries.values.get(("workload",)), entries.values.get(("run", "exchange"))
    if asked is None or exchange is None or not exchange.is_given or exchange.value == "none":
        return
    if not workloads[str(asked.value)].activity.has_gradients:
        entries.report(
            exchange.place,
            ("run", "exchange"),
            str(exchange.value),
            f"none, since {asked.value} has no gradients",
            "remove the key or write `exchange: none`",
        )


def _rungs(entries: Entries, axis: AxisName) -> Iterator[tuple[str, Entry]]:
    return ((name, entry) for name, entry in entries.below(("axes", axis)) if name != "combine")


def _lists(entries: Entries, axis: AxisName) -> Lists:
    return {name: entry.value for name, entry in _rungs(entries, axis) if isinstance(entry.value, tuple)}


def _combine(entries: Entries, axis: AxisName) -> Combine:
    entry = entries.values.get(("axes", axis, "combine"))
    return "product" if entry is not None and entry.value == "product" else "zip"


def _ladder(entries: Entries, axis: AxisName) -> Ladder:
    return build(axis, _lists(entries, axis), _combine(entries, axis))


def _shape(entries: Entries, axis: AxisName) -> Shape:
    sizes = {name: entry.value for name, entry in entries.below(("base", axis))}
    return Shape.of({name: value for name, value in sizes.items() if not isinstance(value, tuple)})


def _exchange(entries: Entries) -> Exchange:
    """What was asked for; the default of a workload without gradients is none."""
    found: dict[str, Exchange] = {"none": "none", "ddp": "ddp", "horovod": "horovod"}
    has_gradients = workload(entries.word(("workload",))).activity.has_gradients
    return found[entries.word(("run", "exchange"))] if has_gradients else "none"
