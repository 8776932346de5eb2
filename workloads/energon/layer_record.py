"""How the weights of one layer lie in one piece of memory."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.energon.parking_layout import aligned
from workloads.transformer.layer_store import LayerWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordField:
    """One weight and where it lies."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """Those of the weight itself, so that the same kernels see the same operands."""
    begin_bytes: int
    num_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRecord:
    """All weights of a layer; layers of one stage on one rank have the same."""

    fields: tuple[RecordField, ...]
    num_bytes: int

    def views(self, piece: Tensor) -> LayerWeights:
        """The weights in a piece of memory: uint8 [num_bytes], on any device."""
        return {field.name: _view(field, piece) for field in self.fields}

    def write(self, weights: LayerWeights, piece: Tensor) -> None:
        """Copy weights into a piece of memory.

        Raises:
            ValueError: when they have other names, shapes or types.
        """
        if record_of(weights) != self:
            raise ValueError(
                f"layers of one stage differ: {sorted(weights)} do not lie as "
                f"{[field.name for field in self.fields]}."
            )
        for name, view in self.views(piece).items():
            view.copy_(weights[name])


def record_of(weights: LayerWeights) -> LayerRecord:
    """How such weights lie, in their order."""
    fields: list[RecordField] = []
    end_bytes = 0
    for name, weight in weights.items():
        # The strides of a copy are those of a weight without holes; one with holes is packed.
        strides = torch.empty_like(weight, device="meta").stride()
        num_bytes = weight.numel() * weight.element_size()
        fields.append(
            RecordField(
                name=name,
                dtype=weight.dtype,
                shape=tuple(weight.shape),
                strides=tuple(strides),
                begin_bytes=end_bytes,
                num_bytes=num_bytes,
            )
        )
        end_bytes += aligned(num_bytes)
    return LayerRecord(fields=tuple(fields), num_bytes=end_bytes)


def _view(field: RecordField, piece: Tensor) -> Tensor:
    part = piece[field.begin_bytes : field.begin_bytes + field.num_bytes]
    return part.view(field.dtype).as_strided(field.shape, field.strides)


def held_bytes(weights: LayerWeights) -> int:
    """Memory that weights hold together; what two of them share counts once."""
    storages = (weight.untyped_storage() for weight in weights.values())
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
