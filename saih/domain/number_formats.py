"""The number formats that points may run in, and so meet the ceilings of."""

from collections.abc import Iterable, Mapping

from saih.domain.point import Device, Point
from workloads.execution import TUNED
from workloads.precision import Precision

_OF_DEVICE: Mapping[Device, tuple[Precision, ...]] = {
    "cpu": (Precision.FLOAT32, Precision.BFLOAT16),
    "cuda": tuple(Precision),
}


def possible_precisions(point: Point) -> tuple[str, ...]:
    """What a point may run in, first what it starts from.

    A search that may choose tries the number formats of the device that are no wider, so that what was
    planned for the first is enough for all.
    """
    asked = point.asked_precision
    if point.execution.name != TUNED.name or asked not in set(Precision):
        return (asked,)
    width = Precision(asked).itemsize
    others = [str(one) for one in _OF_DEVICE[point.placement.device] if one.itemsize <= width]
    return tuple(dict.fromkeys((asked, *others)))


def precisions_met(points: Iterable[Point]) -> tuple[str, ...]:
    """What any of these points may run in, each once."""
    return tuple(dict.fromkeys(one for point in points for one in possible_precisions(point)))
