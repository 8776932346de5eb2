"""The number formats in which applications compute; what is kept in them each application says itself."""

from enum import StrEnum

from augment.problem import ProblemError


class Precision(StrEnum):
    """Format of products and activations."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    """Training casts weights that stay float32 at each step; inference keeps its weights in it."""

    @staticmethod
    def named(name: str) -> "Precision":
        """The precision called ``name``.

        Raises:
            ProblemError: when there is none, with the names that are.
        """
        if name not in set(Precision):
            raise ProblemError(f"precision {name!r} is unknown; use {', '.join(Precision)}.")
        return Precision(name)

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return 4 if self is Precision.FLOAT32 else 2
