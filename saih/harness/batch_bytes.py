"""How much memory a batch of any application takes."""

import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass


def batch_bytes(batch: object) -> int:
    """Bytes of the arrays and tensors in a batch, however it is put together."""
    own = getattr(batch, "nbytes", None)
    if isinstance(own, int):
        return own
    if isinstance(batch, Mapping):
        return sum(map(batch_bytes, batch.values()))
    if isinstance(batch, tuple | list):
        return sum(map(batch_bytes, batch))
    if is_dataclass(batch):
        return sum(batch_bytes(getattr(batch, one.name)) for one in fields(batch))
    return sys.getsizeof(batch)
