"""What is asked of the service, and where its answer goes."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.errors import RequestError
from workloads.transformer.want import Want


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One sequence, answered by all devices of a plan together."""

    tokens: Tensor
    """[tokens] (int64)."""
    want: Want
    answer: "Future[Answered]" = field(default_factory=Future)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a request."""

    rows: Tensor
    """What was wanted, on the host."""
    latency_ns: int
    """From when devices were told until the answer was there; those that failed before are not in it."""
    foreseen_ns: float
    devices: tuple[str, ...]
    """Names of those that answered it."""
    num_attempts: int
    """More than 1 where devices were lost in the middle of it."""


def checked_tokens(tokens: Sequence[int] | Tensor, architecture: TransformerArchitecture) -> Tensor:
    """Token ids [tokens] that the model takes.

    Raises:
        RequestError: for none, too many, or ids beyond the vocabulary.
    """
    ids = torch.as_tensor(tokens, dtype=torch.int64).reshape(-1)
    if not 1 <= len(ids) <= architecture.max_length:
        raise RequestError(
            f"{len(ids)} tokens are asked for; the model takes 1 to {architecture.max_length}."
        )
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= architecture.vocab_size:
        raise RequestError(
            f"token ids are {low} to {high}; the model has 0 to {architecture.vocab_size - 1}."
        )
    return ids
