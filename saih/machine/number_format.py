"""Number formats of ceilings in torch: which numbers are kept, and how a GPU multiplies them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from saih.domain.errors import UsageError

_DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "tf32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_ROUNDED = "tf32"
"""Numbers of float32, of which products are rounded; all other formats are multiplied as they are."""


def dtype_of(precision: str) -> torch.dtype:
    """In what the numbers of a format are kept.

    Raises:
        UsageError: for a format that is not known.
    """
    if precision not in _DTYPES:
        raise UsageError(
            f"precision {precision!r} has no ceilings", f"use one of {', '.join(sorted(_DTYPES))}."
        )
    return _DTYPES[precision]


@contextmanager
def multiplying(precision: str, device: torch.device) -> Iterator[None]:
    """GPUs multiply in this format, by the fastest algorithm that is found; then as before."""
    if device.type == "cpu":
        yield
        return
    cudnn, cublas = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, cublas.allow_tf32, cudnn.benchmark
    cudnn.allow_tf32 = cublas.allow_tf32 = precision == _ROUNDED
    cudnn.benchmark = True
    try:
        yield
    finally:
        cudnn.allow_tf32, cublas.allow_tf32, cudnn.benchmark = before
