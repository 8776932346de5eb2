"""How parked layers lie in the memory where they are parked; arithmetic only."""

_ALIGNMENT_BYTES = 64
"""As torch's own allocations on the host: products may round otherwise where operands lie otherwise."""
_PAGE_BYTES = 4096


def aligned(num_bytes: int) -> int:
    """From the begin of a weight of so many bytes to that of the next one in its layer."""
    return -(-num_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES


def on_pages(num_bytes: int) -> int:
    """From the begin of a layer of so many bytes to that of the next one."""
    return -(-num_bytes // _PAGE_BYTES) * _PAGE_BYTES
