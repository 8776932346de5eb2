"""Steps and records."""

from saih.domain.record import HIDDEN_PHASES, STEP_PHASES, Phase, Steps


def test_a_step_lasts_as_long_as_its_slowest_rank() -> None:
    steps = Steps(duration_ns={}, step_ns=((10, 30, 20), (15, 25, 21)), losses=(), warmup_steps=0)
    assert steps.slowest_ns == (15, 30, 21)
    assert (steps.num_ranks, steps.num_steps) == (2, 3)


def test_no_ranks_have_no_steps() -> None:
    steps = Steps(duration_ns={}, step_ns=(), losses=(), warmup_steps=0)
    assert (steps.num_ranks, steps.num_steps, steps.slowest_ns) == (0, 0, ())


def test_every_phase_is_either_additive_or_hidden() -> None:
    assert set(STEP_PHASES) | set(HIDDEN_PHASES) == set(Phase)
    assert not set(STEP_PHASES) & set(HIDDEN_PHASES)
