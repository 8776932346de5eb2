from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saih.analyzer.fit import Measured, describe, fit_law, fit_laws, intervals, predict, predict_all
from saih.analyzer.foreseeing import foresee
from saih.analyzer.members import fit_member
from saih.analyzer.terms import EXCHANGE, GROWTH, OWN_WORK, SHARED_WORK
from saih.domain.record import Phase

TRUTHS = {
    "constant": lambda x: 1 + 0 * x,
    "proportional": lambda x: x,
    "offset + x": lambda x: 5 + x,
    "offset + x log x": lambda x: 3 + x * np.log(x + 1),
    "x^2": lambda x: 2 + 0.2 * x**2,
    "x^3": lambda x: x**3,
    "offset + x^3": lambda x: 5 + 0.02 * x**3,
    "x^0.8 (not in the library)": lambda x: 1 + x**0.8,
    "x^1.7 (not in the library)": lambda x: 1 + 0.2 * x**1.7,
}


def covered(num_sizes, sigma, num_draws, generator):
    """Share of new measurements inside the 90 % intervals: inside the range, and at twice its end."""
    inside, beyond = [], []
    sizes = 2.0 ** np.arange(num_sizes)
    for truth in TRUTHS.values():
        for _ in range(num_draws):
            noise = sigma * np.sqrt(generator.chisquare(10) / 10)
            law = fit_law(sizes, truth(sizes) * np.exp(sigma * generator.standard_normal(num_sizes)), noise)
            targets = np.array([2 ** generator.uniform(0, num_sizes - 1), 2 * sizes[-1]])
            fresh = truth(targets) * np.exp(sigma * generator.standard_normal(2))
            found = intervals(predict(law, targets), num_sizes)
            hits = [bound.low <= value <= bound.high for bound, value in zip(found, fresh, strict=True)]
            inside.append(hits[0])
            beyond.append(hits[1])
    return inside, beyond


@pytest.mark.slow
def test_prediction_intervals_hold_their_level_over_known_laws():
    generator = np.random.default_rng(11)
    inside, beyond = [], []
    for num_sizes in (4, 5, 6, 8):
        for sigma in (0.02, 0.05):
            hits = covered(num_sizes, sigma, 25, generator)
            inside += hits[0]
            beyond += hits[1]
    rates = np.mean(inside), np.mean(beyond)
    assert 0.85 <= rates[0] <= 0.96, (
        f"90 % intervals cover {rates[0]:.3f} inside and {rates[1]:.3f} at x2 ({len(inside)} each)"
    )
    assert 0.85 <= rates[1] <= 0.985  # laws of the library itself are foreseen better than their doubts tell


def test_intervals_from_two_or_three_points_are_wide_but_hold():
    generator = np.random.default_rng(12)
    for num_sizes in (2, 3):
        inside, beyond = covered(num_sizes, 0.03, 30, generator)
        assert np.mean(inside) >= 0.88, (
            f"{num_sizes} sizes: {np.mean(inside):.3f} inside, {np.mean(beyond):.3f} at x2"
        )
        assert np.mean(beyond) >= 0.85


@pytest.mark.parametrize("name", [name for name in TRUTHS if "library" not in name])
def test_noiseless_laws_are_foreseen_at_twice_the_range(name):
    sizes = 2.0 ** np.arange(6)
    prediction = predict(fit_law(sizes, TRUTHS[name](sizes), 0.0), np.array([64.0]))
    assert abs(prediction.log_value[0] - np.log(TRUTHS[name](64.0))) < 0.06


def test_the_law_of_an_offset_and_a_proportional_part_is_read_back():
    sizes = 2.0 ** np.arange(8)
    fit = describe(fit_law(sizes, 3e6 + 2e6 * sizes, 0.002), Phase.FORWARD)
    values = fit_member(fit.terms, sizes, 3e6 + 2e6 * sizes, 1.0).at(sizes)
    assert fit.phase is Phase.FORWARD
    assert fit.residual < 0.03
    assert np.allclose(values, 3e6 + 2e6 * sizes, rtol=0.06)


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("1", "2 ms"),
        ("x", "2 ms (x / 4)"),
        ("log x", "2 ms log(1 + x) / log(1 + 4)"),
        ("x log x", "2 ms (x / 4) log(1 + x) / log(1 + 4)"),
        ("x^3/2", "2 ms (x / 4)^3/2"),
    ],
)
def test_a_law_is_written_in_words(term, words):
    sizes = np.array([4.0, 8.0, 16.0, 32.0])
    law = fit_law(sizes, np.full(4, 2e6), 0.01)
    member = fit_member((term,), sizes, 2e6 * fit_member((term,), sizes, sizes, 4.0)._columns(sizes)[0], 4.0)
    text = describe(
        type(law)(
            sizes=sizes,
            values=member.at(sizes),
            members=(member,),
            weights=np.ones(1),
            noise=0.01,
            scatter=((0.01, 4.0),),
        ),
        None,
    ).text
    assert text == words


