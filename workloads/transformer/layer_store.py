"""Where the weights of layers are while nobody computes with them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from torch import Tensor

from workloads.transformer.split import Span

LayerWeights = Mapping[str, Tensor]
"""A rank's part of some weights, on its device, by the names of ``rank_weights``."""


class WeightSource(Protocol):
    """All weights of one model, by the names of ``weight_names.weight_shapes``."""

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        """A part of one weight, on the host: a span of each dimension, None for all of it.

        Raises:
            WeightError: when it is absent, has another shape, or holds what is no number.
        """


class LayerStore(Protocol):
    """The layers of one stage on one rank."""

    def layer(self, index: int) -> AbstractContextManager[LayerWeights]:
        """The weights of a layer (its number in the model), on the device until the context is left."""

    def close(self) -> None:
        """Release memory and threads."""


class ResidentStore:
    """Every layer stays on the device."""

    def __init__(self, layers: Mapping[int, LayerWeights]) -> None:
        self._layers = layers

    @contextmanager
    def layer(self, index: int) -> Iterator[LayerWeights]:
        """The weights of a layer."""
        yield self._layers[index]

    def close(self) -> None:
        """Nothing runs."""
