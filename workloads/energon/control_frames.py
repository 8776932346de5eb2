"""Commands and answers as frames, and back."""

import math
from dataclasses import asdict, replace

import torch
from torch import Tensor

from workloads.energon.command import Answer, Command
from workloads.energon.wire import Buffer, Frame, Header, WireError
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.int64, torch.float64, torch.float32, torch.bfloat16, torch.float16)
}


def command_frame(command: Command) -> Frame:
    """A command as it is sent."""
    header = {
        "kind": "command",
        "key": command.key,
        "layout": asdict(command.layout),
        "want": command.want,
        "sequence_ids": command.sequence_ids,
        "released_ids": command.released_ids,
    }
    return Frame(header=header | _described(command.tokens), body=_raw(command.tokens))


def command_of(frame: Frame) -> Command:
    """The command in a frame.

    Raises:
        WireError: for anything else.
    """
    header, layout = frame.header, frame.header.get("layout", {})
    try:
        return Command(
            key=header["key"],
            layout=Layout(
                lengths=tuple(layout["lengths"]), past=tuple(layout["past"]), padded_to=layout["padded_to"]
            ),
            tokens=_tensor(header, frame.body),
            want=Want(header["want"]),
            sequence_ids=tuple(header["sequence_ids"]),
            released_ids=tuple(header["released_ids"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"a message is no command: {error!r}") from error


def answer_frame(answer: Answer) -> Frame:
    """An answer as it is sent: its status, and its rows where it has them."""
    header = {"kind": "answer", "key": answer.key, "failure": answer.failure}
    if answer.rows is None:
        return Frame(header=header)
    return Frame(header=header | _described(answer.rows), body=_raw(answer.rows))


def answer_of(frame: Frame) -> Answer:
    """The answer in a frame.

    Raises:
        WireError: for anything else.
    """
    header = frame.header
    try:
        rows = _tensor(header, frame.body) if "shape" in header else None
        return Answer(key=header["key"], rows=rows, failure=header["failure"])
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"a message is no answer: {error!r}") from error


def status_of(answer: Answer) -> Answer:
    """An answer without its rows."""
    return replace(answer, rows=None)


def _described(tensor: Tensor) -> dict[str, object]:
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": tuple(tensor.shape)}


def _raw(tensor: Tensor) -> Buffer:
    """The bytes of a tensor, not copied where they lie on the host one after the other."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _tensor(header: Header, body: Buffer) -> Tensor:
    """The tensor in a frame; it keeps the frame's memory."""
    dtype, shape = _DTYPES[header["dtype"]], tuple(header["shape"])
    if memoryview(body).nbytes != math.prod(shape) * dtype.itemsize:
        raise WireError(f"a message announces {shape} of {dtype} and has {memoryview(body).nbytes} bytes.")
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(body, dtype=dtype).reshape(shape)
