"""Parts of a step that overlap hides at every measured size, and that hold it back at larger ones."""

from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.component_crossing import Reach, component_crossings
from saih.analyzer.fit import fit_law, intervals
from saih.analyzer.forecast import forecast
from saih.analyzer.recombination import Family, compose, predict_step
from saih.analyzer.terms import EXCHANGE, OWN_WORK, SHARED_WORK
from saih.domain.interval import Interval
from saih.domain.record import Phase

RANKS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
SHARED = Family(whole=SHARED_WORK, work=SHARED_WORK, exchange=EXCHANGE, exchange_begins=2.0)
OWN = Family(whole=OWN_WORK, work=OWN_WORK, exchange=EXCHANGE, exchange_begins=2.0)
BEHIND = {
    Phase.FORWARD: lambda p: 40e9 / 3 / p,
    Phase.BACKWARD: lambda p: 80e9 / 3 / p,
    Phase.INPUT_PRODUCE: lambda p: 0.9e9,
}
HIDDEN = {
    Phase.FORWARD: lambda p: 0.4e9,
    Phase.BACKWARD: lambda p: 0.6e9,
    Phase.COMMUNICATION_TOTAL: lambda p: 8e6 * (p - 1),
}


def step_of(durations, window):
    """Exposed exchange, wait for input and step under the overlap rule."""
    exchange = max(
        durations.get(Phase.COMMUNICATION_TOTAL, 0.0) - window * durations.get(Phase.BACKWARD, 0.0), 0.0
    )
    work = durations[Phase.FORWARD] + durations[Phase.BACKWARD] + exchange
    produce = durations.get(Phase.INPUT_PRODUCE, 0.0)
    step = (work**8 + produce**8) ** (1 / 8)
    return {Phase.COMMUNICATION: exchange, Phase.INPUT_WAIT: step - work}, step


def crossings_of(points, sizes=RANKS, family=SHARED, greatest=np.inf):
    total = fit_law(sizes, [point.step_ns.value for point in points], 0.02, family.whole)
    found = forecast(compose(points, sizes, family), total, np.array(sizes), greatest)
    return component_crossings(found, Reach(largest=sizes[-1], is_ranks=True))


def interval(value, sigma):
    reach = np.exp(1.96 * sigma)
    return Interval(low=value / reach, value=value, high=value * reach, level=0.95, count=20)


@pytest.fixture
def measured(summary_of, synthetic):
    """Points over ranks whose hidden phases follow a truth, and whose steps follow the overlap rule."""
    base = summary_of(synthetic.point())

    def points(truth, sigma, generator, window=1.0):
        made = []
        for size in RANKS:
            noisy = {
                phase: law(size) * np.exp(sigma * generator.standard_normal()) for phase, law in truth.items()
            }
            exposed, step = step_of(noisy, window)
            phases = {phase: interval({**noisy, **exposed}.get(phase, 0.0), sigma) for phase in Phase}
            made.append(replace(base, phases_ns=phases, step_ns=interval(step, sigma)))
        return made

    return points


@pytest.mark.parametrize(("sigma", "most"), [(0.02, 0.10), (0.08, 0.20)])
def test_input_hidden_at_every_measured_size_is_foreseen_as_the_bottleneck(measured, sigma, most):
    generator = np.random.default_rng(31)
    target = np.array([256.0])
    truth = step_of({phase: law(256.0) for phase, law in BEHIND.items()}, 1.0)[1]
    errors, hits = [], []
    for _ in range(20):
        points = measured(BEHIND, sigma, generator)
        assert all(point.phases_ns[Phase.INPUT_WAIT].value < 0.05 * point.step_ns.value for point in points)
        found = predict_step(compose(points, RANKS, SHARED), target)
        errors.append(abs(float(found.log_value[0]) - np.log(truth)))
        bounds = intervals(found, len(points))[0]
        hits.append(bounds.low <= truth <= bounds.high)
    assert np.median(errors) <= most
    assert np.mean(hits) >= 0.85


def test_an_exchange_hidden_at_every_measured_size_is_foreseen_where_it_outlasts_the_backward_pass(measured):
    """The window was never exhausted, so the interval must hold every window that it may have."""
    generator = np.random.default_rng(32)
    target = np.array([128.0])
    for window in (0.6, 0.8, 1.0):
        truth = step_of({phase: law(128.0) for phase, law in HIDDEN.items()}, window)[1]
        assert truth > 1.35e9
        for _ in range(5):
            points = measured(HIDDEN, 0.02, generator, window)
            assert all(point.phases_ns[Phase.COMMUNICATION].value == 0 for point in points)
            composition = compose(points, RANKS, OWN)
            assert not composition.rule.overlap.is_bound
            bounds = intervals(predict_step(composition, target), len(points))[0]
            assert bounds.low <= truth <= bounds.high
            assert bounds.low > 1.05e9


def test_a_crossing_beyond_the_range_lies_inside_its_interval(measured):
    generator = np.random.default_rng(33)
    hits = []
    for _ in range(20):
        (found,) = crossings_of(measured(BEHIND, 0.08, generator))
        hits.append(found.size.low <= 40 / 0.9 <= found.size.high)
    assert np.mean(hits) >= 0.85
    assert (found.before, found.after, found.is_extrapolated) == ("compute", "input", True)
    assert found.statement.startswith("The longest part of the step turns from compute to input at ")
    assert "ranks (90" in found.statement
    assert found.statement.endswith("extrapolated beyond the measured sizes.")


def test_a_crossing_inside_the_range_is_not_called_extrapolated(measured):
    truth = {
        Phase.FORWARD: lambda p: 10e9 / p,
        Phase.BACKWARD: lambda p: 1e7,
        Phase.INPUT_PRODUCE: lambda p: 1e9,
    }
    points = measured(truth, 0.01, np.random.default_rng(34))
    (found,) = crossings_of(points)
    assert not found.is_extrapolated
    assert found.size.low <= 10 <= found.size.high


def test_no_crossing_is_claimed_beyond_what_can_exist(measured):
    points = measured(BEHIND, 0.02, np.random.default_rng(35))
    assert crossings_of(points, greatest=32.0) == ()


def test_two_loaders_halve_what_a_step_waits_for(synthetic, summary_of):
    base = summary_of(synthetic.point())
    sizes = (1.0, 2.0, 4.0, 8.0)
    points = []
    for size in sizes:
        work, produce = 1e8, 1e8 * size
        step = max(work, produce / 2)
        phases = {phase: interval(0.0, 0.01) for phase in Phase}
        phases |= {
            Phase.FORWARD: interval(work, 0.01),
            Phase.INPUT_PRODUCE: interval(produce, 0.01),
            Phase.INPUT_WAIT: interval(step - work, 0.01),
        }
        points.append(replace(base, phases_ns=phases, step_ns=interval(step, 0.01)))
    composition = compose(points, sizes)
    assert composition.rule.num_loaders == 2
    assert np.exp(predict_step(composition, np.array([16.0])).log_value) == pytest.approx(8e8, rel=0.05)
