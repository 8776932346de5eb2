"""How a point is going to be executed, before it is measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from saih.domain.point import Point
from saih.domain.tuning import execution_notes
from saih.harness.ending import COMPLETED, Ending
from workloads.execution import Execution, settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The settings with which a point is measured, or why there are none; the same on all ranks."""

    execution: Execution
    ending: Ending = COMPLETED
    """Of the search for them; anything else than completed is how the point itself ends."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Of the record."""

    def applied(self, point: Point) -> Point:
        """The point with these settings in place of those that were asked for."""
        return replace(point, execution=self.execution)


def as_asked(point: Point) -> Settlement:
    """Of a point that says itself how it is executed."""
    execution = settled(point.execution, point.precision)
    return Settlement(execution=execution, notes=execution_notes(point, execution))
