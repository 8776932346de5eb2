"""What the sections of the benchmark on a GPU compute with: weights, token ids, and a watch."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.random_weights import DEVIATION
from workloads.transformer.split import Span
from workloads.transformer.weight_names import weight_shapes
from workloads.transformer.weight_part import part_of

SEED = 7
_PIECE_BYTES = 2**28


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where the benchmark runs, and whether on sizes that only show that it does."""

    device: torch.device
    is_quick: bool
    folder: Path
    """Where a CPU parks layers."""

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and activations."""
        return torch.bfloat16 if self.device.type == "cuda" else torch.float32


class DrawnWeights:
    """Weights of one model, drawn on its device: even the largest is there within seconds."""

    def __init__(self, architecture: TransformerArchitecture, setting: Setting) -> None:
        self._shapes = weight_shapes(architecture)
        self._setting = setting

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        """A part of one weight; as often as it is asked for, the same."""
        part = part_of(name, self._shapes[name], spans)
        device = self._setting.device
        generator = torch.Generator(device).manual_seed(SEED + sum(name.encode()))
        size = [len(span) for span in part]
        drawn = torch.empty(size, dtype=self._setting.dtype, device=device)
        drawn.normal_(0.0, DEVIATION, generator=generator)
        return drawn + 1 if "norm" in name and name.endswith(".weight") else drawn


def architecture_of(family: Family, num_layers: int, hidden: int, max_length: int) -> TransformerArchitecture:
    """Heads of 128 columns (of 16 where that is too wide), MLPs of four times the width, few words."""
    head_size = 128 if hidden % 128 == 0 else 16
    return TransformerArchitecture(
        family=family,
        num_layers=num_layers,
        hidden_size=hidden,
        num_heads=hidden // head_size,
        num_kv_heads=hidden // head_size,
        head_size=head_size,
        ffn_size=4 * hidden,
        vocab_size=1000,
        max_length=max_length,
        activation=Activation.GELU if family is Family.BERT else Activation.GELU_TANH,
        norm_epsilon=1e-5,
    )


def token_ids(count: int, vocab_size: int) -> list[int]:
    """So many token ids, always the same."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.randint(0, vocab_size, (count,), generator=generator).tolist()


def seconds(device: torch.device, work: Callable[[], object]) -> float:
    """How long a piece of work takes until the device has done it."""
    settle(device)
    begun_s = time.perf_counter()
    work()
    settle(device)
    return time.perf_counter() - begun_s


def settle(device: torch.device) -> None:
    """Wait until the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def give_memory_back(device: torch.device) -> None:
    """Free what nobody holds any more, so that the next section finds the device empty."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def touch_host(num_bytes: int) -> None:
    """Write to so much memory and let it go: some virtual machines have theirs only then."""
    pieces = [torch.ones(_PIECE_BYTES, dtype=torch.uint8) for _ in range(num_bytes // _PIECE_BYTES)]
    pieces.append(torch.ones(num_bytes % _PIECE_BYTES, dtype=torch.uint8))
