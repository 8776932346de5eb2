"""Reads what one rank holds of a model, and lays it out as ``rank_weights`` says."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.errors import WeightError
from workloads.transformer.exchange import TensorExchange
from workloads.transformer.layer_store import LayerWeights, ResidentStore, WeightSource
from workloads.transformer.place import Place
from workloads.transformer.rank_weights import RankWeights, WeightPart, end_parts, layer_parts, rank_shape
from workloads.transformer.split import Span, TensorShare
from workloads.transformer.stage import Stage
from workloads.transformer.weight_names import HEAD, TOKENS

VALUES_AT_ONCE = 1 << 20
"""Of a weight, between where it is read from and where it will lie."""


def load_stage(
    architecture: TransformerArchitecture,
    layers: Span,
    share: TensorShare,
    weights: WeightSource,
    exchange: TensorExchange,
    place: Place,
) -> Stage:
    """A rank's part of some layers, all of them kept on its device.

    Raises:
        WeightError: for a weight that cannot be used.
    """
    held = {index: load_layer(architecture, index, share, weights, place) for index in layers}
    return Stage(
        architecture=architecture,
        layers=layers,
        share=share,
        store=ResidentStore(held),
        ends=load_ends(architecture, layers, share, weights, place),
        exchange=exchange,
        place=place,
    )


def load_layer(
    architecture: TransformerArchitecture, index: int, share: TensorShare, weights: WeightSource, place: Place
) -> LayerWeights:
    """A rank's part of one layer; every tensor has memory of its own, without gaps.

    Raises:
        WeightError: for a weight that cannot be used.
    """
    return load_parts(layer_parts(architecture, index, share), weights, place)


def load_ends(
    architecture: TransformerArchitecture,
    layers: Span,
    share: TensorShare,
    weights: WeightSource,
    place: Place,
) -> LayerWeights:
    """The embeddings before the first layer, the norm and the rank's part of the head behind the last.

    Raises:
        WeightError: for a weight that cannot be used.
    """
    held = load_parts(end_parts(architecture, layers, share), weights, place)
    if architecture.is_decoder and layers.end == architecture.num_layers and HEAD not in held:
        held[HEAD] = held[TOKENS][share.vocabulary.begin : share.vocabulary.end]
    return held


def load_parts(
    named_parts: RankWeights, weights: WeightSource, place: Place, values_at_once: int = VALUES_AT_ONCE
) -> dict[str, Tensor]:
    """A rank's weights by their names, each made of its parts, so many values at a time.

    Raises:
        WeightError: for a weight that cannot be used.
    """
    return {name: _joined(parts, weights, place, values_at_once) for name, parts in named_parts.items()}


def _joined(
    parts: tuple[WeightPart, ...], weights: WeightSource, place: Place, values_at_once: int
) -> Tensor:
    """The parts below each other, copied some rows at a time: no more than these are in memory twice."""
    whole = torch.empty(rank_shape(parts), dtype=place.dtype, device=place.device)
    begin = 0
    for block in (block for part in parts for block in _blocks(part, values_at_once)):
        read = weights.read(block.name, block.spans)
        if tuple(read.shape) != block.shape:
            raise WeightError(
                f"{block.name} should give a part of {list(block.shape)}, but gave {list(read.shape)}; "
                "the weights are of another model."
            )
        rows = whole[begin : begin + block.shape[0]]
        rows.copy_(read)
        _check_range(block.name, read, rows)
        begin += block.shape[0]
        del read  # before the next is there
    return whole


def _blocks(part: WeightPart, values_at_once: int) -> Iterator[WeightPart]:
    """Some rows of a part at a time."""
    rows, *others = part.spans
    at_once = max(1, values_at_once // math.prod(part.shape[1:]))
    for begin in range(rows.begin, rows.end, at_once):
        some = Span(begin, min(begin + at_once, rows.end))
        yield WeightPart(name=part.name, spans=(some, *others))


def _check_range(name: str, read: Tensor, converted: Tensor) -> None:
    """Refuse numbers that became infinite in a type of less range."""
    most = torch.finfo(converted.dtype).max
    if torch.finfo(read.dtype).max <= most or not read.numel():
        return
    least, greatest = torch.aminmax(converted)
    if not (torch.isfinite(least) and torch.isfinite(greatest)):
        dtype = str(converted.dtype).removeprefix("torch.")
        raise WeightError(
            f"{name} has values up to {float(read.abs().max()):g}, and {dtype} none beyond {most:g}; "
            "use a dtype with more range."
        )
