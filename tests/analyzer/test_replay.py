"""Steps replayed with a change: what they would have taken."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from saih.analyzer import replay_loader
from saih.analyzer.replay import Change, replayed, replayed_ns
from saih.commands.import_stage import import_file
from saih.domain.record import STEP_PHASES, Meter, Phase, RankSummary, Steps
from saih.harness import prefetch
from saih.store.sweep_folder import read_records
from tests.analyzer.meeting import Causes, meeting_steps

BUNDLES = Path(__file__).parents[2] / "results" / "reference"
MS = 1_000_000


def made(rows: dict[Phase, list[list[float]]], summary: RankSummary | None = None) -> Steps:
    """Steps of these phases in ms; phases that are not named take nothing."""
    shape = np.shape(next(iter(rows.values())))
    table = {
        phase: (np.array(rows.get(phase, np.zeros(shape))) * MS).astype(int)
        for phase in Phase
    }  # fmt: skip
    whole = np.sum([table[phase] for phase in STEP_PHASES], axis=0)
    return Steps(
        duration_ns={phase: tuple(map(tuple, own.tolist())) for phase, own in table.items()},
        step_ns=tuple(map(tuple, whole.tolist())),
        losses=(1.0,) * shape[1],
        warmup_steps=0,
        summary=summary,
    )


def meeting(work: tuple[float, float], transfer: float, count: int = 6) -> Steps:
    """Two ranks that work so long [ms] and meet in an exchange, which nothing hides."""
    longest = max(work)
    exposed = [[longest - own + transfer] * count for own in work]
    forward = [[own] * count for own in work]
    return made({Phase.FORWARD: forward, Phase.COMMUNICATION: exposed, Phase.COMMUNICATION_TOTAL: exposed})


def reading(work: float, production: float, count: int = 40) -> Steps:
    """One rank whose batches take so long to make [ms], made ahead from before the first step."""
    wait = max(production - work, 0.0)
    return made(
        {
            Phase.INPUT_WAIT: [[wait] * count],
            Phase.FORWARD: [[work] * count],
            Phase.INPUT_PRODUCE: [[production] * count],
        }
    )


@pytest.mark.parametrize("name", ["laptop", "ranks", "threads"])
def test_nothing_changed_is_what_was_measured_to_the_nanosecond(tmp_path: Path, name: str) -> None:
    imported = import_file(BUNDLES / f"{name}.saih.zip", tmp_path, None, is_dry=False)
    records, _ = read_records(imported.folder)
    measured = [record.result.steps for record in records if record.result.steps is not None]
    assert measured
    for steps in measured:
        neutral = Change(factor=dict.fromkeys(Phase, 1.0), ranks=frozenset(range(steps.num_ranks)))
        for change in (Change(), neutral):
            assert replayed_ns(steps, change).tolist() == list(steps.slowest_ns)
            assert replayed(steps, change) == steps


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0, 10.0])
@pytest.mark.parametrize("work", [(30.0, 30.0), (30.0, 50.0)])
def test_the_transfer_scales_and_waiting_for_a_rank_does_not(
    factor: float, work: tuple[float, float]
) -> None:
    found = replayed_ns(meeting(work, 8.0), Change(factor={Phase.COMMUNICATION: factor}))
    assert found == pytest.approx(np.full(6, (max(work) + factor * 8.0) * MS))


def test_a_faster_rank_helps_only_while_it_is_the_last_to_arrive() -> None:
    steps = meeting((30.0, 50.0), 8.0)
    quick, slow = frozenset([0]), frozenset([1])
    half = {Phase.FORWARD: 0.5}
    assert replayed_ns(steps, Change(factor=half, ranks=quick)) == pytest.approx(np.full(6, 58.0 * MS))
    assert replayed_ns(steps, Change(factor=half, ranks=slow)) == pytest.approx(np.full(6, 38.0 * MS))
    assert replayed_ns(steps, Change(is_even=True)) == pytest.approx(np.full(6, 48.0 * MS))
    assert replayed_ns(steps, Change(added_ns={Phase.FORWARD: 30.0 * MS}, ranks=quick)) == pytest.approx(
        np.full(6, 68.0 * MS)
    )


def test_ranks_that_no_longer_meet_wait_for_nobody() -> None:
    found = replayed_ns(meeting((30.0, 50.0), 8.0), Change(is_meeting=False))
    assert found == pytest.approx(np.full(6, 50.0 * MS))


@pytest.mark.parametrize("factor", [0.0, 0.3, 3.0])
@pytest.mark.parametrize("phase", [Phase.COMMUNICATION, Phase.INPUT_PRODUCE, Phase.BACKWARD])
def test_replayed_steps_are_as_long_as_said_and_their_phases_sum_to_them(phase: Phase, factor: float) -> None:
    generator = np.random.default_rng(3)
    table = {one: generator.uniform(1, 50, (2, 30)).tolist() for one in Phase}
    found = replayed(made(table), Change(factor={phase: factor}))
    assert np.allclose(found.slowest_ns, replayed_ns(made(table), Change(factor={phase: factor})), atol=3)
    additive = [np.array(found.duration_ns[one]) for one in STEP_PHASES]
    assert min(map(np.min, additive)) >= 0
    assert np.array_equal(np.sum(additive, axis=0), found.step_ns)


def test_work_after_the_exchange_delays_the_next_one() -> None:
    count = 8
    steps = made(
        {
            Phase.FORWARD: [[30.0] * count, [30.0] * count],
            Phase.COMMUNICATION: [[5.0] * count, [5.0] * count],
            Phase.OPTIMIZER: [[10.0] * count, [10.0] * count],
        }
    )
    found = replayed_ns(steps, Change(added_ns={Phase.OPTIMIZER: 6.0 * MS}, ranks=frozenset([1])))
    assert found[1:] == pytest.approx(np.full(count - 1, 51.0 * MS))


@pytest.mark.parametrize(("work", "production"), [(60.0, 20.0), (60.0, 58.0), (50.0, 100.0)])
@pytest.mark.parametrize("factor", [0.0, 0.4, 1.5, 4.0])
def test_input_costs_what_its_production_exceeds_the_work_by(
    work: float, production: float, factor: float
) -> None:
    found = replayed_ns(reading(work, production), Change(factor={Phase.INPUT_PRODUCE: factor}))
    # A batch in hand and one under way carry the first steps; then production or work sets the pace.
    assert np.median(found) == pytest.approx(max(work, factor * production) * MS)


def test_faster_work_uncovers_the_production_that_it_hid() -> None:
    found = replayed_ns(reading(60.0, 50.0), Change(factor={Phase.FORWARD: 0.5}))
    assert np.median(found) == pytest.approx(50.0 * MS)


def test_a_longer_exchange_hides_behind_the_backward_pass_until_that_is_full() -> None:
    count = 5
    both = [[2.0] * count] * 2
    steps = made(
        {
            Phase.BACKWARD: [[40.0] * count] * 2,
            Phase.COMMUNICATION: both,
            Phase.COMMUNICATION_TOTAL: [[12.0] * count] * 2,
        }
    )
    twice = replayed_ns(steps, Change(factor={Phase.COMMUNICATION: 2.0}))
    assert twice == pytest.approx(np.full(count, 44.0 * MS))
    tenfold = replayed_ns(steps, Change(factor={Phase.COMMUNICATION: 10.0}))
    # Six pieces: the exchange begins when the first of them is there, a sixth of the pass after its begin.
    assert tenfold == pytest.approx(np.full(count, (40.0 / 6 + 120.0) * MS))


@pytest.mark.parametrize("num_pieces", [1, 2, 5])
@pytest.mark.parametrize(
    ("total", "factor"), [(160.0, 0.5), (160.0, 0.1), (20.0, 4.0), (60.0, 0.5), (60.0, 2.0)]
)
def test_an_exchange_in_pieces_is_replayed_from_what_it_hid(
    num_pieces: int, total: float, factor: float
) -> None:
    backward, count = 40.0, 4

    def exposed(duration: float) -> float:
        end = 0.0
        for piece in range(1, num_pieces + 1):
            end = max(end, backward * piece / num_pieces) + duration / num_pieces
        return end - backward

    steps = made(
        {
            Phase.BACKWARD: [[backward] * count] * 2,
            Phase.COMMUNICATION: [[exposed(total)] * count] * 2,
            Phase.COMMUNICATION_TOTAL: [[total] * count] * 2,
        }
    )
    found = replayed_ns(steps, Change(factor={Phase.COMMUNICATION: factor}))
    assert found == pytest.approx(np.full(count, (backward + exposed(factor * total)) * MS), rel=1e-6)


def test_of_summarised_ranks_the_slowest_moves_as_those_kept_whole() -> None:
    steps = meeting((30.0, 50.0), 8.0)
    summary = RankSummary(
        num_ranks=100,
        kept=(7, 93),
        slowest_ns=tuple([60 * MS] * 6),
        median_step_ns=(58 * MS,) * 100,
        median_ns={},
    )
    kept = Steps(
        duration_ns=steps.duration_ns, step_ns=steps.step_ns, losses=(1.0,), warmup_steps=0, summary=summary
    )
    assert replayed_ns(kept, Change()).tolist() == [60 * MS] * 6
    faster = replayed_ns(kept, Change(factor={Phase.FORWARD: 0.5}, ranks=frozenset([93])))
    assert faster == pytest.approx(np.full(6, 40.0 * MS))


def longer(whole: np.ndarray, wait: np.ndarray, where: slice) -> np.ndarray:
    return np.asarray(whole[:, where] + wait)


def test_one_look_at_a_timeline_gives_what_step_by_step_gives() -> None:
    generator = np.random.default_rng(7)
    for _ in range(20):
        whole = generator.uniform(40, 60, (2, 30)) * MS
        production = generator.uniform(10, 70, (2, 30)) * MS
        wait = np.zeros_like(whole)
        loader = replay_loader.observed(whole + 1e9, wait, production)
        assert not loader.slack.any()
        lengths = partial(longer, whole)
        found = replay_loader.waits(loader, production, wait, lengths)
        stepped = replay_loader._step_by_step(loader, production, wait, lengths)
        assert np.allclose(found, stepped)


def test_the_loader_is_replayed_as_the_harness_has_it() -> None:
    assert replay_loader.PREFETCH_DEPTH == prefetch.DEPTH


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf")])
def test_a_factor_that_no_duration_can_have_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="finite factors"):
        Change(factor={Phase.FORWARD: factor})


def test_threads_are_on_processors_for_as_much_of_what_changed_as_before() -> None:
    steps = meeting_steps(Causes(read=12 * MS, read_bytes=1e6, delay=0.1), np.random.default_rng(3))
    assert replayed(steps, Change()).meters == steps.meters
    change = Change(factor={Phase.INPUT_PRODUCE: 0.5, Phase.FORWARD: 0.5, Phase.BACKWARD: 0.5})
    meters = replayed(steps, change).meters
    assert meters[Meter.PRODUCE_STORAGE] == steps.meters[Meter.PRODUCE_STORAGE]
    for meter, most in ((Meter.PRODUCE_ON_CPU, 0.51), (Meter.WORK_ON_CPU, 0.95)):
        assert np.sum(meters[meter]) < most * np.sum(steps.meters[meter])
