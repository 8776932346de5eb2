"""The number formats in which applications compute; what is kept in them each application says itself."""

from collections.abc import Collection
from enum import StrEnum

from augment.problem import ProblemError


class Precision(StrEnum):
    """Format of products and activations."""

    FLOAT32 = "float32"
    TF32 = "tf32"
    """Numbers are kept in float32; products of them are rounded to 10 bits of mantissa, on GPUs that can."""
    BFLOAT16 = "bfloat16"
    """Training casts weights that stay float32 at each step; inference keeps its weights in it."""
    FLOAT16 = "float16"
    """As ``bfloat16``, with more digits and less range: training scales its loss."""

    @staticmethod
    def named(name: str, known: Collection["Precision"] = ()) -> "Precision":
        """The precision called ``name``; one of ``known``, where an application does not know all.

        Raises:
            ProblemError: when there is none, with the names that are.
        """
        valid = tuple(known or Precision)
        if name not in valid:
            raise ProblemError(f"precision {name!r} is unknown; use {', '.join(valid)}.")
        return Precision(name)

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return 4 if self in (Precision.FLOAT32, Precision.TF32) else 2


SERVING = (Precision.FLOAT32, Precision.BFLOAT16)
"""Those that inference keeps weights in."""
