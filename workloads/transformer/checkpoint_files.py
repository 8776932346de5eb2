"""The tensors of safetensors files, read in parts; nothing in these files is trusted."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from workloads.transformer.checkpoint_folder import files_of, shown, some
from workloads.transformer.errors import WeightError
from workloads.transformer.split import Span
from workloads.transformer.weight_names import Shape

DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
"""The types that weights may have, by safetensors' names."""
_LENGTH_BYTES = 8
"""A file is the length of its header, the header, and the data (docs of huggingface/safetensors, Format)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """Where one tensor of a file is."""

    file: Path
    file_state: tuple[int, ...]
    """What tells that the file is still the one whose header was read."""
    begin_byte: int
    shape: Shape
    dtype: str
    """As safetensors calls it, such as ``BF16``."""


def open_files(folder: Path) -> dict[str, StoredTensor]:
    """The tensors of ``model.safetensors``, or of the files of its index.

    Raises:
        WeightError: when they are absent, damaged, pickles, or outside of the folder, or when index and files
            disagree; with the names of the files.
    """
    files, listed = files_of(folder)
    tensors: dict[str, StoredTensor] = {}
    problems = []
    for file in files:
        held = _headers(file)
        problems += [
            f"{shown(name)} is in {tensors[name].file.name} and in {file.name}"
            for name in held
            if name in tensors
        ]
        tensors |= held
    problems += _differences(listed, tensors)
    if problems:
        raise WeightError(f"{folder}: {some(problems)}; copy or write the checkpoint again.")
    return tensors


def read_tensor(tensor: StoredTensor, spans: Sequence[Span]) -> Tensor:
    """A part of a tensor of one or two dimensions, on the host, in its type; not a byte beside it is read.

    Not through a mapping into memory: that kills the process where a file shrinks or its file system fails.

    Raises:
        WeightError: when the file cannot be read, or is no longer the same.
    """
    result = torch.empty([len(span) for span in spans], dtype=DTYPES[tensor.dtype])
    try:
        descriptor = os.open(tensor.file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _state(descriptor) != tensor.file_state:
                raise WeightError(
                    f"{tensor.file} has changed since it was opened; open the checkpoint again."
                )
            _fill(result, descriptor, tensor, spans)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise WeightError(f"{tensor.file} cannot be read ({error}); copy it again.") from error
    return result


def _headers(file: Path) -> dict[str, StoredTensor]:
    """The tensors of one file. The library checks it: types, sizes, no holes, nothing past the end."""
    try:
        with safe_open(file, framework="pt"):
            pass
        with file.open("rb") as opened:
            state = _state(opened.fileno())
            header_bytes = int.from_bytes(opened.read(_LENGTH_BYTES), "little")
            header = json.loads(opened.read(header_bytes), object_pairs_hook=_without_repeats)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightError(f"{file} is no safetensors file ({error}); copy or write it again.") from error
    return {
        name: StoredTensor(
            file=file,
            file_state=state,
            begin_byte=_LENGTH_BYTES + header_bytes + entry["data_offsets"][0],
            shape=tuple(entry["shape"]),
            dtype=entry["dtype"],
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _without_repeats(
    entries: list[tuple[str, Any]],
) -> dict[str, Any]:  # Any: JSON, which the library has checked
    names = [name for name, _ in entries]
    if len(set(names)) < len(names):
        raise ValueError(f"its header has {shown(max(names, key=names.count))} twice")
    return dict(entries)


def _fill(result: Tensor, descriptor: int, tensor: StoredTensor, spans: Sequence[Span]) -> None:
    item, row_length = result.element_size(), math.prod(tensor.shape[1:])
    memory = result.view(-1).view(torch.uint8).numpy().data
    rows, columns = spans[0], spans[1] if len(spans) > 1 else Span(0, 1)
    num_pieces = len(rows) if len(columns) < row_length else 1  # whole rows lie behind each other
    piece_bytes = len(memory) // max(1, num_pieces)
    for number in range(num_pieces):
        begin = (rows.begin + number) * row_length + columns.begin
        piece = memory[number * piece_bytes : (number + 1) * piece_bytes]
        _read_exactly(descriptor, piece, tensor.begin_byte + begin * item)


def _read_exactly(descriptor: int, memory: memoryview, begin: int) -> None:
    done = 0
    while done < len(memory):  # one call reads 2 GiB at most
        count = os.preadv(descriptor, [memory[done:]], begin + done)
        if count == 0:
            raise OSError("it ends too early")
        done += count


def _state(descriptor: int) -> tuple[int, ...]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _differences(listed: Mapping[str, str] | None, tensors: Mapping[str, StoredTensor]) -> list[str]:
    if listed is None:
        return []
    absent = [
        f"{shown(name)} is not in {shown(file)}, where the index has it"
        for name, file in listed.items()
        if name not in tensors or tensors[name].file.name != file
    ]
    return absent + [
        f"{shown(name)} of {tensor.file.name} is not in the index"
        for name, tensor in tensors.items()
        if name not in listed
    ]