def test_one_size_supports_no_law():
    assert fit_law([8.0], [1.0], 0.01) is None
    assert fit_law([8.0, 8.0], [1.0, 1.1], 0.01) is None


def test_points_that_share_a_size_are_repeats():
    law = fit_law([2.0, 2.0, 4.0, 4.0], [1.0, 1.1, 2.0, 2.2], 0.02)
    assert 1.8 < np.exp(predict(law, np.array([4.0])).log_value[0]) < 2.4


def test_extrapolation_beyond_eight_times_is_refused():
    law = fit_law([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 0.01)
    assert predict(law, np.array([32.0])).log_value.shape == (1,)
    with pytest.raises(ValueError, match="8 times the largest"):
        predict(law, np.array([33.0]))


def test_intervals_widen_beyond_the_range():
    sizes = 2.0 ** np.arange(6)
    deviation = predict(fit_law(sizes, 5 + sizes, 0.02), np.array([16.0, 64.0, 128.0, 256.0])).log_deviation
    assert np.all(np.diff(deviation) > 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.5, 50), min_size=4, max_size=7), st.floats(0.001, 1e6))
def test_predictions_are_positive_and_scale_with_the_unit(values, unit):
    sizes = 2.0 ** np.arange(len(values))
    targets = np.array([1.0, 3.0, 2 * sizes[-1]])
    first = predict(fit_law(sizes, values, 0.02), targets)
    second = predict(fit_law(sizes, [unit * value for value in values], 0.02), targets)
    assert np.allclose(second.log_value - first.log_value, np.log(unit), atol=1e-6)
    assert np.allclose(second.log_deviation, first.log_deviation, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("library", [GROWTH, SHARED_WORK, OWN_WORK, EXCHANGE])
@pytest.mark.parametrize("num_sizes", [2, 3, 4, 9, 40])
def test_series_that_are_fitted_together_get_the_laws_of_each_alone(library, num_sizes):
    rng = np.random.default_rng(num_sizes)
    sizes = np.geomspace(2, 90, num_sizes)
    forms = [3 + sizes, 1 + 1 / sizes, 2 * np.sqrt(sizes), 4 + 0 * sizes, sizes**3, 2 + np.log(sizes)]
    series = [
        Measured(
            sizes=sizes,
            values=form * np.exp(0.02 * rng.standard_normal(num_sizes)),
            noise=0.01 * place,
            library=library,
        )
        for place, form in enumerate(12 * forms)
    ]
    series.insert(7, Measured(sizes=[*sizes, 2.0], values=[*forms[0], 5.5], noise=0.0, library=library))
    asked = np.array([2.0, 31.0, 90.0, 400.0])
    for one, together in zip(series, fit_laws(series), strict=True):
        alone = fit_law(one.sizes, one.values, one.noise, library)
        assert [member.terms for member in together.members] == [member.terms for member in alone.members]
        (logs, doubts), (expected, own) = foresee(together, asked), foresee(alone, asked)
        assert logs == pytest.approx(expected, rel=1e-9)
        assert astuple(doubts) == tuple(pytest.approx(part, rel=1e-9, abs=1e-12) for part in astuple(own))


def test_laws_looked_at_together_foresee_what_each_foresees_alone():
    rng = np.random.default_rng(17)
    laws = [
        fit_law(
            sizes, (2 + sizes + 3 / sizes) * np.exp(0.03 * rng.standard_normal(len(sizes))), 0.02, library
        )
        for sizes in (
            2.0 ** np.arange(1, 8),
            2.0 ** np.arange(1, 4),
            np.array([2.0, 4.0]),
            2.0 + np.arange(9),
        )
        for library in (GROWTH, EXCHANGE, SHARED_WORK)
        for _ in range(7)
    ]
    asked = np.geomspace(2, 32, 11)
    reaching = [law for law in laws if law.sizes[-1] >= 4]
    for law, together in zip(reaching, predict_all(reaching, asked), strict=True):
        alone = predict(law, asked)
        assert together.freedom == alone.freedom
        assert together.log_value == pytest.approx(alone.log_value, rel=1e-12, abs=1e-12)
        assert together.log_deviation == pytest.approx(alone.log_deviation, rel=1e-9)
    with pytest.raises(ValueError, match="more than 8 times"):
        predict_all(reaching, np.array([80.0]))
