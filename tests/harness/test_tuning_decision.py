"""When a candidate is faster, when it is not, and whether it learns what the plain execution learns."""

import math
import random

import pytest

from saih.harness.tuning_decision import MOST_PAIRS, gain_of, loss_refusal, shape_of, verdict_of


def noisy_pairs(ratio: float, noise: float, count: int, seed: int) -> list[tuple[float, float]]:
    """Steps that drift by half over the pairs, and scatter."""
    draw = random.Random(seed)
    drifts = [1 + 0.5 * number / count for number in range(count)]
    return [
        (drift * ratio * math.exp(draw.gauss(0, noise)), drift * math.exp(draw.gauss(0, noise)))
        for drift in drifts
    ]


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.1, 3.0])
def test_the_gain_is_found_whatever_the_machine_drifts(ratio: float) -> None:
    gains = [gain_of(noisy_pairs(ratio, 0.01, 4, seed)) for seed in range(200)]
    covered = sum(gain.low <= ratio <= gain.high for gain in gains)
    assert covered >= 180  # 95 % of them, within the noise of 200 draws
    verdicts = {verdict_of(gain) for gain in gains}
    assert verdicts <= ({"kept", None} if ratio > 1 else {"slower", None})


def test_equal_executions_are_seldom_taken_for_faster() -> None:
    verdicts = [verdict_of(gain_of(noisy_pairs(1.0, 0.03, MOST_PAIRS, seed))) for seed in range(400)]
    assert verdicts.count("kept") <= 20  # 2.5 % are 10
    assert None not in verdicts


def test_one_pair_decides_only_what_is_far_apart() -> None:
    assert verdict_of(gain_of([(3.0, 1.0)])) == "kept"
    assert verdict_of(gain_of([(1.0, 3.0)])) == "slower"
    assert verdict_of(gain_of([(1.1, 1.0)])) is None


def test_what_cannot_gain_much_ends_early() -> None:
    assert verdict_of(gain_of([(1.0, 1.0), (1.001, 1.0), (0.999, 1.0)])) == "no gain"


def test_long_steps_are_timed_one_by_one_and_short_ones_settle_first() -> None:
    assert (shape_of(3e9, 20).num_settling, shape_of(3e9, 20).num_timed) == (0, 1)
    short = shape_of(1e6, 20)
    assert short.num_settling > 10
    assert short.num_timed > 10
    assert shape_of(1e7, 200).num_timed > shape_of(1e7, 20).num_timed


def test_losses_are_compared_within_the_rounding_of_the_coarser_format() -> None:
    plain = [0.5, 0.45, 0.41]
    assert loss_refusal(plain, [0.5, 0.4501, 0.41], ("float32", "float32")) == ""
    assert loss_refusal(plain, [0.5, 0.46, 0.41], ("float32", "bfloat16")) == ""
    assert loss_refusal(plain, [0.5, 0.46, 0.41], ("bfloat16", "float32")) == ""
    refusal = loss_refusal(plain, [0.5, 0.46, 0.41], ("float32", "float32"))
    assert "step 2 is 0.46, that of the plain execution 0.45" in refusal
    assert "step 3" in loss_refusal([], [0.5, 0.4, math.nan], ("float32", "float16"))
    assert loss_refusal(plain, [0.5, 0.45, 0.41, 9.0], ("float32", "float32")) == ""  # only the first count
