"""A group of ranks that makes universes: one leads, which knows what is missing, and the others follow."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from cosmology.definition import DatasetError, UniverseDefinition
from cosmology.slabs.crew import Crew, gathered
from cosmology.slabs.universe import Block, collected, hand_over

Progress = Callable[[str], None]

_DONE = -1
_FAILED = -2


class Leader:
    """Rank 0 of a crew, until it lets the others go; a context manager."""

    def __init__(self, crew: Crew, definition: UniverseDefinition, progress: Progress) -> None:
        self._crew = crew
        self._definition = definition
        self._progress = progress
        self._others_listen = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What failed in the middle of a universe did so on all ranks, or left them in an exchange that
        # nothing told here could end.
        if self._others_listen:
            _tell(self._crew, _DONE if kind is None else _FAILED)

    def make(self, number: int) -> Iterator[Block]:
        """Simulate universe ``number`` with all ranks of the crew; its counts in order."""
        _tell(self._crew, number)
        self._others_listen = False
        yield from collected(self._definition, number, self._crew, self._progress)
        self._others_listen = True


def follow(crew: Crew, definition: UniverseDefinition, progress: Progress) -> None:
    """Simulate with the leader whatever it asks for, until it lets go.

    Raises:
        DatasetError: when the leader failed.
    """
    while (number := _hear(crew)) >= 0:
        hand_over(definition, number, crew, progress)
    if number == _FAILED:
        raise DatasetError("the rank that leads this one could not go on; mend what it says.")


def _tell(crew: Crew, number: int) -> None:
    gathered(crew, (number,))


def _hear(crew: Crew) -> int:
    return gathered(crew, (0,))[0][0]
