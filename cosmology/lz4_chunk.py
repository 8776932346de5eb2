"""Chunks packed by the bitshuffle filter with LZ4, looked at before they are unpacked.

The filter believes the lengths that a chunk states: of the whole, of its blocks, and of each packed block. A
crafted chunk makes it ask for any memory, or read beyond the chunk's end, which ends the process. LZ4 itself
keeps to the lengths it is given. Format: the header of ``bshuf_h5filter.c`` and the blocks of
``bshuf_compress_lz4``, both at https://github.com/kiyo-masui/bitshuffle.
"""

import struct

HEADER_BYTES = 12
BLOCK_BYTES = 8192
"""What the filter chooses for elements of 2 bytes, and all that this package writes."""
_ELEMENT_BYTES = 2
_ELEMENTS_TOGETHER = 8
"""Bits are shuffled among so many elements; fewer at the end are stored as they are."""

_header = struct.Struct(">QI")
_length = struct.Struct(">I")


def is_sound(packed: bytes, unpacked_bytes: int) -> bool:
    """Whether all lengths in a packed chunk, without its checksum, fit each other and ``unpacked_bytes``."""
    if len(packed) < HEADER_BYTES or _header.unpack_from(packed) != (unpacked_bytes, BLOCK_BYTES):
        return False
    stored_bytes = unpacked_bytes % (_ELEMENT_BYTES * _ELEMENTS_TOGETHER)
    num_blocks = -(-(unpacked_bytes - stored_bytes) // BLOCK_BYTES)
    place, end = HEADER_BYTES, len(packed) - stored_bytes
    for _ in range(num_blocks):
        if place + _length.size > end:
            return False
        place += _length.size + _length.unpack_from(packed, place)[0]
    return place == end
