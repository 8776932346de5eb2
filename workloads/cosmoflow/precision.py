"""The number formats in which CosmoFlow trains."""

from enum import StrEnum

from augment.problem import ProblemError


class Precision(StrEnum):
    """Format of activations and products; weights, gradients and momentum are always float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    """Autocast: products and activations in bfloat16, each step casting the weights."""

    @staticmethod
    def named(name: str) -> "Precision":
        """The precision called ``name``.

        Raises:
            ProblemError: when there is none, with the names that are.
        """
        if name not in set(Precision):
            raise ProblemError(f"precision {name!r} is unknown to cosmoflow; use {', '.join(Precision)}.")
        return Precision(name)

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return 4 if self is Precision.FLOAT32 else 2
