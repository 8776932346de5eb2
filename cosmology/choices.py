"""What a definition of data may choose from."""

from enum import StrEnum
from typing import TypeVar

from cosmology.dataset_error import DatasetError
from cosmology.definition_check import MAX_UNIVERSES

Choice = TypeVar("Choice", bound=StrEnum)


class Reuse(StrEnum):
    """What happens when more samples are asked for than the universes have separate crops."""

    NONE = "none"
    """Refuse, and say how many universes are needed."""
    CUBE_SYMMETRIES = "cube_symmetries"
    """Show crops again, rotated or reflected: same labels, no new information."""
    SYMMETRIES_AND_ROLLS = "symmetries_and_rolls"
    """Show whole boxes again, also shifted around their periodic edges, which crops do not have."""


class Split(StrEnum):
    """What the universes of a data set are for; those of two splits are never the same."""

    TRAIN = "train"
    VALIDATION = "validation"

    @property
    def first_universe(self) -> int:
        """Number of its first universe; each split has ``MAX_UNIVERSES`` of its own."""
        return list(Split).index(self) * MAX_UNIVERSES


def chosen(kind: type[Choice], name: str, value: object) -> Choice:
    """The choice that is meant, also by its plain name.

    Raises:
        DatasetError: when there is none such, with those there are.
    """
    try:
        return kind(str(value))
    except ValueError as error:
        names = " or ".join(f"{kind.__name__}.{choice.name}" for choice in kind)
        raise DatasetError(f"{name} is {value!r}; use {names}.") from error
