"""Probe of decoding: samples out of an HDF5 file in memory, as one loader thread takes them."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import h5py
import numpy as np

from saih.domain.ceiling import CeilingKind
from saih.machine.sampling import CurveName, Probe, Rung

CODECS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {  # Any: options of h5py
        "HDF5 uint16, checksum": {"fletcher32": True},
        "HDF5 uint16, gzip 1": {"fletcher32": True, "compression": "gzip", "compression_opts": 1},
    }
)
"""How data sets keep samples: the first is that of the shards that CosmoFlow reads."""
_CHANNELS = 4
_SIDES = (16, 32, 64, 128)
_MEAN_COUNT = 1.0
_BYTES = 2


def decode_name(codec: str) -> CurveName:
    """The curve of one codec."""
    return CurveName(
        kind=CeilingKind.DECODE, precision="", unit="bytes/s", size_unit="bytes per sample", variant=codec
    )


def decode_rungs(codec: str) -> list[Rung]:
    """Samples of 4 x n^3 counts, one chunk each: checked, unpacked, made log(1 + count) in float32."""
    sizes = [_CHANNELS * side**3 * _BYTES for side in _SIDES]
    return [
        Rung(size=float(size), work=float(size), ways=(partial(_probe, codec, side),))
        for side, size in zip(_SIDES, sizes, strict=True)
    ]


def _probe(codec: str, side: int) -> Probe:
    shape = (_CHANNELS, side, side, side)
    counts = np.random.default_rng(side).poisson(_MEAN_COUNT, shape).astype("<u2")
    # Kept in memory: reading is another ceiling. Without HDF5's cache, as the loader opens its files.
    file = h5py.File(f"saih-{uuid4().hex}.h5", "w", driver="core", backing_store=False, rdcc_nbytes=0)
    dataset = file.create_dataset("full", data=counts[None], chunks=(1, *shape), **CODECS[codec])
    found, decoded = np.empty(shape, np.uint16), np.empty(shape, np.float32)
    return Probe(call=partial(_decode, dataset, found, decoded))


def _decode(dataset: h5py.Dataset, found: np.ndarray[Any, Any], decoded: np.ndarray[Any, Any]) -> None:
    dataset.read_direct(found, np.s_[0])
    np.log1p(found, out=decoded, dtype=np.float32)
