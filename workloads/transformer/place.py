"""Where a rank computes, and in which precision."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The device of all tensors of one rank, and the type of all that are no token ids."""

    device: torch.device
    dtype: torch.dtype
