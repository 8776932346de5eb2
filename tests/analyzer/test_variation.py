from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.variation import variation_of
from saih.domain.record import ADDITIVE_PHASES, Phase
from saih.domain.variation import Pattern
from tests.analyzer.meeting import Causes, meeting_steps


def with_compute(forward, backward):
    """Steps whose forward and backward take so long [R, S] in ns."""
    even = meeting_steps(Causes(), np.random.default_rng(0), ranks=len(forward), count=forward.shape[1])
    rows = {
        **{phase: np.asarray(own) for phase, own in even.duration_ns.items()},
        Phase.FORWARD: forward.astype(np.int64),
        Phase.BACKWARD: backward.astype(np.int64),
    }
    whole = np.sum([rows[phase] for phase in ADDITIVE_PHASES], axis=0)
    table = {phase: tuple(map(tuple, own.tolist())) for phase, own in rows.items()}
    return replace(even, duration_ns=table, step_ns=tuple(map(tuple, whole.tolist())))


def factors(generator, shape, sigma):
    return np.exp(sigma * generator.standard_normal(shape))


def made(pattern, generator, ranks=4, count=40):
    """Compute times with one known pattern, and 1.5 % of noise on each phase."""
    shape = (ranks, count)
    common = np.ones(shape)
    if pattern is Pattern.SLOW_RANK:
        common[1] = 1.3
    if pattern is Pattern.UNEVEN_WORK:
        common = factors(generator, shape, 0.2)
    if pattern is Pattern.COMMON_DRIFT:
        common = np.broadcast_to(factors(generator, (1, count), 0.2), shape)
    spread = 0.15 if pattern is Pattern.NOISE else 0.005 if pattern is Pattern.EVEN else 0.015
    noise = factors(generator, (2, *shape), spread)
    return with_compute(4e6 * common * noise[0], 6e6 * common * noise[1])


@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize("ranks", [2, 8])
def test_each_pattern_is_named_right(pattern, ranks):
    generator = np.random.default_rng(61)
    found = [variation_of(made(pattern, generator, ranks)) for _ in range(60)]
    right = np.mean([one.pattern is pattern for one in found])
    assert right >= 0.95, f"{pattern}: {right:.2f}, such as {[str(one.pattern) for one in found][:6]}"


def test_the_slow_rank_is_named_with_its_ratio():
    found = variation_of(made(Pattern.SLOW_RANK, np.random.default_rng(62)))
    assert found.slowest_rank == 1
    assert found.slowest_ratio == pytest.approx(1.3, rel=0.02)
    assert found.statement.startswith("Rank 1 is always slow, 1.3")
    assert found.worker > 10 * (found.step + found.residual)


def test_variances_are_those_put_in():
    generator = np.random.default_rng(63)
    shape = (8, 2000)
    common = factors(generator, (1, 2000), 0.1) * factors(generator, shape, 0.2)
    found = variation_of(with_compute(4e6 * common, 6e6 * common))
    assert found.step == pytest.approx(0.1**2, rel=0.1)
    assert found.residual == pytest.approx(0.2**2, rel=0.05)
    assert found.worker < 2e-4
    assert found.coupling == pytest.approx(1, abs=0.01)


def test_one_rank_has_no_worker_and_uneven_work_still_shows():
    found = variation_of(made(Pattern.UNEVEN_WORK, np.random.default_rng(64), ranks=1))
    assert (found.worker, found.step, found.slowest_ratio) == (0.0, 0.0, 1.0)
    assert found.pattern is Pattern.UNEVEN_WORK


def test_a_slow_drift_of_one_rank_is_not_called_uneven_work():
    generator = np.random.default_rng(65)
    drift = np.exp(0.2 * np.sin(np.linspace(0, 9, 60)))[None] * factors(generator, (1, 60), 0.01)
    assert variation_of(with_compute(4e6 * drift, 6e6 * drift)).pattern is Pattern.NOISE


def test_too_few_steps_tell_nothing():
    assert variation_of(made(Pattern.NOISE, np.random.default_rng(66), count=7)) is None
