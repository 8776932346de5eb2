"""Tensors in the bodies of frames."""

import math
from typing import Any

import torch
from torch import Tensor

from workloads.transport.frames import Frame, Header, WireError

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.int64, torch.float64, torch.float32, torch.bfloat16, torch.float16)
}


def tensor_frame(header: Header, tensor: Tensor) -> Frame:
    """A frame with a tensor behind its header, not copied where it lies on the host without gaps."""
    told = {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": tuple(tensor.shape)}
    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
    return Frame(header={**header, **told}, body=raw)


def tensor_of(frame: Frame) -> Tensor:
    """The tensor behind a header; it keeps the frame's memory.

    Raises:
        WireError: where its bytes are not what the header says, or were lost.
    """
    header: Any = frame.header  # Any: as JSON gives it
    dtype, shape = _DTYPES.get(str(header.get("dtype"))), tuple(header.get("shape", ()))
    num_bytes = memoryview(frame.body).nbytes
    if frame.lost:
        raise WireError(frame.lost)
    if dtype is None or num_bytes != math.prod(shape) * dtype.itemsize:
        raise WireError(f"a message announces {shape} of {header.get('dtype')} and has {num_bytes} bytes.")
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(frame.body, dtype=dtype).reshape(shape)
