"""What a step costs by arithmetic, as the abscissas of laws over several axes at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.domain.trend import PointSummary

Array = NDArray[np.float64]

NAMES = ("flops", "traffic", "parameters", "gradient", "ranks", "input")
WORDS = {
    "flops": "FLOPs",
    "traffic": "bytes moved",
    "parameters": "parameters",
    "gradient": "gradient bytes",
    "ranks": "ranks",
    "input": "input bytes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariates:
    """Of one step on one rank, but for the number of ranks."""

    flops: float
    traffic: float
    """Least bytes to and from memory."""
    parameters: float
    gradient: float
    """Bytes that every rank brings to the exchange."""
    ranks: float
    input: float
    """Bytes of samples."""


def covariates_of(point: PointSummary) -> Covariates:
    """Those of a measured point."""
    ranks = point.point.placement.num_ranks
    flops = point.flops_per_step / ranks
    return Covariates(
        flops=flops,
        traffic=flops / point.flops_per_byte if point.flops_per_byte > 0 else 0.0,
        parameters=float(point.num_parameters),
        gradient=float(point.gradient_bytes),
        ranks=float(ranks),
        input=float(point.input_bytes),
    )


def table(found: Sequence[Covariates]) -> Array:
    """``[point, covariate]`` in the order of ``NAMES``."""
    return np.array([[getattr(one, name) for name in NAMES] for one in found], dtype=np.float64)
