"""Probes of the interconnect: all-reduces of torch.distributed, and their latency and bandwidth."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.distributed as dist
from scipy.optimize import nnls

from saih.domain.ceiling import CeilingKind
from saih.machine.sampling import CurveName, Probe, Rung

NAME = CurveName(kind=CeilingKind.ALL_REDUCE, precision="", unit="s", size_unit="bytes")
_SIZES_BYTES = (4, 2**10, 2**13, 2**16, 2**18, 2**20, 2**22, 2**24, 2**26)
TIMEOUT_S = 60.0
_LEAST_SHARE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBandwidth:
    """t = alpha + bytes / beta. None where the times do not show the term."""

    latency_s: float | None
    bytes_per_s: float | None


def all_reduce_rungs(device: torch.device) -> list[Rung]:
    """Sums of float32 vectors over all ranks, in place."""
    return [
        Rung(size=float(size), work=float(size), ways=(partial(_all_reduce, size // 4, device),))
        for size in _SIZES_BYTES
    ]


def fit_latency_bandwidth(sizes_bytes: Sequence[float], times_s: Sequence[float]) -> LatencyBandwidth:
    """Alpha and beta of t = alpha + bytes / beta by non-negative least squares with weights 1/t.

    The weights make the residuals relative: otherwise the largest messages alone decide the latency
    (Hockney 1994 for the law).
    """
    sizes, times = np.asarray(sizes_bytes, dtype=float), np.asarray(times_s, dtype=float)
    # The two columns differ by many orders of magnitude; scaled ones keep the solver's pivots apart.
    scale = sizes.max()
    design = np.stack([1 / times, sizes / scale / times], axis=1)
    (alpha, slope), _ = nnls(design, np.ones_like(times))
    # A term that adds less to every time than rounding does is not in the data.
    return LatencyBandwidth(
        latency_s=float(alpha) if alpha > _LEAST_SHARE * times.min() else None,
        bytes_per_s=float(scale / slope) if slope > _LEAST_SHARE * times.max() else None,
    )


def _all_reduce(count: int, device: torch.device) -> Probe:
    # Zeros stay zeros however often they are summed; ones would overflow.
    vector = torch.zeros(count, device=device)
    return Probe(call=partial(dist.all_reduce, vector))
