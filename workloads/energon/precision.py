"""The number formats in which energon computes."""

from enum import StrEnum

from augment.problem import ProblemError


class Precision(StrEnum):
    """Format of weights, activations, keys and values."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

    @staticmethod
    def named(name: str) -> "Precision":
        """The precision called ``name``.

        Raises:
            ProblemError: when there is none, with the names that are.
        """
        if name not in set(Precision):
            raise ProblemError(f"precision {name!r} is unknown to energon; use {', '.join(Precision)}.")
        return Precision(name)

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return 4 if self is Precision.FLOAT32 else 2
