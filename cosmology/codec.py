"""How counts are compressed in HDF5 files, and which of the codecs this installation has."""

import importlib
from contextlib import suppress
from enum import StrEnum

import h5py
from h5py import h5z

from cosmology.dataset_error import DatasetError, MissingCodecError

BITSHUFFLE_FILTER = 32008
"""Its number in the HDF Group's registry of filters."""
_LZ4 = 2
"""How the bitshuffle filter names LZ4 among its compressors."""
_DEFAULT_BLOCK = 0

with suppress(ImportError):
    # Registers its filters with HDF5, which may also find them in the plugin folder of a site.
    importlib.import_module("hdf5plugin")


class Codec(StrEnum):
    """A lossless compression of counts."""

    BITSHUFFLE_LZ4 = "bitshuffle-lz4"
    """Bits of equal weight side by side, then LZ4: by far the fastest to read. Masui et al. 2015,
    doi:10.1016/j.ascom.2015.07.002."""
    GZIP = "gzip"
    """Bytes of equal weight side by side, then deflate at level 1: every HDF5 has it."""


def is_available(codec: Codec) -> bool:
    """Whether this installation reads and writes a codec."""
    return codec is Codec.GZIP or bool(h5z.filter_avail(BITSHUFFLE_FILTER))


def default_codec() -> Codec:
    """The codec of new files: the fastest there is."""
    return Codec.BITSHUFFLE_LZ4 if is_available(Codec.BITSHUFFLE_LZ4) else Codec.GZIP


def creation_properties(codec: Codec) -> dict[str, object]:
    """What h5py's ``create_dataset`` is told: the codec, and a checksum of each chunk outside of it.

    Raises:
        DatasetError: when this installation does not have the codec.
    """
    check_available(codec, "it cannot be written")
    if codec is Codec.BITSHUFFLE_LZ4:
        values = (_DEFAULT_BLOCK, _LZ4)
        return {"compression": BITSHUFFLE_FILTER, "compression_opts": values, "fletcher32": True}
    return {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}


def check_available(codec: Codec, otherwise: str) -> None:
    """Refuse a codec that this installation does not have, with what brings it."""
    if not is_available(codec):
        raise MissingCodecError(
            f"the codec {codec} is not installed, so that {otherwise}; `pip install hdf5plugin` brings it."
        )


def codec_of(dataset: h5py.Dataset) -> Codec:
    """The codec of stored counts.

    Raises:
        DatasetError: for filters that are not those of this package, which are never run.
    """
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(place) for place in range(properties.get_nfilters())]
    numbers = tuple(number for number, *_ in filters)
    if numbers == (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE, h5z.FILTER_FLETCHER32):
        return Codec.GZIP
    is_bitshuffle = numbers == (BITSHUFFLE_FILTER, h5z.FILTER_FLETCHER32)
    if is_bitshuffle and _bitshuffle_values(filters[0][2]) == (dataset.dtype.itemsize, _LZ4):
        return Codec.BITSHUFFLE_LZ4
    raise DatasetError(
        f"{dataset.name} of {dataset.file.filename} is packed by HDF5 filters {numbers}, which are not those "
        "of this package and are refused; delete the file, then generate or import it again."
    )


def _bitshuffle_values(values: tuple[int, ...]) -> tuple[int, ...]:
    """Bytes of an element and the compressor, of: two of version, element, block, compressor."""
    return values[2:5:2]
