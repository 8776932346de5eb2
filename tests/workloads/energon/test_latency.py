"""What is told of latencies and rates, of one replica and of several."""

import random
from collections.abc import Sequence

import pytest

from workloads.energon.latency import MOST_TOLD, StepMoments, StepTokens, latency_notes, told_of

PROMPTS = StepTokens(num_prompt_passes=1, num_real_tokens=10, num_new_tokens=0)


def one_pass(*begins_and_ends: tuple[int, int]) -> Sequence[StepMoments]:
    return [StepMoments(begins_ns=[begin], answers_ns=[end]) for begin, end in begins_and_ends]


def test_percentiles_are_over_the_passes_of_all_replicas_and_rates_are_summed() -> None:
    quick = told_of(one_pass(*((100 * step, 100 * step + 10) for step in range(50))), PROMPTS)
    slow = told_of(one_pass(*((100 * step, 100 * step + 40) for step in range(50))), PROMPTS)
    notes = latency_notes([quick, {}, slow, {}])
    assert (notes["prompt_pass_p50_ns"], notes["prompt_pass_p95_ns"]) == ("10", "40")
    assert float(notes["tokens_per_s"]) == pytest.approx(1e9 * (10 / 10 + 10 / 40))
    assert int(latency_notes([quick])["prompt_pass_p99_ns"]) == 10


def test_what_a_replica_waits_between_steps_is_not_its_rate() -> None:
    """It meets the others there, which may be slower; steps that overlap in a pipeline count once."""
    apart = told_of(one_pass((0, 10), (1000, 1010)), PROMPTS)
    overlapping = told_of(one_pass((0, 15), (5, 20)), PROMPTS)
    for told in (apart, overlapping):
        assert float(latency_notes([told])["tokens_per_s"]) == pytest.approx(1e9 * 20 / 20)


def test_first_tokens_count_from_the_begin_of_their_step_and_new_tokens_have_a_rate() -> None:
    tokens = StepTokens(num_prompt_passes=2, num_real_tokens=12, num_new_tokens=4)
    step = StepMoments(begins_ns=[0, 10, 20, 30], answers_ns=[10, 25, 30, 40])
    notes = latency_notes([told_of([step], tokens)])
    assert (notes["prompt_pass_p99_ns"], notes["decode_pass_p99_ns"]) == ("15", "10")
    assert (notes["first_token_p50_ns"], notes["first_token_p99_ns"]) == ("10", "25")
    assert float(notes["new_tokens_per_s"]) == pytest.approx(1e9 * 4 / 40)


def test_nothing_is_told_of_no_steps_and_no_rate_where_time_stands() -> None:
    assert latency_notes([told_of([], PROMPTS)]) == {}
    assert latency_notes([told_of(one_pass((5, 5)), PROMPTS)])["tokens_per_s"] == "unknown"


@pytest.mark.parametrize("count", [MOST_TOLD + 1, 5 * MOST_TOLD])
def test_of_very_many_passes_so_many_are_told_that_percentiles_stay(count: int) -> None:
    draw = random.Random(count)
    ordered = sorted(draw.randrange(10**9) for _ in range(count))
    told = told_of(one_pass(*((0, took) for took in ordered)), PROMPTS)
    assert len(told["latencies_ns"]["prompt_pass"]) == MOST_TOLD
    notes = latency_notes([told])
    for percentile in (50, 95, 99):
        shares = (percentile / 100 - 1 / MOST_TOLD, percentile / 100 + 1 / MOST_TOLD)
        below, above = (ordered[int(count * share)] for share in shares)
        assert below <= int(notes[f"prompt_pass_p{percentile}_ns"]) <= above
