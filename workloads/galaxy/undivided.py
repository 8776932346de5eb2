"""What one device alone answers: the answer of several is held against it before anything is timed.

Layers are read one by one and dropped again, so that no device needs room for the whole model.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.galaxy.plan import whole_share
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.exchange import Alone
from workloads.transformer.layer_store import LayerWeights, WeightSource
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_ends, load_layer
from workloads.transformer.place import Place
from workloads.transformer.split import Span
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want

TOLERATED = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float16: 0.05}
"""Error of an answer, relative to its greatest value, by what is computed with; over exact links."""
TOLERATED_ROUNDED = 0.25
"""Where links round: each hidden value by 2^-8 (bfloat16) or 1/254 of its row's greatest (int8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undivided:
    """A model on one device."""

    architecture: TransformerArchitecture
    weights: WeightSource
    place: Place

    def answer(self, tokens: Sequence[int]) -> Tensor:
        """Logits of the last of these tokens, or of an encoder the first one's state: [1, columns]."""
        layers, share = Span(0, self.architecture.num_layers), whole_share(self.architecture)
        stage = Stage(
            architecture=self.architecture,
            layers=layers,
            share=share,
            store=self,
            ends=load_ends(self.architecture, layers, share, self.weights, self.place),
            exchange=Alone(),
            place=self.place,
        )
        with torch.inference_mode():
            rows = torch.tensor(tokens, device=self.place.device)
            return stage.forward(rows, Layout(lengths=(len(tokens),)), Want.LAST_ROWS)

    @contextmanager
    def layer(self, index: int) -> Iterator[LayerWeights]:
        """The weights of a layer, read anew."""
        yield load_layer(self.architecture, index, whole_share(self.architecture), self.weights, self.place)

    def close(self) -> None:
        """Nothing runs."""


def relative_error(answer: Tensor, expected: Tensor) -> float:
    """The largest difference over the largest value."""
    wide, right = answer.to(torch.float64).cpu(), expected.to(torch.float64).cpu()
    return float((wide - right).abs().max() / right.abs().max())


def tolerated(wire: WireFormat, dtype: torch.dtype) -> float:
    """The largest relative error that is no mistake."""
    exact = TOLERATED[dtype]
    return exact if wire is WireFormat.EXACT else max(exact, TOLERATED_ROUNDED)
