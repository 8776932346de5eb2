"""Weights that transformers' ``save_pretrained`` wrote, read so that each rank reads only its own part."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from augment.problem import ProblemError
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.checkpoint_files import DTYPES, StoredTensor, open_files, read_tensor
from workloads.transformer.checkpoint_folder import CONFIG, read_json, shown, some
from workloads.transformer.checkpoint_names import (
    LM_HEAD,
    StoredWeight,
    is_ignored,
    prefix_of,
    stored_weights,
    today_name,
)
from workloads.transformer.config import architecture_of
from workloads.transformer.errors import WeightError
from workloads.transformer.split import Span
from workloads.transformer.weight_names import HEAD, TOKENS, Shape, weight_shapes
from workloads.transformer.weight_part import part_of

_CHECKED_ELEMENTS = 1 << 24
"""Elements looked at at a time: a whole weight need not fit into memory to be checked."""


class CheckpointWeights:
    """All weights of one checkpoint, in the types of its files."""

    def __init__(
        self,
        shapes: Mapping[str, Shape],
        places: Mapping[str, StoredWeight],
        tensors: Mapping[str, StoredTensor],
        ignored: tuple[str, ...],
    ) -> None:
        self._shapes = shapes
        self._places = places
        self._tensors = tensors
        self.ignored = ignored
        """Tensors of the files that no computation here needs: buffers, an encoder's pooler and heads."""

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        """A part of one weight, on the host: a span of each dimension, None for all of it.

        Raises:
            WeightError: when it is absent, cannot be read, or holds what is no finite number.
        """
        if name not in self._places:
            raise WeightError(f"The model has no weight {shown(name)}.")
        place = self._places[name]
        outputs, *inputs = part_of(name, self._shapes[name], spans)
        kept = [Span(place.begin + outputs.begin, place.begin + outputs.end), *inputs]
        tensor = self._tensors[place.name]
        part = read_tensor(tensor, kept[::-1] if place.is_transposed else kept)
        if not _is_finite(part):
            raise WeightError(
                f"{shown(place.name)} of {tensor.file} holds NaN or infinity; get the checkpoint again."
            )
        return part.T.contiguous() if place.is_transposed else part


def open_checkpoint(folder: Path) -> tuple[TransformerArchitecture, CheckpointWeights]:
    """The architecture and the weights in a folder; only names, shapes and types are looked at yet.

    Raises:
        WeightError: when the folder holds no checkpoint that can be computed exactly, with all names: weights
            that are missing, extra, of another shape or type; pickles; files outside of the folder.
    """
    stored = open_files(folder)
    try:
        architecture = architecture_of(read_json(folder, CONFIG))
    except ProblemError as error:
        raise WeightError(f"{folder / CONFIG}: {error}") from error
    tensors = _by_names_of_today(architecture.family, stored, folder)
    if architecture.is_head_tied and LM_HEAD in tensors:
        architecture = replace(architecture, is_head_tied=False)  # as in transformers, what is there is used
    places = _places(architecture, prefix_of(architecture.family, tensors))
    unused = sorted(set(tensors) - {place.name for place in places.values()})
    ignored = tuple(name for name in unused if is_ignored(architecture.family, name))
    problems = _problems(places, tensors, sorted(set(unused) - set(ignored)))
    if problems:
        raise WeightError(f"{folder}: {'; '.join(problems)}. Files and {CONFIG} must be of one model.")
    return architecture, CheckpointWeights(weight_shapes(architecture), places, tensors, ignored)


def check_checkpoint(folder: Path) -> tuple[str, ...]:
    """Read every weight once; gives the tensors that are ignored.

    Raises:
        WeightError: as ``open_checkpoint``, and when a weight holds what is no finite number.
    """
    architecture, weights = open_checkpoint(folder)
    for name, shape in weight_shapes(architecture).items():
        if name != HEAD or not architecture.is_head_tied:
            for rows in _blocks(shape):
                weights.read(name, [rows, *(None for _ in shape[1:])])
    return weights.ignored


def _by_names_of_today(
    family: Family, tensors: Mapping[str, StoredTensor], folder: Path
) -> dict[str, StoredTensor]:
    named = {today_name(family, name): tensor for name, tensor in tensors.items()}
    twice = [
        name for name in tensors if today_name(family, name) != name and today_name(family, name) in tensors
    ]
    if twice:
        raise WeightError(f"{folder}: {some(map(shown, twice))} have two names each; write it again.")
    return named


def _places(architecture: TransformerArchitecture, prefix: str) -> dict[str, StoredWeight]:
    """Where each weight is, by the whole names of tensors."""
    places = {
        name: place if name == HEAD else replace(place, name=prefix + place.name)
        for name, place in stored_weights(architecture).items()
    }
    if HEAD in places and architecture.is_head_tied:
        places[HEAD] = places[TOKENS]
    return places


def _problems(
    places: Mapping[str, StoredWeight], tensors: Mapping[str, StoredTensor], extra: Sequence[str]
) -> list[str]:
    """What is wrong with names, shapes and types, each kind in one text."""
    wanted = {place.name: place.shape for place in places.values()}
    found = {name: tensors[name] for name in wanted if name in tensors}
    kinds = {
        "missing": [shown(name) for name in wanted if name not in tensors],
        "not of this model": [shown(name) for name in extra],
        "of another shape": [
            f"{shown(name)} {list(tensor.shape)} for {list(wanted[name])}"
            for name, tensor in found.items()
            if tensor.shape != wanted[name]
        ],
        f"of another type than {', '.join(DTYPES)}": [
            f"{shown(name)} {tensor.dtype}" for name, tensor in found.items() if tensor.dtype not in DTYPES
        ],
    }
    return [f"{kind}: {some(names)}" for kind, names in kinds.items() if names]


def _blocks(shape: Shape) -> Iterator[Span]:
    """Rows whose elements are few enough to be looked at together."""
    step = max(1, _CHECKED_ELEMENTS // math.prod(shape[1:]))
    for begin in range(0, shape[0], step):
        yield Span(begin, min(begin + step, shape[0]))


def _is_finite(part: Tensor) -> bool:
    if part.numel() == 0:
        return True
    least, greatest = torch.aminmax(part)  # both are NaN where any element is
    return bool(torch.isfinite(least) and torch.isfinite(greatest))
