"""How many like tasks are done: one after the other, or as whoever asks for an analysis prefers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


class Each(Protocol):
    """A ``map`` over a sequence: results in the order of the items, whatever was done at the same time."""

    def __call__(
        self, function: Callable[[Item], Found], items: Sequence[Item], /, in_one: int = 1
    ) -> Iterable[Found]:
        """What the function gives for each item; an item may cost as much as ``in_one`` points."""


def one_by_one(
    function: Callable[[Item], Found], items: Sequence[Item], /, in_one: int = 1
) -> Iterator[Found]:
    """In this process, as results are asked for."""
    return map(function, items)
