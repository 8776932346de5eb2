"""What ranks of a tensor-parallel group tell each other in the middle of a layer."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class TensorExchange(Protocol):
    """The other ranks of one tensor-parallel group; all of them make the same calls in the same order."""

    def sum(self, part: Tensor) -> Tensor:
        """The sum of all ranks' parts, each of the same shape.

        ``part`` may be overwritten, and the caller may overwrite what it gets.
        """

    def gather(self, part: Tensor, columns: Sequence[int]) -> Tensor:
        """All parts beside each other along the last dimension; ``columns`` of each rank, in its order."""


class Alone:
    """A group of one rank."""

    def sum(self, part: Tensor) -> Tensor:
        """The part itself."""
        return part

    def gather(self, part: Tensor, columns: Sequence[int]) -> Tensor:
        """The part itself."""
        return part
