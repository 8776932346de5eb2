"""Published sizes, against the counts of their papers."""

import itertools

import pytest

from augment.problem import ProblemError
from workloads.transformer.ladder import LADDER, PublishedModel, named, published
from workloads.transformer.weight_names import layer_shapes, num_parameters

COUNTED = [model for model in LADDER if model.num_parameters is not None]


@pytest.mark.parametrize("model", COUNTED, ids=lambda model: model.name)
def test_weights_are_as_many_as_published_within_the_last_digit(model: PublishedModel) -> None:
    assert model.num_parameters is not None
    assert abs(num_parameters(model.architecture) - model.num_parameters) < model.rounded_to


@pytest.mark.parametrize(
    ("name", "num_weights"),
    [  # what transformers counts for these models, less OPT's two unused positions and BERT's pooler
        ("gpt2-124m", 124_439_808),
        ("gpt2-1.5b", 1_557_611_200),
        ("opt-125m", 125_239_296 - 2 * 768),
        ("llama-7b", 6_738_415_616),
        ("llama2-70b", 68_976_648_192),
        ("llama3-8b", 8_030_261_248),
        ("bert-base", 109_482_240 - 768 * 769),
    ],
)
def test_weights_of_well_known_models_are_counted_to_the_last_one(name: str, num_weights: int) -> None:
    assert num_parameters(named(name)) == num_weights


def test_the_ladder_climbs_from_66_million_to_175_billion() -> None:
    counts = [num_parameters(model.architecture) for model in LADDER]
    assert all(low <= 1.03 * high for low, high in itertools.pairwise(counts))
    assert counts[0] == pytest.approx(66e6, rel=0.1)
    assert counts[-1] == pytest.approx(175e9, rel=0.01)
    assert all(high < 2.7 * low for low, high in itertools.pairwise(counts))


def test_energonai_s_gpt3_has_an_eighth_of_the_layers_of_gpt3() -> None:
    short, whole = named("gpt3-12-layers"), named("gpt3-175b")
    assert layer_shapes(short) == layer_shapes(whole)
    layer = (num_parameters(whole) - num_parameters(short)) / 84
    assert num_parameters(short) == pytest.approx(12 * layer, rel=0.03)


def test_names_are_unique_and_each_has_its_source() -> None:
    assert len({model.name for model in LADDER}) == len(LADDER)
    assert all("et al." in model.source for model in LADDER)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProblemError, match=r"'opt-350m'.*gpt2-124m.*opt-175b"):
        published("opt-350m")
