"""Hidden states as links carry them, and back.

Errors, for the greatest magnitude m of a row: EXACT none; BFLOAT16 at most 2^-8 of each value; INT8 at most m
/ 254 of each value in a row, with the rounding of float32 besides (less than 2^-15 of that) and never less
than 2^-127. Back in a type of 16 bits, values are rounded once more. What is no finite number stays none: in
INT8 its whole row does.

A partial sum is written once on every link that it goes over: a row that n devices sum has n - 1 such errors.
A tile that is gathered is written once by its owner and passed on as it is.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.place import Place

_HOST = torch.device("cpu")
_GREATEST = 127
_LEAST_SCALE = torch.finfo(torch.float32).tiny
_SCALE_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class WireCodec:
    """Writes and reads the tensors of one device."""

    wire: WireFormat
    place: Place

    @property
    def is_exact(self) -> bool:
        """Whether nothing is to be done."""
        return self.wire is WireFormat.EXACT

    def room(self, num_rows: int, num_columns: int) -> Tensor:
        """Host memory for so many rows as a link carries them; zeros."""
        match self.wire:
            case WireFormat.EXACT:
                return torch.zeros((num_rows, num_columns), dtype=self.place.dtype)
            case WireFormat.BFLOAT16:
                return torch.zeros((num_rows, num_columns), dtype=torch.bfloat16)
            case WireFormat.INT8:
                return torch.zeros(num_rows * (num_columns + _SCALE_BYTES), dtype=torch.uint8)

    def encoded(self, rows: Float[Tensor, "rows columns"]) -> Tensor:
        """Rows as a link carries them, on the host; exact ones may be those that were given."""
        match self.wire:
            case WireFormat.EXACT:
                return rows.to(_HOST).contiguous()
            case WireFormat.BFLOAT16:
                return rows.to(torch.bfloat16).to(_HOST).contiguous()
            case WireFormat.INT8:
                return _whole_numbers(rows).to(_HOST)

    def decoded(self, raw: Tensor, num_rows: int) -> Float[Tensor, "rows columns"]:
        """The rows that were written, on this device; exact ones may lie where they arrived."""
        if self.wire is not WireFormat.INT8:
            return raw.to(device=self.place.device, dtype=self.place.dtype)
        raw = raw.to(self.place.device)
        scales, numbers = raw[: num_rows * _SCALE_BYTES], raw[num_rows * _SCALE_BYTES :]
        wide = torch.promote_types(self.place.dtype, torch.float32)
        values = numbers.view(torch.int8).view(num_rows, -1).to(wide)
        return values.mul_(scales.view(torch.float32)[:, None].to(wide)).to(self.place.dtype)


def _whole_numbers(rows: Tensor) -> Tensor:
    """The scale of each row, as float32, and behind all of them the numbers of all rows: bytes."""
    wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
    scales = wide.abs().amax(dim=1).div_(_GREATEST).to(torch.float32).clamp_(min=_LEAST_SCALE)
    numbers = (wide / scales[:, None].to(wide.dtype)).round_().clamp_(-_GREATEST, _GREATEST).to(torch.int8)
    return torch.cat((scales.view(torch.uint8), numbers.view(-1).view(torch.uint8)))
