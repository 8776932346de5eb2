"""Weights by chance: any part of a tensor, on any rank and in any order, equals that part of the whole.

Element e of the weight NAME is drawn from 16 bits that depend on nothing but the seed, NAME and e: those of
number e mod 16 (each 64-bit word from its low end) of block floor(e / 16) of the generator Philox-4x64-10
with the key BLAKE2b-128("SEED/NAME") (Salmon et al. 2011, doi 10.1145/2063384.2063405; numpy keeps its
stream). The bits i become the normal quantile of (i + 1/2) / 65536. Whole numbers and a table: all machines
agree.

Scales are GPT-2's (Radford et al. 2019, section 2.3): a deviation of 0.02, and 0.02 / sqrt(2 layers) for
products that write into the residual stream. Unlike there, biases and norms are spread alike about 0 and 1:
what forgets one of them computes something else.
"""

import hashlib
import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.errors import WeightError
from workloads.transformer.split import Span
from workloads.transformer.weight_names import HEAD, TOKENS, weight_shapes
from workloads.transformer.weight_part import part_of

DEVIATION = 0.02
_LEVELS = 1 << 16
_PER_BLOCK = 16
_CHUNK = 1 << 18
"""Elements made at a time: their bits and indices stay in the cache."""


class RandomWeights:
    """All weights of one model, normally distributed."""

    def __init__(
        self, architecture: TransformerArchitecture, seed: int, dtype: torch.dtype = torch.float32
    ) -> None:
        self._seed = seed
        self._dtype = dtype
        self._shapes = weight_shapes(architecture)
        self._is_head_tied = architecture.is_head_tied
        self._residual = DEVIATION / math.sqrt(2 * architecture.num_layers)
        self._quantiles = _normal_quantiles()

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        """A part of one weight, on the host: a span of each dimension, None for all of it.

        Raises:
            WeightError: when the model has no such weight, or no such part of it.
        """
        if name not in self._shapes:
            raise WeightError(f"The model has no weight {name[:100]!r}.")
        shape = self._shapes[name]
        part = part_of(name, shape, spans)
        key = self._key(TOKENS if name == HEAD and self._is_head_tied else name)
        table = self._table(name)
        num_columns = math.prod(shape[1:])
        columns = part[1] if len(part) > 1 else Span(0, 1)
        result = torch.empty((len(part[0]), len(columns)), dtype=self._dtype)
        step = max(1, _CHUNK // num_columns)
        for begin in range(part[0].begin, part[0].end, step):
            end = min(begin + step, part[0].end)
            drawn = table.take(_indices(key, begin * num_columns, end * num_columns))
            rows = torch.from_numpy(drawn).view(end - begin, num_columns)
            result[begin - part[0].begin : end - part[0].begin] = rows[:, columns.begin : columns.end]
        return result.view([len(span) for span in part])

    def _key(self, name: str) -> int:
        digest = hashlib.blake2b(f"{self._seed}/{name}".encode(), digest_size=16).digest()
        return int.from_bytes(digest, "little")

    def _table(self, name: str) -> NDArray[np.float32]:
        is_residual = name.endswith(("attention.output.weight", "mlp.down.weight"))
        is_norm_scale = "norm" in name and name.endswith(".weight")
        deviation = self._residual if is_residual else DEVIATION
        return (float(is_norm_scale) + deviation * self._quantiles).astype(np.float32)


def _indices(key: int, begin: int, end: int) -> NDArray[np.uint16]:
    """16 bits for each element from ``begin`` up to ``end``."""
    first = begin // _PER_BLOCK
    num_blocks = -(-end // _PER_BLOCK) - first
    words = np.random.Philox(key=key, counter=first).random_raw(4 * num_blocks)
    return words.astype("<u8", copy=False).view("<u2")[begin - first * _PER_BLOCK : end - first * _PER_BLOCK]


def _normal_quantiles() -> NDArray[np.float64]:
    """Where the standard normal distribution has passed (i + 1/2) / 65536, for each i."""
    normal = NormalDist()
    lower = [normal.inv_cdf((level + 0.5) / _LEVELS) for level in range(_LEVELS // 2)]
    return np.array([*lower, *(-quantile for quantile in reversed(lower))])
