import numpy as np
import pytest

from saih.analyzer.fit import fit_law, predict, smooth
from saih.analyzer.stack import NAMES, Tuning, weighted_median
from saih.analyzer.terms import EXCHANGE, OWN_WORK, SHARED_WORK

SIZES = 2.0 ** np.arange(6)


def test_a_weighted_median_is_not_moved_by_one_wild_voice():
    values = np.array([[1.0], [1.1], [1.2], [50.0]])
    weights = np.full((4, 1), 0.25)
    assert weighted_median(values, weights)[0] == pytest.approx(1.15)
    values[3] = 5000.0
    assert weighted_median(values, weights)[0] == pytest.approx(1.15)


def test_a_voice_with_nearly_all_weight_is_the_median():
    values = np.array([[1.0, 9.0], [2.0, 8.0], [3.0, 7.0]])
    weights = np.array([[0.001, 0.998], [0.998, 0.001], [0.001, 0.001]])
    assert weighted_median(values, weights) == pytest.approx([2.0, 9.0], abs=0.01)


def test_the_stack_goes_through_a_last_point_that_is_no_noise_and_is_smooth_before():
    values = 1 + SIZES
    values[-1] *= 1.2
    law = fit_law(SIZES, values, 0.01)
    beyond = predict(law, np.array([32.0, 32.01]))
    assert beyond.log_value[0] == pytest.approx(np.log(values[-1]), abs=0.02)
    assert beyond.log_value[1] == pytest.approx(beyond.log_value[0], abs=0.002)
    assert predict(law, SIZES[:4]).log_value == pytest.approx(smooth(law, SIZES[:4]))


def test_voices_that_foresaw_the_points_of_a_series_weigh_more():
    law = fit_law(SIZES, 0.5 + 40 / SIZES, 0.01, SHARED_WORK)
    weights = dict(zip(NAMES, law.stack.weights, strict=True))
    assert weights["mechanism"] > weights["last slope"]
    assert sum(weights.values()) == pytest.approx(1)


def test_a_ring_of_messages_is_foreseen_at_eight_times_the_ranks():
    ranks = 2 * SIZES
    truth = lambda p: 0.05 + 0.6 * (p - 1) / p + 0.004 * p  # noqa: E731
    law = fit_law(ranks, truth(ranks), 0.01, EXCHANGE)
    assert np.exp(predict(law, np.array([512.0])).log_value[0]) == pytest.approx(truth(512.0), rel=0.05)


def test_favour_moves_the_weights_and_never_the_voices():
    values = 1 + 0.1 * np.log2(SIZES) * np.array([1, 1.1, 0.9, 1, 1.1, 1])
    plain = fit_law(SIZES, values, 0.01, OWN_WORK)
    other = fit_law(SIZES, values, 0.01, OWN_WORK, Tuning(favour=(1.0, 1.0, 1.0, 50.0)))
    targets = np.array([64.0, 128.0])
    assert other.stack.weights[3] > plain.stack.weights[3]
    for own, same in zip(other.stack.voices, plain.stack.voices, strict=True):
        assert own.log_value(targets) == pytest.approx(same.log_value(targets))


def test_three_sizes_have_voices_but_no_error_in_foreseeing():
    law = fit_law([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 0.01)
    assert law.stack.num_chained == 0
    assert all(np.isnan(voice.chained_error) for voice in law.stack.voices)


def test_beyond_the_points_the_voices_speak_and_inside_the_laws():
    law = fit_law(SIZES, (1 + SIZES) * np.array([1, 1.1, 0.9, 1, 1.1, 1]), 0.01)
    targets = np.array([32.0, 64.0, 256.0])
    said = np.stack([voice.log_value(targets) for voice in law.stack.voices])
    weights = np.broadcast_to(law.stack.weights[:, None], said.shape)
    assert predict(law, targets).log_value == pytest.approx(weighted_median(said, weights))
    inside = np.array([1.0, 3.0, 16.0])
    assert predict(law, inside).log_value == pytest.approx(smooth(law, inside))
    between = predict(law, np.array([23.0])).log_value[0]
    ends = predict(law, np.array([16.0, 32.0])).log_value
    assert min(ends) < between < max(ends)
