"""What a rank holds: its part of everything, once, and in one piece of memory each."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from tests.workloads.transformer.architectures import ALL, BERT, GPT2, LLAMA, family_name
from tests.workloads.transformer.group_in_threads import CPU64
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.errors import WeightError
from workloads.transformer.loading import load_ends, load_layer
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.weight_names import HEAD, POSITIONS, TOKENS, layer_shapes


class NotedReads(RandomWeights):
    """Notes how many elements were read of each weight."""

    def __init__(self, architecture: TransformerArchitecture) -> None:
        super().__init__(architecture, 1)
        self.read_elements: dict[str, int] = {}

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        part = super().read(name, spans)
        self.read_elements[name] = self.read_elements.get(name, 0) + part.numel()
        return part


@pytest.mark.parametrize("speeds", [(1.0,), (1.0, 1.0), (1.0, 5.0, 2.0)], ids=str)
@pytest.mark.parametrize("architecture", ALL, ids=family_name)
def test_all_ranks_together_read_every_shared_weight_of_a_layer_once(
    architecture: TransformerArchitecture, speeds: tuple[float, ...]
) -> None:
    weights = NotedReads(architecture)
    shares = tensor_shares(architecture, len(speeds), speeds)
    for share in shares:
        load_layer(architecture, 1, share, weights, CPU64)
    for name, shape in layer_shapes(architecture).items():
        num_readers = len(shares) if name.startswith("norm") else 1
        assert weights.read_elements[f"layer.1.{name}"] == num_readers * torch.Size(shape).numel()


@pytest.mark.parametrize("architecture", ALL, ids=family_name)
def test_tensors_of_a_layer_are_whole_pieces_of_memory_of_their_own(
    architecture: TransformerArchitecture,
) -> None:
    weights = RandomWeights(architecture, 1)
    for share in tensor_shares(architecture, 3):
        layer = load_layer(architecture, 0, share, weights, CPU64)
        storages = {tensor.untyped_storage().data_ptr() for tensor in layer.values()}
        assert len(storages) == len(layer)
        for tensor in layer.values():
            assert tensor.is_contiguous()
            assert tensor.dtype is torch.float64
            assert tensor.untyped_storage().nbytes() == tensor.nbytes


def test_only_the_first_rank_adds_the_biases_of_summed_products() -> None:
    weights = RandomWeights(GPT2, 1)
    holders = [
        [
            name
            for name in load_layer(GPT2, 0, share, weights, CPU64)
            if name.endswith(("output.bias", "down.bias"))
        ]
        for share in tensor_shares(GPT2, 3)
    ]
    assert holders == [["attention.output.bias", "mlp.down.bias"], [], []]


def test_a_tied_head_beside_its_embedding_takes_no_memory() -> None:
    weights = NotedReads(GPT2)
    for share in tensor_shares(GPT2, 2):
        ends = load_ends(GPT2, Span(0, GPT2.num_layers), share, weights, CPU64)
        assert ends[HEAD].untyped_storage().data_ptr() == ends[TOKENS].untyped_storage().data_ptr()
        assert torch.equal(ends[HEAD], ends[TOKENS][share.vocabulary.begin : share.vocabulary.end])
    assert HEAD not in weights.read_elements


@pytest.mark.parametrize(
    ("architecture", "layers", "names"),
    [
        (GPT2, Span(0, 1), {TOKENS, POSITIONS}),
        (GPT2, Span(1, 2), set()),
        (GPT2, Span(1, 3), {"final_norm.weight", "final_norm.bias", HEAD}),
        (LLAMA, Span(0, 3), {TOKENS, "final_norm.weight", HEAD}),
        (BERT, Span(1, 3), set()),
        (
            BERT,
            Span(0, 3),
            {TOKENS, POSITIONS, "embedding.types", "embedding.norm.weight", "embedding.norm.bias"},
        ),
    ],
)
def test_embeddings_and_head_are_where_a_model_begins_and_ends(
    architecture: TransformerArchitecture, layers: Span, names: set[str]
) -> None:
    share = tensor_shares(architecture, 2)[1]
    ends = load_ends(architecture, layers, share, RandomWeights(architecture, 1), CPU64)
    assert set(ends) == names
    if HEAD in ends:
        assert ends[HEAD].shape == (len(share.vocabulary), architecture.hidden_size)


def test_weights_of_another_shape_are_refused_by_name() -> None:
    class Narrow(RandomWeights):
        def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
            return super().read(name, spans)[:-1]

    (share,) = tensor_shares(GPT2, 1)
    with pytest.raises(
        WeightError, match=r"layer\.0\.norm_attention\.weight should give a part of \[24\], but gave \[23\]"
    ):
        load_layer(GPT2, 0, share, Narrow(GPT2, 1), CPU64)


class Stored(RandomWeights):
    """Weights of one element that a checkpoint keeps in float32."""

    def __init__(self, greatest: float) -> None:
        super().__init__(GPT2, 1)
        self._greatest = greatest

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        part = super().read(name, spans).to(torch.float32)
        if name.endswith("mlp.down.weight"):
            part[-1, -1] = self._greatest
        return part


@pytest.mark.parametrize(
    ("dtype", "greatest", "next_above"),
    [
        (torch.float16, 65504.0, 65520.0),  # halfway to 2^16, which is beyond: rounded to infinity
        (torch.bfloat16, 3.3895e38, 3.4e38),
        (torch.float16, -65504.0, -1e38),
    ],
    ids=str,
)
def test_a_weight_beyond_the_range_of_its_new_type_is_refused_by_name(
    dtype: torch.dtype, greatest: float, next_above: float
) -> None:
    (share,) = tensor_shares(GPT2, 1)
    place = Place(device=torch.device("cpu"), dtype=dtype)
    layer = load_layer(GPT2, 2, share, Stored(greatest), place)
    assert float(layer["mlp.down.weight"][-1, -1]) == pytest.approx(greatest, rel=1e-3)
    with pytest.raises(
        WeightError,
        match=rf"layer\.2\.mlp\.down\.weight has values up to .*, and {str(dtype)[6:]} none beyond",
    ):
        load_layer(GPT2, 2, share, Stored(next_above), place)
