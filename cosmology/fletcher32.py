"""Fletcher's checksum as HDF5 stores it behind every chunk.

Two sums modulo 65535 over big-endian words of 16 bits: of the words, and of the first sums so far
(``H5_checksum_fletcher32`` of https://github.com/HDFGroup/hdf5, src/H5checksum.c).
"""

import numpy as np

CHECKSUM_BYTES = 4
_MODULUS = 65535
_BLOCK = 4096
"""Words summed at once: their weighted sum fits the 53 bits of a float."""
_WEIGHTS = np.arange(_BLOCK, 0, -1, dtype=np.float64)


def fletcher32(data: bytes | memoryview) -> int:
    """The checksum of some bytes."""
    num_words = len(data) // 2
    whole = num_words // _BLOCK
    words = np.frombuffer(data, ">u2", num_words)
    blocks = words[: whole * _BLOCK].reshape(whole, _BLOCK).astype(np.float64)
    first = second = 0
    for own, weighted in zip(blocks.sum(axis=1).tolist(), (blocks @ _WEIGHTS).tolist(), strict=True):
        second = (second + first * _BLOCK + int(weighted)) % _MODULUS
        first = (first + int(own)) % _MODULUS
    rest = words[whole * _BLOCK :].astype(np.int64)
    if len(data) % 2:
        rest = np.append(rest, data[-1] << 8)
    second = (second + first * len(rest) + int(rest @ np.arange(len(rest), 0, -1))) % _MODULUS
    first = (first + int(rest.sum())) % _MODULUS
    is_zero = not any(data) if first == 0 else False
    # Sums that wrap round end at 65535, not at 0, unless there was nothing but zeros.
    return (_wrapped(second, is_zero=is_zero) << 16) | _wrapped(first, is_zero=is_zero)


def _wrapped(total: int, *, is_zero: bool) -> int:
    return total if total or is_zero else _MODULUS
