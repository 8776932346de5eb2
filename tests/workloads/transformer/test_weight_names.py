"""Names and shapes of weights, for every family and any sizes."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.checkpoint_names import is_ignored, prefix_of, stored_weights
from workloads.transformer.weight_names import (
    HEAD,
    TOKENS,
    layer_shapes,
    layer_weight,
    num_parameters,
    weight_shapes,
)


@st.composite
def architectures(draw: st.DrawFn) -> TransformerArchitecture:
    family = draw(st.sampled_from(Family))
    kv_heads, heads_per_kv = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    heads = kv_heads * heads_per_kv if family is Family.LLAMA else kv_heads
    head_size = 2 * draw(st.integers(1, 6))
    return TransformerArchitecture(
        family=family,
        num_layers=draw(st.integers(1, 5)),
        hidden_size=heads * head_size,
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_size=head_size,
        ffn_size=draw(st.integers(1, 40)),
        vocab_size=draw(st.integers(1, 99)),
        max_length=draw(st.integers(1, 64)),
        activation=Activation.GELU,
        norm_epsilon=1e-5,
        is_head_tied=draw(st.booleans()),
    )


@given(architectures())
def test_every_layer_has_the_weights_of_a_layer(architecture: TransformerArchitecture) -> None:
    shapes = weight_shapes(architecture)
    for layer in range(architecture.num_layers):
        for name, shape in layer_shapes(architecture).items():
            assert shapes[layer_weight(layer, name)] == shape
    assert layer_weight(architecture.num_layers, "mlp.up.weight") not in shapes
    assert (HEAD in shapes) == architecture.is_decoder
    assert shapes[TOKENS] == (architecture.vocab_size, architecture.hidden_size)


@given(architectures())
def test_products_can_follow_each_other(architecture: TransformerArchitecture) -> None:
    shapes = layer_shapes(architecture)
    query, key, output = (shapes[f"attention.{name}.weight"] for name in ("query", "key", "output"))
    assert query[1] == key[1] == output[0] == architecture.hidden_size
    assert query[0] == output[1] == key[0] * architecture.heads_per_kv
    assert shapes["mlp.up.weight"] == shapes["mlp.down.weight"][::-1]
    assert ("mlp.gate.weight" in shapes) == (architecture.family is Family.LLAMA)
    for name, shape in shapes.items():
        if name.endswith(".bias"):
            assert shape == shapes[name.removesuffix("bias") + "weight"][:1]
    assert any(name.endswith(".bias") for name in shapes) == architecture.has_biases


@given(architectures())
def test_a_tied_head_counts_once(architecture: TransformerArchitecture) -> None:
    tied, free = (num_parameters(replace(architecture, is_head_tied=is_tied)) for is_tied in (True, False))
    head = architecture.vocab_size * architecture.hidden_size if architecture.is_decoder else 0
    assert free - tied == head
    assert free == sum(math.prod(shape) for shape in weight_shapes(architecture).values())


@given(architectures())
def test_every_weight_is_a_part_of_its_own_in_a_file(architecture: TransformerArchitecture) -> None:
    """No two weights share an element, and the tensors of files hold nothing else but OPT's two rows."""
    shapes, places = weight_shapes(architecture), stored_weights(architecture)
    assert set(places) == set(shapes)
    stored = {place.name: math.prod(place.shape) for place in places.values()}
    unused = 2 * architecture.hidden_size if architecture.family is Family.OPT else 0
    assert sum(stored.values()) == sum(math.prod(shape) for shape in shapes.values()) + unused
    parts = set()
    for name, place in places.items():
        outputs = place.shape[-1] if place.is_transposed else place.shape[0]
        assert place.begin + shapes[name][0] <= outputs
        parts.add((place.name, place.begin))
    assert len(parts) == len(places)
    assert not any(is_ignored(architecture.family, name) for name in stored)


@pytest.mark.parametrize(
    ("family", "name", "prefix"),
    [
        (Family.GPT2, "transformer.wte.weight", "transformer."),
        (Family.GPT2, "wte.weight", ""),
        (Family.OPT, "model.decoder.embed_tokens.weight", "model.decoder."),
        (Family.OPT, "decoder.embed_tokens.weight", "decoder."),
        (Family.LLAMA, "model.embed_tokens.weight", "model."),
        (Family.BERT, "bert.embeddings.word_embeddings.weight", "bert."),
        (Family.BERT, "nothing", "bert."),
    ],
)
def test_the_embedding_tells_the_prefix(family: Family, name: str, prefix: str) -> None:
    assert prefix_of(family, {name, "lm_head.weight"}) == prefix
