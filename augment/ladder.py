"""A ladder: the rungs along which one axis of a problem grows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from augment.problem import Problem, ProblemError, Shape, Value

AxisName = Literal["data", "model"]
Combine = Literal["zip", "product"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Rungs of one axis, in growing order; a rung holds only the sizes that it changes."""

    axis: AxisName
    rungs: tuple[Shape, ...]

    def __post_init__(self) -> None:
        if not self.rungs:
            raise ProblemError(f"the {self.axis} ladder is empty; give at least one size.")


def build(axis: AxisName, sizes: Mapping[str, Sequence[Value]], combine: Combine) -> Ladder:
    """The ladder whose rungs pair the lists of sizes (``zip``) or cross them (``product``).

    Raises:
        ProblemError: when a list is empty, or lists to be paired differ in length.
    """
    empty = [name for name, values in sizes.items() if not values]
    if not sizes or empty:
        where = ", ".join(empty) or "no size"
        raise ProblemError(f"the {axis} ladder is empty ({where}); give at least one value.")
    if combine == "zip" and len({len(values) for values in sizes.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(values)}" for name, values in sizes.items())
        raise ProblemError(
            f"the lists of the {axis} ladder differ in length ({lengths}); "
            "make them equal, or set combine: product."
        )
    columns = zip(*sizes.values(), strict=True) if combine == "zip" else product(*sizes.values())
    rungs = tuple(Shape.of(dict(zip(sizes, row, strict=True))) for row in columns)
    return Ladder(axis=axis, rungs=rungs)


def climb(base: Problem, ladders: Sequence[Ladder]) -> tuple[Problem, ...]:
    """Every problem that the product of the ladders reaches from ``base``, first ladder slowest."""
    problems = [base]
    for ladder in ladders:
        problems = [_step(problem, ladder.axis, rung) for problem in problems for rung in ladder.rungs]
    return tuple(problems)


def _step(problem: Problem, axis: AxisName, rung: Shape) -> Problem:
    if axis == "data":
        return replace(problem, data=problem.data.with_sizes(rung))
    return replace(problem, model=problem.model.with_sizes(rung))
