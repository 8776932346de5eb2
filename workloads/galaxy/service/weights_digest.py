"""Whether devices have the same weights: a digest of some numbers of each weight, its shape and its type.

Copies of two trainings differ in nearly all numbers, so that few tell them apart. To read all of them would
take minutes on a small device.
"""

from collections.abc import Iterator
from hashlib import blake2b

import torch

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layer_store import WeightSource
from workloads.transformer.split import Span
from workloads.transformer.weight_names import Shape, weight_shapes

_PLACES = 4
"""Where a weight is looked at: from its first numbers to its last."""
_NUMBERS = 16
"""Of one row, at each place."""


def weights_digest(architecture: TransformerArchitecture, weights: WeightSource) -> str:
    """The same for all that read the same weights, and another for others.

    Raises:
        WeightError: for a weight that cannot be used.
    """
    found = blake2b(digest_size=16)
    for name, shape in weight_shapes(architecture).items():
        for spans in _places(shape):
            part = weights.read(name, spans).contiguous()
            found.update(f"{name} {shape} {part.dtype} ".encode())
            found.update(part.view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _places(shape: Shape) -> Iterator[list[Span]]:
    sizes = [*(1 for _ in shape[1:]), min(shape[-1], _NUMBERS)]
    for place in range(_PLACES):
        begins = [(most - size) * place // (_PLACES - 1) for most, size in zip(shape, sizes, strict=True)]
        yield [Span(begin, begin + size) for begin, size in zip(begins, sizes, strict=True)]
