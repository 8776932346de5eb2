"""Ceilings: the measured best of a machine for one placement, as curves over operation size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from saih.domain.interval import Interval
from workloads.precision import Precision


class CeilingKind(StrEnum):
    """What a ceiling bounds. Rates are summed over all ranks of the placement, run at the same time."""

    GEMM = "gemm"
    """FLOP/s over the side of a square product."""
    CONVOLUTION_FORWARD = "convolution_forward"
    """FLOP/s of a 3^3 conv3d over its channels (input = output)."""
    CONVOLUTION_BACKWARD = "convolution_backward"
    """FLOP/s of both gradients of a 3^3 conv3d over its channels."""
    CONVOLUTION_BACKWARD_WEIGHT = "convolution_backward_weight"
    """FLOP/s of the gradient by the weights alone over its channels."""
    CONVOLUTION_BACKWARD_INPUT = "convolution_backward_input"
    """FLOP/s of the gradient by the input alone over its channels."""
    MEMORY = "memory"
    """Bytes/s of a triad over its working set per rank [bytes]."""
    MEMORY_COPY = "memory_copy"
    """Bytes/s of a copy, read and write counted, over its working set per rank [bytes]."""
    MEMORY_SCALE = "memory_scale"
    """Bytes/s of a scaled copy over its working set per rank [bytes]."""
    MEMORY_ADD = "memory_add"
    """Bytes/s of a sum of two arrays over its working set per rank [bytes]."""
    HOST_TO_DEVICE = "host_to_device"
    """Bytes/s of copies to the device over size [bytes]; variants pinned, pageable; absent on CPUs."""
    DEVICE_TO_HOST = "device_to_host"
    """Bytes/s of copies from the device over size [bytes]; variants pinned, pageable; absent on CPUs."""
    ALL_REDUCE = "all_reduce"
    """Seconds for one all-reduce over its size [bytes], by backend (variant); absent for one rank.

    The first is that of the gradients: gloo on CPUs, nccl on GPUs.
    """
    ALL_GATHER = "all_gather"
    """Seconds for one all-gather over the bytes that every rank ends with, by backend (variant)."""
    REDUCE_SCATTER = "reduce_scatter"
    """Seconds for one reduce-scatter over the bytes that every rank begins with, by backend (variant)."""
    SEND = "send"
    """Seconds for one message to the next rank, half a round trip, over its size [bytes], by backend."""
    STORAGE_READ = "storage_read"
    """Bytes/s of reading files that the page cache holds, over the read size [bytes]."""
    STORAGE_COLD = "storage_cold"
    """Bytes/s of reading files that the page cache does not hold, over the read size [bytes]."""
    DECODE = "decode"
    """Decoded bytes/s of one loader thread per rank over the sample [bytes], by codec (variant)."""
    LAUNCH = "launch"
    """Seconds of host time per trivial operation (one point; the abscissa is 1)."""
    JITTER = "jitter"
    """Seconds by which a fixed quantum of work is late, 99th percentile over median, by core number.

    Variant ``slowest`` is the maximum over the median, ``median`` the quantum itself.
    """


TIME_KINDS = frozenset(
    {
        CeilingKind.ALL_REDUCE,
        CeilingKind.ALL_GATHER,
        CeilingKind.REDUCE_SCATTER,
        CeilingKind.SEND,
        CeilingKind.LAUNCH,
        CeilingKind.JITTER,
    }
)
"""Kinds counted in seconds, of which less is better; the others are rates."""


_ARITHMETIC = (
    CeilingKind.GEMM,
    CeilingKind.CONVOLUTION_FORWARD,
    CeilingKind.CONVOLUTION_BACKWARD,
    CeilingKind.CONVOLUTION_BACKWARD_WEIGHT,
    CeilingKind.CONVOLUTION_BACKWARD_INPUT,
)
"""Kinds of which the best is the peak."""
SLOWEST_QUANTUM, MEDIAN_QUANTUM = "slowest", "median"
"""Variants of ``CeilingKind.JITTER``."""
_LATE, _SLOW = 0.5, 1.25
"""Ticks of a kernel's clock take a few percent of a quantum of 0.1 ms; another process takes milliseconds."""


