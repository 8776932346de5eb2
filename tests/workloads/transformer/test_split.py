"""How ranks share a Transformer, against all ways that there are."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from augment.problem import ProblemError
from workloads.transformer.ladder import named
from workloads.transformer.split import Span, divided, layer_stages, tensor_shares

weights_of_ranks = st.lists(st.floats(0.05, 20.0), min_size=1, max_size=7)


def sizes_of(spans: Sequence[Span]) -> list[int]:
    return [len(span) for span in spans]


def assert_covers(spans: Sequence[Span], total: int) -> None:
    assert [number for span in spans for number in span] == list(range(total))
    assert all(len(span) >= 1 for span in spans)


@given(total=st.integers(1, 400), num_parts=st.integers(1, 9))
def test_even_parts_differ_by_one_at_most_and_the_first_ones_are_larger(total: int, num_parts: int) -> None:
    assume(num_parts <= total)
    spans = divided(total, [1.0] * num_parts, "columns")
    assert_covers(spans, total)
    more = total % num_parts
    assert sizes_of(spans) == [total // num_parts + 1] * more + [total // num_parts] * (num_parts - more)


@given(total=st.integers(1, 400), weights=weights_of_ranks)
def test_weighted_parts_cover_everything_and_nobody_is_left_without(total: int, weights: list[float]) -> None:
    assume(len(weights) <= total)
    assert_covers(divided(total, weights, "columns"), total)


@given(total=st.integers(1, 9), weights=st.lists(st.floats(0.05, 20.0), min_size=1, max_size=3))
def test_no_other_split_into_whole_numbers_is_nearer_to_the_weights(total: int, weights: list[float]) -> None:
    assume(len(weights) <= total)
    asked = [total * weight / sum(weights) for weight in weights]

    def farthest(sizes: Sequence[int]) -> float:
        return max(abs(size - share) for size, share in zip(sizes, asked, strict=True))

    ways = itertools.product(range(1, total + 1), repeat=len(weights))
    least = min(farthest(sizes) for sizes in ways if sum(sizes) == total)
    found = farthest(sizes_of(divided(total, weights, "columns")))
    # Whole shares, rounded: never farther than one, or than what giving each its one unit forces.
    assert found <= max(1.0, least) + 1e-9


@given(total=st.integers(1, 400), weights=weights_of_ranks, factor=st.sampled_from([1e-300, 3.0, 1e300]))
def test_only_the_proportion_of_weights_counts(total: int, weights: list[float], factor: float) -> None:
    assume(len(weights) <= total)
    powers = [2.0 ** round(weight) for weight in weights]  # exact, so that nothing is rounded differently
    scaled = [weight * 2.0 ** round(factor).bit_length() for weight in powers]
    assert divided(total, scaled, "columns") == divided(total, powers, "columns")
    assert_covers(divided(total, [weight * factor for weight in weights], "columns"), total)


@given(total=st.integers(10, 400), weights=weights_of_ranks)
def test_a_faster_rank_never_gets_less_than_a_slower_one(total: int, weights: list[float]) -> None:
    assume(len(weights) <= total)
    sizes = sizes_of(divided(total, sorted(weights), "columns"))
    assert all(slow <= fast + 1 for slow, fast in itertools.pairwise(sizes))
    distinct = [2.0**number for number in range(len(weights))]
    sizes = sizes_of(divided(total, distinct, "columns"))
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("total", "weights"),
    [(3, [1.0] * 4), (3, []), (0, [1.0]), (5, [1.0, 0.0]), (5, [1.0, -2.0]), (5, [float("nan"), 1.0]),
     (5, [1.0, float("inf")])],
)  # fmt: skip
def test_what_cannot_be_shared_is_refused_by_name(total: int, weights: list[float]) -> None:
    with pytest.raises(ProblemError, match=f"{total} heads cannot be shared by {len(weights)} ranks"):
        divided(total, weights, "heads")


@given(
    costs=st.lists(st.floats(0.0, 100.0), min_size=1, max_size=9),
    num_stages=st.integers(1, 9),
)
def test_no_other_cut_makes_the_slowest_stage_faster(costs: list[float], num_stages: int) -> None:
    assume(num_stages <= len(costs))
    stages = layer_stages(costs, num_stages)
    assert len(stages) == num_stages
    assert_covers(stages, len(costs))
    cuts = itertools.combinations(range(1, len(costs)), num_stages - 1)
    slowest = min(
        max(sum(costs[begin:end]) for begin, end in itertools.pairwise((0, *cut, len(costs)))) for cut in cuts
    )
    assert max(sum(costs[layer] for layer in stage) for stage in stages) == pytest.approx(slowest, abs=1e-9)


@given(num_layers=st.integers(1, 40), num_stages=st.integers(1, 40))
def test_equal_layers_make_stages_that_differ_by_as_little_as_can_be(
    num_layers: int, num_stages: int
) -> None:
    assume(num_stages <= num_layers)
    assert max(sizes_of(layer_stages([1.0] * num_layers, num_stages))) == -(-num_layers // num_stages)


@pytest.mark.parametrize("num_stages", [-1, 0, 4])
def test_more_stages_than_layers_are_refused(num_stages: int) -> None:
    with pytest.raises(ProblemError, match=f"3 layers cannot make {num_stages} stages.*use 1 to 3"):
        layer_stages([1.0, 1.0, 1.0], num_stages)


@pytest.mark.parametrize("name", ["gpt2-1.5b", "llama2-70b", "bert-base", "opt-175b"])
@given(num_ranks=st.integers(1, 8), data=st.data())
def test_ranks_share_heads_columns_and_rows_whole(name: str, num_ranks: int, data: st.DataObject) -> None:
    architecture = named(name)
    speeds = data.draw(st.none() | st.lists(st.floats(0.1, 10.0), min_size=num_ranks, max_size=num_ranks))
    shares = tensor_shares(architecture, num_ranks, speeds)
    assert [share.rank for share in shares] == list(range(num_ranks))
    assert [share.adds_bias for share in shares] == [True] + [False] * (num_ranks - 1)
    assert all(share.num_ranks == num_ranks for share in shares)
    for spans, total in (
        ([share.kv_heads for share in shares], architecture.num_kv_heads),
        ([share.ffn_columns for share in shares], architecture.ffn_size),
        ([share.vocabulary for share in shares], architecture.vocab_size),
    ):
        assert spans[0].begin == 0
        assert spans[-1].end == total
        assert all(left.end == right.begin for left, right in itertools.pairwise(spans))
        assert all(len(span) >= 1 for span in spans)


@pytest.mark.parametrize(
    ("num_ranks", "speeds"), [(0, None), (-2, None), (9, None), (2, [1.0]), (2, [1.0, 0.0])]
)
def test_shares_that_cannot_be_are_refused(num_ranks: int, speeds: list[float] | None) -> None:
    with pytest.raises(ProblemError):
        tensor_shares(named("llama2-70b"), num_ranks, speeds)  # 8 heads of keys and values


@given(begin=st.integers(0, 50), length=st.integers(0, 50), size=st.integers(1, 9))
def test_a_span_of_groups_is_the_span_of_their_members(begin: int, length: int, size: int) -> None:
    span = Span(begin, begin + length)
    assert len(span) == length
    assert list(span.times(size)) == [group * size + member for group in span for member in range(size)]
