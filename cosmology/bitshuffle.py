"""Chunks packed by bitshuffle with LZ4, unpacked outside of HDF5: many threads may do so at once.

HDF5 takes one call at a time in a process. The function is that of the filter itself, in the library of the
package hdf5plugin: ``bshuf_decompress_lz4`` of https://github.com/kiyo-masui/bitshuffle.
"""

import ctypes
import importlib
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosmology.lz4_chunk import BLOCK_BYTES, HEADER_BYTES

_LIBRARY = "libh5bshuf.so"
_ELEMENT_BYTES = 2
_length = struct.Struct(">Q")
_Call = Callable[[ctypes.c_char_p, ctypes.c_void_p, int, int, int], int]


def can_unpack() -> bool:
    """Whether the library is there; HDF5 may find the filter elsewhere."""
    return _function() is not None


def unpack(packed: bytes, into: NDArray[np.uint16]) -> None:
    """Unpack a chunk without its checksum into contiguous memory of its size.

    ``lz4_chunk.is_sound`` must have held of it: the lengths that it states are believed.

    Raises:
        OSError: when the library is absent, or the chunk is damaged.
    """
    function = _function()
    if function is None:
        raise OSError(f"{_LIBRARY} of hdf5plugin is not there")
    if not into.flags.c_contiguous or _length.unpack_from(packed)[0] != into.nbytes:
        raise OSError(f"the chunk does not unpack to the {into.nbytes} bytes due")
    block = BLOCK_BYTES // _ELEMENT_BYTES
    # The header is not for the function; slicing bytes would copy them.
    begin = ctypes.c_char_p(packed)
    address = ctypes.cast(begin, ctypes.c_void_p).value or 0
    source = ctypes.cast(ctypes.c_void_p(address + HEADER_BYTES), ctypes.c_char_p)
    taken = function(source, ctypes.c_void_p(into.ctypes.data), into.size, _ELEMENT_BYTES, block)
    if taken != len(packed) - HEADER_BYTES:
        raise OSError(f"the packed chunk ends wrongly (bitshuffle says {taken})")


@cache
def _function() -> _Call | None:
    with suppress(ImportError, OSError, AttributeError):
        folder = Path(importlib.import_module("hdf5plugin").PLUGIN_PATH)
        function = ctypes.CDLL(str(folder / _LIBRARY)).bshuf_decompress_lz4
        function.argtypes = (
            ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t,
        )  # fmt: skip
        function.restype = ctypes.c_int64
        return function
    return None