_MOST_AGAIN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySegment:
    """Messages of one protocol: t = latency + bytes / rate between two sizes, both included."""

    from_bytes: float
    to_bytes: float
    latency_s: float | None
    bytes_per_s: float | None
    """None where the times do not show the term."""


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
    variant: str = field(default="", metadata={"came_later": True})
    """What tells curves of one kind apart: a backend, ``pinned``, ``sequential, 2 readers``, a codec."""
    segments: tuple[LatencySegment, ...] = field(default=(), metadata={"came_later": True})
    """Latency and rate of growing messages; empty for what is no message."""

    def __post_init__(self) -> None:
        if not self.sizes or len(self.sizes) != len(self.rates):
            raise ValueError(f"ceiling {self.kind} has {len(self.sizes)} sizes, {len(self.rates)} rates")
        if list(self.sizes) != sorted(set(self.sizes)):
            raise ValueError(f"sizes of ceiling {self.kind} do not grow: {self.sizes}")

    @property
    def name(self) -> str:
        """Such as ``gemm``, or ``all_reduce (mpi)``; the precision is not in it."""
        return f"{self.kind} ({self.variant})" if self.variant else str(self.kind)

    @property
    def best(self) -> Interval:
        """The highest of the curve."""
        return max(self.rates, key=lambda rate: rate.value)

    @property
    def best_words(self) -> str:
        """What the highest is of, such as ``gemm in bfloat16, side 2048``."""
        size = self.sizes[self.rates.index(self.best)]
        of = f" in {self.precision}" if self.precision else ""
        return f"{self.name.replace('_', ' ')}{of}, {f'{self.size_unit} ' if self.size_unit else ''}{size:g}"

    def at(self, size: float) -> float:
        """The curve at ``size``, by linear interpolation in log-log, constant beyond its ends."""
        if size <= self.sizes[0]:
            return self.rates[0].value
        if size >= self.sizes[-1]:
            return self.rates[-1].value
        upper = next(index for index, known in enumerate(self.sizes) if known >= size)
        low, high = self.sizes[upper - 1], self.sizes[upper]
        if low <= 0:  # numbered from 0, such as cores: nothing lies between
            return self.rates[upper - 1].value
        share = math.log(size / low) / math.log(high / low)
        return self.rates[upper - 1].value ** (1 - share) * self.rates[upper].value ** share


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """Ceilings of the same environment and placement that others took the place of."""

    curves: tuple[Ceiling, ...]
    measured_utc: str
    until_utc: str | None
    """Since when the machine was another one; None where the same machine was merely measured again."""
    reason: str
    all_reduce_latency_s: float | None
    all_reduce_bytes_per_s: float | None
    vendor_flops_per_s: Mapping[str, float]


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
    absent: Mapping[str, str] = field(default_factory=dict, metadata={"came_later": True})
    """Why a curve was not measured, by its name (``Ceiling.name``)."""
    superseded: tuple[Superseded, ...] = field(default=(), metadata={"came_later": True})
    """What was measured before, oldest first."""

    def curve(self, kind: CeilingKind, precision: str = "", variant: str | None = None) -> Ceiling | None:
        """The curve of this kind and precision, or None where it was not measured.

        Without a ``variant`` it is the first of that kind, the one that the points of the placement meet.
        """
        for curve in self.curves:
            is_variant = variant is None or curve.variant == variant
            if curve.kind is kind and curve.precision in (precision, "") and is_variant:
                return curve
        return None

    @property
    def precisions(self) -> frozenset[str]:
        """The precisions whose arithmetic was measured."""
        return frozenset(curve.precision for curve in self.curves if curve.precision)

    @property
    def tried_precisions(self) -> frozenset[str]:
        """Those, and the ones whose arithmetic could not be measured (``absent`` says why)."""
        return self.precisions | {name for name in self.absent if name in set(Precision)}

    def keeping(self, older: "Ceilings") -> "Ceilings":
        """These ceilings, with the older curves of precisions that were not measured again."""
        others = older.precisions - self.precisions
        kept = tuple(curve for curve in older.curves if curve.precision in others)
        # A peak that was beaten by a measurement of its own format is in neither.
        own = {name: peak for name, peak in self.vendor_flops_per_s.items() if name not in others}
        old = {name: peak for name, peak in older.vendor_flops_per_s.items() if name not in self.precisions}
        vendor = {**old, **own}
        untried = older.tried_precisions - older.precisions - self.tried_precisions
        absent = {**self.absent, **{name: older.absent[name] for name in sorted(untried)}}
        return replace(self, curves=(*self.curves, *kept), vendor_flops_per_s=vendor, absent=absent)

    def after(self, older: "Ceilings", *, has_drifted: bool, reason: str) -> "Ceilings":
        """These ceilings, with the older ones kept behind them.

        Where the machine has drifted, records from before stay bound to the older ones (``in_force``). Of
        those that no record is bound to the last few stay: a file must not grow with every measurement.
        """
        kept = Superseded(
            curves=older.curves,
            measured_utc=older.measured_utc,
            until_utc=self.measured_utc if has_drifted else None,
            reason=reason,
            all_reduce_latency_s=older.all_reduce_latency_s,
            all_reduce_bytes_per_s=older.all_reduce_bytes_per_s,
            vendor_flops_per_s=older.vendor_flops_per_s,
        )
        before = (*older.superseded, kept)
        again = [one for one in before if one.until_utc is None][-_MOST_AGAIN:]
        return replace(
            self.keeping(older),
            superseded=tuple(one for one in before if one.until_utc is not None or one in again),
        )

    def in_force(self, utc: str) -> "Ceilings":
        """The ceilings of the machine as it was at ``utc`` (ISO 8601); these where that cannot be told."""
        for old in self.superseded:
            if old.until_utc is not None and _is_before(utc, old.until_utc):
                return replace(
                    self,
                    curves=old.curves,
                    measured_utc=old.measured_utc,
                    all_reduce_latency_s=old.all_reduce_latency_s,
                    all_reduce_bytes_per_s=old.all_reduce_bytes_per_s,
                    vendor_flops_per_s=old.vendor_flops_per_s,
                    absent={},
                    superseded=(),
                )
        return self

    def peak_curve(self, precision: str) -> Ceiling | None:
        """The curve of products or convolutions that holds the best measured arithmetic rate."""
        found = [curve for kind in _ARITHMETIC if (curve := self.curve(kind, precision)) is not None]
        return max(found, key=lambda curve: curve.best.value, default=None)

    def peak_flops_per_s(self, precision: str) -> Interval | None:
        """The best measured arithmetic rate of all ranks together (products and convolutions)."""
        curve = self.peak_curve(precision)
        return None if curve is None else curve.best


def contended_cores(ceilings: Ceilings) -> tuple[int, ...]:
    """Cores of a node that others use, or that are slower than the fastest one.

    Their late quanta are late by half a quantum, or their median quantum is a quarter longer.
    """
    late = ceilings.curve(CeilingKind.JITTER, variant="")
    median = ceilings.curve(CeilingKind.JITTER, variant=MEDIAN_QUANTUM)
    if late is None or median is None or late.sizes != median.sizes:
        return ()
    fastest_s = min(rate.value for rate in median.rates)
    return tuple(
        int(core)
        for core, tail, quantum in zip(late.sizes, late.rates, median.rates, strict=True)
        if tail.value > _LATE * quantum.value or quantum.value > _SLOW * fastest_s
    )


def _is_before(one: str, other: str) -> bool:
    """Whether a moment is before another; False where one of them is none."""
    try:
        begin, end = (datetime.fromisoformat(text) for text in (one, other))
    except ValueError:
        return False
    return begin.replace(tzinfo=begin.tzinfo or UTC) < end.replace(tzinfo=end.tzinfo or UTC)
