"""The limit of removing padding: what is known of it."""

import pytest

from benchmarks.energon_mixes import MIXES, flop_limit, layers_flops, repadded_limit, valid_fraction
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture


def model(hidden_size: int, family: Family = Family.BERT) -> TransformerArchitecture:
    return TransformerArchitecture(
        family=family,
        num_layers=3,
        hidden_size=hidden_size,
        num_heads=8,
        num_kv_heads=8,
        head_size=hidden_size // 8,
        ffn_size=4 * hidden_size,
        vocab_size=100,
        max_length=512,
        activation=Activation.GELU,
        norm_epsilon=1e-12,
    )


def test_a_layer_costs_24_squared_widths_a_token_and_4_widths_a_pair() -> None:
    assert layers_flops(model(64), [5, 7], [5, 7]) == 3 * (24 * 64**2 * 12 + 4 * 64 * (25 + 49))


def test_tokens_of_a_decoder_make_pairs_with_themselves_and_those_before() -> None:
    assert layers_flops(model(64, Family.GPT2), [5], [3]) == 3 * (24 * 64**2 * 5 + 4 * 64 * (1 + 2 + 3))


@pytest.mark.parametrize("lengths", MIXES.values(), ids=MIXES)
def test_padding_around_attention_leaves_less_to_gain_and_products_alone_gain_the_share(
    lengths: tuple[int, ...],
) -> None:
    limit, repadded = flop_limit(model(768), lengths), repadded_limit(model(768), lengths)
    assert 1 < repadded < 1 / valid_fraction(lengths) < limit


def test_equal_lengths_have_nothing_to_gain() -> None:
    assert flop_limit(model(768), [9, 9, 9]) == 1
