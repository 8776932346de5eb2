"""CosmoFlow samples as MLPerf HPC stores them: TFRecord files of ``x``, 16-bit counts, and ``y``, 4 targets.

Layout: mlcommons/hpc, ``cosmoflow/prepare.py`` and ``cosmoflow/data/cosmo.py``: one sample a file, its bytes
ordered [x, y, z, channel], gzip from version 1.0 of the rules on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosmology.dataset_error import DatasetError
from cosmology.definition import NUM_TARGETS
from cosmology.tfrecord import MAX_RECORD_BYTES, read_records, write_records
from cosmology.tfrecord_example import MAX_MESSAGE_BYTES, encode_example, parse_example

OFFICIAL_CHANNELS = 4
OFFICIAL_GZIP_LEVEL = 6
MAX_OFFICIAL_COUNT = 2**15 - 1
"""Readers of these files take the 16 bits as signed."""
_COUNTS, _TARGETS = "x", "y"
_MAX_COUNT_BYTES = MAX_MESSAGE_BYTES - 1024
"""Names, targets and lengths need the rest."""
_TARGET_TOLERANCE = 1e-5
"""Of rounding when u was stored in 32 bits."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OfficialSample:
    """One labelled cube."""

    counts: NDArray[np.uint16]
    """Particles per voxel [channel, x, y, z]."""
    targets: NDArray[np.float32]
    """Omega_m, sigma_8, n_s and H_0, each normalised to [-1, 1]."""


def read_official_samples(
    path: Path, *, num_channels: int = OFFICIAL_CHANNELS, max_sample_bytes: int = MAX_RECORD_BYTES
) -> Iterator[OfficialSample]:
    """The samples of a TFRecord file, each verified by its checksums before it is given.

    Holds one sample twice: as it is stored, and with channels first.

    Raises:
        DatasetError: for damage, a sample above the limit, or one that is none of CosmoFlow.
    """
    for record in read_records(path, max_record_bytes=max_sample_bytes):
        where = f"{path}: the record at byte {record.offset}"
        example = parse_example(record.payload, where)
        parts = example.byte_lists.get(_COUNTS, ())
        targets = example.float_lists.get(_TARGETS)
        if len(parts) != 1 or targets is None:
            raise DatasetError(
                f"{where} has no {_COUNTS!r} of bytes with one element and {_TARGETS!r} of floats; "
                "give files of CosmoFlow samples."
            )
        yield OfficialSample(
            counts=_channel_first(parts[0], num_channels, where), targets=checked_targets(targets, where)
        )


def read_official_sample(
    path: Path, *, num_channels: int = OFFICIAL_CHANNELS, max_sample_bytes: int = MAX_RECORD_BYTES
) -> OfficialSample:
    """The sample of a file that must have one, as the official files do.

    Raises:
        DatasetError: as ``read_official_samples``, or when the file has none or several.
    """
    samples = read_official_samples(path, num_channels=num_channels, max_sample_bytes=max_sample_bytes)
    first, second = next(samples, None), next(samples, None)
    if first is None or second is not None:
        found = "no sample" if first is None else "several samples"
        raise DatasetError(f"{path} has {found}; give files of one sample each, as the official ones.")
    return first


def write_official_samples(
    path: Path, samples: Iterable[OfficialSample], *, gzip_level: int | None = OFFICIAL_GZIP_LEVEL
) -> None:
    """Write samples as one TFRecord file, whole or not at all; equal samples give equal bytes.

    Raises:
        DatasetError: for counts or a sample that the format cannot hold, or a folder that cannot be
            written to.
    """
    write_records(path, (_message_of(sample, path) for sample in samples), gzip_level=gzip_level)


def checked_targets(targets: NDArray[np.floating], where: str) -> NDArray[np.float32]:
    """Four targets u; ``where`` names them in errors.

    Raises:
        DatasetError: for another number of them, or one outside [-1, 1].
    """
    if targets.shape != (NUM_TARGETS,) or not (np.abs(targets) <= 1 + _TARGET_TOLERANCE).all():
        shown = ", ".join(f"{target:g}" for target in targets.reshape(-1)[: NUM_TARGETS + 1])
        raise DatasetError(
            f"{where} has the targets [{shown}], not {NUM_TARGETS} numbers from -1 to 1; give samples of "
            "the set with 4 parameters."
        )
    return targets.astype(np.float32)


def _channel_first(content: memoryview, num_channels: int, where: str) -> NDArray[np.uint16]:
    """Counts [channel, x, y, z] of bytes ordered [x, y, z, channel]."""
    side = round((len(content) / (2 * num_channels)) ** (1 / 3))
    if not side or 2 * num_channels * side**3 != len(content):
        raise DatasetError(
            f"{where} has {len(content)} bytes of counts, which is no cube of {num_channels} channels; "
            "say how many channels the samples have."
        )
    counts = np.frombuffer(content, "<u2").reshape(side, side, side, num_channels)
    first = np.empty((num_channels, side, side, side), np.uint16)
    for x in range(side):  # plane by plane, which stay in the cache
        first[:, x] = counts[x].transpose(2, 0, 1)
    return first


def _message_of(sample: OfficialSample, path: Path) -> list[bytes | memoryview]:
    if sample.counts.max(initial=0) > MAX_OFFICIAL_COUNT:
        raise DatasetError(
            f"{path}: a voxel holds {sample.counts.max()} particles, but readers of this format stop at "
            f"{MAX_OFFICIAL_COUNT}; export a finer resolution."
        )
    if sample.counts.nbytes > _MAX_COUNT_BYTES:
        raise DatasetError(
            f"{path}: one sample has {sample.counts.nbytes} bytes, but a record of this format holds at "
            f"most {_MAX_COUNT_BYTES}; export crops of a lower resolution."
        )
    last = np.ascontiguousarray(np.moveaxis(sample.counts, 0, -1).astype("<u2", copy=False))
    return encode_example(_COUNTS, last.data.cast("B"), _TARGETS, sample.targets)
