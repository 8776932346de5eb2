"""Ceilings: the measured best of a machine for one placement, as curves over operation size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from saih.domain.interval import Interval


class CeilingKind(StrEnum):
    """What a ceiling bounds. Rates are summed over all ranks of the placement, run at the same time."""

    GEMM = "gemm"
    """FLOP/s over the side of a square product."""
    CONVOLUTION_FORWARD = "convolution_forward"
    """FLOP/s of a 3^3 conv3d over its channels (input = output)."""
    CONVOLUTION_BACKWARD = "convolution_backward"
    """FLOP/s of both gradients of a 3^3 conv3d over its channels."""
    MEMORY = "memory"
    """Bytes/s of a triad over its working set per rank [bytes]."""
    ALL_REDUCE = "all_reduce"
    """Seconds for one all-reduce over its size [bytes]; absent for one rank."""
    STORAGE_READ = "storage_read"
    """Bytes/s of reading files of the data folder over the read size [bytes]."""
    LAUNCH = "launch"
    """Seconds of host time per trivial operation (one point; the abscissa is 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """One curve: growing sizes, each with the median over repeats and its interval."""

    kind: CeilingKind
    precision: str
    """``float32`` and so on for arithmetic; empty for the others."""
    unit: str
    size_unit: str
    sizes: tuple[float, ...]
    rates: tuple[Interval, ...]

    def __post_init__(self) -> None:
        if not self.sizes or len(self.sizes) != len(self.rates):
            raise ValueError(f"ceiling {self.kind} has {len(self.sizes)} sizes, {len(self.rates)} rates")
        if list(self.sizes) != sorted(set(self.sizes)):
            raise ValueError(f"sizes of ceiling {self.kind} do not grow: {self.sizes}")

    @property
    def best(self) -> Interval:
        """The highest of the curve."""
        return max(self.rates, key=lambda rate: rate.value)

    def at(self, size: float) -> float:
        """The curve at ``size``, by linear interpolation in log-log, constant beyond its ends."""
        if size <= self.sizes[0]:
            return self.rates[0].value
        if size >= self.sizes[-1]:
            return self.rates[-1].value
        upper = next(index for index, known in enumerate(self.sizes) if known >= size)
        low, high = self.sizes[upper - 1], self.sizes[upper]
        share = math.log(size / low) / math.log(high / low)
        return self.rates[upper - 1].value ** (1 - share) * self.rates[upper].value ** share


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """All ceilings of one environment and one placement."""

    environment_id: str
    placement_label: str
    curves: tuple[Ceiling, ...]
    measured_utc: str
    all_reduce_latency_s: float | None
    all_reduce_bytes_per_s: float | None
    """alpha and beta of t = alpha + bytes / beta over the ``all_reduce`` curve; None for one rank."""
    vendor_flops_per_s: Mapping[str, float]
    """Sum of the makers' peaks of all ranks by precision, where they are known; else empty."""

    def curve(self, kind: CeilingKind, precision: str = "") -> Ceiling | None:
        """The curve of this kind and precision, or None where it was not measured."""
        for curve in self.curves:
            if curve.kind is kind and curve.precision in (precision, ""):
                return curve
        return None

    @property
    def precisions(self) -> frozenset[str]:
        """The precisions whose arithmetic was measured."""
        return frozenset(curve.precision for curve in self.curves if curve.precision)

    def keeping(self, older: "Ceilings") -> "Ceilings":
        """These ceilings, with the older curves of precisions that were not measured again."""
        kept = tuple(curve for curve in older.curves if curve.precision in older.precisions - self.precisions)
        vendor = {**older.vendor_flops_per_s, **self.vendor_flops_per_s}
        return replace(self, curves=(*self.curves, *kept), vendor_flops_per_s=vendor)

    def peak_flops_per_s(self, precision: str) -> Interval | None:
        """The best measured arithmetic rate of all ranks together (products and convolutions)."""
        kinds = (
            CeilingKind.GEMM,
            CeilingKind.CONVOLUTION_FORWARD,
            CeilingKind.CONVOLUTION_BACKWARD,
        )
        found = [curve.best for kind in kinds if (curve := self.curve(kind, precision)) is not None]
        return max(found, key=lambda rate: rate.value, default=None)
