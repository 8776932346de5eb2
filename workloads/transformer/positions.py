"""Where each row's token stands in its sequence, and rotary positions (Su et al. 2021, arXiv 2104.09864)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workloads.transformer.layout import Layout


def row_positions(layout: Layout, max_length: int, device: torch.device) -> Int[Tensor, " rows"]:
    """The position of each row's token, from 0; padding gets any that a model has."""
    if layout.padded_to is None:
        spans = [
            torch.arange(past, past + length)
            for past, length in zip(layout.past_lengths, layout.lengths, strict=True)
        ]
    else:
        spans = [
            torch.arange(past, past + layout.padded_to).clamp_(max=max_length - 1)
            for past in layout.past_lengths
        ]
    return torch.cat(spans).to(device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Angles by which pairs of columns are turned, the same for all heads."""

    cosines: Float[Tensor, "rows 1 1 half"]
    sines: Float[Tensor, "rows 1 half"]

    def of_rows(self, begin: int, end: int) -> "Rotation":
        """The angles of some rows."""
        return Rotation(cosines=self.cosines[begin:end], sines=self.sines[begin:end])

    def turned(self, heads: Float[Tensor, "rows heads size"]) -> Float[Tensor, "rows heads size"]:
        """Columns i and i + size / 2 of every head turned by the angle i of its row."""
        pairs = heads.view(*heads.shape[:2], 2, -1)
        result = pairs * self.cosines
        result[..., 0, :].addcmul_(pairs[..., 1, :], self.sines, value=-1)
        result[..., 1, :].addcmul_(pairs[..., 0, :], self.sines)
        return result.flatten(-2)


def rotation_of(
    positions: Int[Tensor, " rows"], head_size: int, theta: float, dtype: torch.dtype
) -> Rotation:
    """The angle i of a row is its position / theta^(2 i / head size).

    Angles are float32 whatever ``dtype`` is: as the models were trained, and as transformers computes them.
    """
    exponents = torch.arange(0, head_size, 2, dtype=torch.float32, device=positions.device) / head_size
    angles = positions[:, None].to(torch.float32) * (1.0 / theta**exponents)
    cosines, sines = angles.cos().to(dtype), angles.sin().to(dtype)
    return Rotation(cosines=cosines[:, None, None], sines=sines[:, None])
