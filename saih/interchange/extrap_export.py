"""Points of a sweep in Extra-P's text format: every repeat of every region, over one to four parameters.

Format: https://github.com/extra-p/extrap/blob/master/docs/file-formats.md. Extra-P wants one list of values
for each point, region and metric, in the order of POINTS.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_NO_WORD = re.compile(r"[^\w.]+")
METRIC = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """One point: its sizes by parameter, and every repeat [s] of each region."""

    sizes: Mapping[str, float]
    seconds: Mapping[str, Sequence[float]]


def grids_of(points: Sequence[GridPoint]) -> tuple[tuple[GridPoint, ...], ...]:
    """Points that can share a file: the format cannot tell two points of the same sizes apart."""
    grids: list[dict[tuple[float, ...], GridPoint]] = []
    for point in points:
        at = tuple(point.sizes.values())
        grid = next((one for one in grids if at not in one), None)
        if grid is None:
            grid = {}
            grids.append(grid)
        grid[at] = point
    return tuple(tuple(grid.values()) for grid in grids)


def extrap_lines(points: Sequence[GridPoint], unit: str = "s") -> Iterator[str]:
    """The lines of a file of these points.

    Parameters that do not move stay away, and so do regions that some point lacks.
    """
    names = [name for name in points[0].sizes if len({point.sizes[name] for point in points}) > 1]
    names = names or list(points[0].sizes)[:1]
    yield f"# values in {unit}\n"
    yield from (f"PARAMETER {_word(name)}\n" for name in names)
    yield "\n"
    yield f"POINTS {' '.join(_coordinate([point.sizes[name] for name in names]) for point in points)}\n"
    yield "\n"
    for region in points[0].seconds:
        if all(region in point.seconds for point in points):
            yield f"REGION {'->'.join(_word(part) for part in region.split('->'))}\n"
            yield f"METRIC {METRIC}\n"
            yield from (f"DATA {' '.join(map(repr, point.seconds[region]))}\n" for point in points)
            yield "\n"


def _coordinate(sizes: Sequence[float]) -> str:
    numbers = " ".join(f"{size:.17g}" for size in sizes)
    return f"( {numbers} )" if len(sizes) > 1 else numbers


def _word(name: str) -> str:
    """A name without spaces, which part words in this format."""
    return _NO_WORD.sub("_", name) or "unnamed"
