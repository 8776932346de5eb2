"""The grid of a sweep: what happened at each rung of data and model, one grid for each setting."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augment.problem import Shape
from saih.domain.point import Point
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import RANKS_AXIS, Analysis, FailedPoint, PointSummary
from saih.reports.data_label import data_label


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One rung of an axis."""

    label: str
    size: float | None
    """Abscissa of trends; None where no point of the rung was measured."""
    inner_sizes: tuple[float, ...] = ()
    """Along axes within this one."""


Cell = PointSummary | FailedPoint | DroppedPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Cells by (row, column) of one setting: model rungs are rows, data rungs are columns, both growing."""

    setting: str
    data: tuple[Rung, ...]
    model: tuple[Rung, ...]
    cells: Mapping[tuple[int, int], Cell]


def setting_of(point: Point) -> str:
    """What a grid has fixed: placement, batch, number format, execution, exchange and seed, in words."""
    exchange = "" if point.exchange == "none" else f", {point.exchange}"
    shared = f"batch {point.batch_per_rank} per rank, {point.run_words}{exchange}, seed {point.seed}"
    return f"{point.placement.label}, {shared}"


def grids(analysis: Analysis) -> tuple[Grid, ...]:
    """One grid for each setting, the one with the most measured points first."""
    cells: list[Cell] = [*analysis.dropped, *analysis.failed, *analysis.points]
    settings = sorted({setting_of(cell.point) for cell in cells})
    made = [
        _grid(setting, [cell for cell in cells if setting_of(cell.point) == setting]) for setting in settings
    ]
    return tuple(sorted(made, key=lambda grid: (-num_measured(grid), _num_ranks(grid), grid.setting)))


def _num_ranks(grid: Grid) -> int:
    return next(iter(grid.cells.values())).point.placement.num_ranks


def num_measured(grid: Grid) -> int:
    """How many cells were measured."""
    return sum(isinstance(cell, PointSummary) for cell in grid.cells.values())


def _grid(setting: str, cells: Sequence[Cell]) -> Grid:
    data = _ordered(
        {cell.point.problem.data: _rung(cell.point.problem.data, "data", cells) for cell in cells}
    )
    model = _ordered(
        {cell.point.problem.model: _rung(cell.point.problem.model, "model", cells) for cell in cells}
    )
    columns = {shape: index for index, shape in enumerate(data)}
    rows = {shape: index for index, shape in enumerate(model)}
    placed = {(rows[cell.point.problem.model], columns[cell.point.problem.data]): cell for cell in cells}
    return Grid(setting=setting, data=tuple(data.values()), model=tuple(model.values()), cells=placed)


def _rung(shape: Shape, axis: str, cells: Sequence[Cell]) -> Rung:
    same = [cell for cell in cells if _shape(cell, axis) == shape]
    labels = [_label(cell.labels, axis) for cell in same if axis in cell.labels]
    sizes = [
        cell.axis_sizes[axis] for cell in same if isinstance(cell, PointSummary) and axis in cell.axis_sizes
    ]
    return Rung(
        label=labels[0] if labels else "as given",
        size=sizes[0] if sizes else None,
        inner_sizes=_inner_sizes(same) if axis == "data" else (),
    )


def _inner_sizes(cells: Sequence[Cell]) -> tuple[float, ...]:
    measured = next((cell for cell in cells if isinstance(cell, PointSummary)), None)
    sizes = measured.axis_sizes if measured is not None else {}
    return tuple(size for name, size in sizes.items() if name not in ("data", "model", RANKS_AXIS))


def _label(labels: Mapping[str, str], axis: str) -> str:
    return data_label(labels) if axis == "data" else labels[axis]


def _shape(cell: Cell, axis: str) -> Shape:
    return cell.point.problem.data if axis == "data" else cell.point.problem.model


def _ordered(rungs: Mapping[Shape, Rung]) -> dict[Shape, Rung]:
    """By size where every size is known; else by the product of the numbers of the shape."""
    if all(rung.size is not None for rung in rungs.values()):
        return dict(sorted(rungs.items(), key=_place))
    return dict(sorted(rungs.items(), key=lambda item: (_bulk(item[0]), repr(item[0]))))


def _place(item: tuple[Shape, Rung]) -> tuple[float, tuple[float, ...], str]:
    shape, rung = item
    return rung.size or 0.0, rung.inner_sizes, repr(shape)


def _bulk(shape: Shape) -> float:
    return math.fsum(
        math.log(value) for value in shape.values() if isinstance(value, int | float) and value > 0
    )
