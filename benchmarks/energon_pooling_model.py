"""A whole model on one device as the benchmark of pooling runs it, wherever its layers are."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.exchange import Alone
from workloads.transformer.layer_store import LayerStore, LayerWeights, WeightSource
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_ends, load_layer
from workloads.transformer.place import Place
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want


class Model:
    """Sequences of equal length, one where not said otherwise, go through all layers."""

    def __init__(
        self,
        architecture: TransformerArchitecture,
        weights: WeightSource,
        device: torch.device,
        tokens: Sequence[int],
        num_sequences: int = 1,
    ) -> None:
        self._architecture = architecture
        self._weights = weights
        self._place = Place(device=device, dtype=torch.float32 if device.type == "cpu" else torch.bfloat16)
        self._share = tensor_shares(architecture, 1)[0]
        self.layers = Span(0, architecture.num_layers)
        self._tokens = torch.tensor(list(tokens), device=device)
        self._layout = Layout(lengths=(len(tokens) // num_sequences,) * num_sequences)
        self._ends: LayerWeights = {}

    def load(self, layer: int) -> LayerWeights:
        """One layer's weights."""
        return load_layer(self._architecture, layer, self._share, self._weights, self._place)

    def ends(self) -> LayerWeights:
        """Embedding, final norm and head; loaded once."""
        self._ends = self._ends or load_ends(
            self._architecture, self.layers, self._share, self._weights, self._place
        )
        return self._ends

    @torch.inference_mode()
    def forward(self, store: LayerStore) -> Tensor:
        """Logits [sequences, vocabulary] of the last tokens, on the host when this returns."""
        stage = Stage(
            architecture=self._architecture,
            layers=self.layers,
            share=self._share,
            store=store,
            ends=self.ends(),
            exchange=Alone(),
            place=self._place,
        )
        return stage.forward(self._tokens, self._layout, Want.LAST_ROWS).cpu()


def gpt2(sizes: Mapping[str, int]) -> TransformerArchitecture:
    """A GPT-2 of these sizes."""
    return TransformerArchitecture(
        family=Family.GPT2,
        num_layers=sizes["num_layers"],
        hidden_size=sizes["hidden_size"],
        num_heads=sizes["num_heads"],
        num_kv_heads=sizes["num_heads"],
        head_size=sizes["hidden_size"] // sizes["num_heads"],
        ffn_size=sizes["ffn_size"],
        vocab_size=sizes["vocab_size"],
        max_length=sizes["max_length"],
        activation=Activation.GELU_TANH,
        norm_epsilon=1e-5,
    )
