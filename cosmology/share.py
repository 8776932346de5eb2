"""Which universes are the work of one process, where several work on one data set."""

from dataclasses import dataclass

from cosmology.dataset_error import DatasetError


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Every ``num_ranks``-th universe, from the one at place ``rank`` on; all of them by default.

    Raises:
        DatasetError: when there is no such rank.
    """

    rank: int = 0
    num_ranks: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.num_ranks:
            raise DatasetError(
                f"part {self.rank + 1} of {self.num_ranks} cannot be; count parts from 1 to {self.num_ranks}."
            )

    def takes(self, place: int) -> bool:
        """Whether the universe at a place in the data set's order belongs to it."""
        return place % self.num_ranks == self.rank


EVERYTHING = Share()
"""The share of a process that works alone."""
