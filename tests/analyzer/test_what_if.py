"""Predictions of altered machines: known truths, honest intervals, refusals."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.analyzer.what_if import Evidence, what_if
from saih.analyzer.what_if_sizes import grown
from saih.domain.point import Placement
from saih.domain.record import ADDITIVE_PHASES, Phase, Record
from saih.domain.trend import Limit
from saih.domain.what_if import Alteration, Growth, Part, Scenario

MS = 1_000_000
ROWS = (8, 16, 32, 64, 128)


def evidence_of(synthetic: SimpleNamespace, phases: dict[Phase, float], *, ranks: int = 1) -> Evidence:
    """One point whose phases take so long [ms]."""
    typical = {phase: value * MS for phase, value in phases.items()}
    steps = synthetic.steps(typical, np.random.default_rng(5), ranks=ranks, sigma=0.01)
    records = [synthetic.record(synthetic.point(ranks=ranks), steps)]
    return found_in(synthetic, records)


def found_in(synthetic: SimpleNamespace, records: list[Record]) -> Evidence:
    ceilings = synthetic.placed_ceilings(records)
    workload = synthetic.workload
    analysis = analyze("sweep", records, ceilings, (), len(records), find_workload=lambda _: workload)
    return Evidence(analysis=analysis, records=records, find_workload=lambda _: workload)


def asked(*alterations: Alteration) -> Scenario:
    return Scenario(alterations=alterations)


def removed(part: Part) -> Alteration:
    return Alteration(part=part, speed=math.inf)


def test_half_an_exchange_is_half_of_what_it_takes(synthetic: SimpleNamespace) -> None:
    phases = {Phase.FORWARD: 20.0, Phase.BACKWARD: 40.0, Phase.COMMUNICATION: 30.0}
    evidence = evidence_of(synthetic, {**phases, Phase.COMMUNICATION_TOTAL: 30.0}, ranks=2)
    (found,) = what_if(evidence, asked(Alteration(part=Part.INTERCONNECT, speed=2.0))).forecasts
    assert found.predicted_ns is not None
    assert found.predicted_ns.value == pytest.approx(75 * MS, rel=0.02)
    assert found.predicted_ns.low < 75 * MS < found.predicted_ns.high


def test_what_limits_then_is_found_anew(synthetic: SimpleNamespace) -> None:
    phases = {Phase.INPUT_WAIT: 80.0, Phase.INPUT_PRODUCE: 100.0, Phase.FORWARD: 10.0, Phase.BACKWARD: 10.0}
    (found,) = what_if(evidence_of(synthetic, phases), asked(removed(Part.INPUT))).forecasts
    assert found.limit in (Limit.INPUT, Limit.STORAGE)
    assert found.then not in (Limit.INPUT, Limit.STORAGE, None)
    assert found.predicted_ns is not None
    assert found.predicted_ns.value == pytest.approx(20 * MS, rel=0.1)


def test_time_that_no_ceiling_explains_makes_the_interval_wide(synthetic: SimpleNamespace) -> None:
    floor = 2 * 1000 * 8 * 64 * 2 / 90e9 * 1e3  # of the forward product, in ms
    scenario = asked(Alteration(part=Part.COMPUTE, speed=2.0))
    widths = []
    for slack in (1.02, 3.0):
        phases = {Phase.FORWARD: slack * floor, Phase.BACKWARD: 2 * slack * floor}
        (found,) = what_if(evidence_of(synthetic, phases), scenario).forecasts
        assert found.ratio is not None
        assert found.ratio.value == pytest.approx(0.5, abs=0.02)
        widths.append(found.ratio.relative_width)
    assert widths[1] > 1.5 * widths[0]


def test_without_ceilings_arithmetic_is_refused_and_input_is_not(synthetic: SimpleNamespace) -> None:
    evidence = evidence_of(synthetic, {Phase.FORWARD: 20.0, Phase.INPUT_WAIT: 5.0, Phase.INPUT_PRODUCE: 25.0})
    bare = Evidence(
        analysis=analyze("sweep", evidence.records, (), (), 1, find_workload=lambda _: synthetic.workload),
        records=evidence.records,
        find_workload=evidence.find_workload,
    )
    (refused,) = what_if(bare, asked(Alteration(part=Part.COMPUTE, speed=2.0))).forecasts
    assert refused.predicted_ns is None
    assert "no ceilings were measured" in refused.refusal
    (told,) = what_if(bare, asked(removed(Part.INPUT))).forecasts
    assert told.predicted_ns is not None


@pytest.mark.parametrize("part", [Part.INTERCONNECT, Part.IMBALANCE])
def test_what_one_rank_does_not_have_is_refused(synthetic: SimpleNamespace, part: Part) -> None:
    (found,) = what_if(evidence_of(synthetic, {Phase.FORWARD: 20.0}), asked(removed(part))).forecasts
    assert "one rank" in found.refusal


def sized(synthetic: SimpleNamespace) -> Evidence:
    truth = {
        Phase.FORWARD: lambda rows: (2 + 0.5 * rows) * MS,
        Phase.BACKWARD: lambda rows: (3 + 1.0 * rows) * MS,
    }
    return found_in(synthetic, synthetic.sweep(truth, ROWS, np.random.default_rng(11), sigma=0.01))


def test_a_size_beyond_is_foreseen_by_the_law_and_marked(synthetic: SimpleNamespace) -> None:
    found = what_if(sized(synthetic), Scenario(growth=Growth(axis="data", factor=2.0))).forecasts
    assert [forecast.is_extrapolated for forecast in found] == [False] * 4 + [True]
    last = found[-1]
    assert last.predicted_ns is not None
    assert last.predicted_ns.low < (5 + 1.5 * 256) * MS < last.predicted_ns.high


@pytest.mark.parametrize(
    ("growth", "said"),
    [
        (Growth(axis="data", factor=0.25), "below the smallest measured"),
        (Growth(axis="ranks", factor=2.0), "was not swept"),
        (Growth(axis="data", start="8 rows", target="9 rows"), "is unknown"),
    ],
)
def test_a_size_that_laws_do_not_reach_is_refused(
    synthetic: SimpleNamespace, growth: Growth, said: str
) -> None:
    analysis = sized(synthetic).analysis
    (found,) = grown(analysis, analysis.points[0], growth)
    assert found.step_ns is None
    assert said in found.refusal


def test_what_one_run_is_off_the_law_does_not_move_what_is_foreseen_elsewhere(
    synthetic: SimpleNamespace,
) -> None:
    evidence = sized(synthetic)
    slow = [
        replaced(record, 1.3) if record.point.problem.data["rows"] == 32 else record
        for record in evidence.records
    ]
    found = what_if(found_in(synthetic, slow), Scenario(growth=Growth(axis="data", factor=6.0))).forecasts
    foreseen = found[2].predicted_ns
    assert foreseen is not None
    assert foreseen.value == pytest.approx((5 + 1.5 * 192) * MS, rel=0.1)
    assert found[2].ratio is not None
    assert found[2].ratio.value == pytest.approx(foreseen.value / found[2].measured_ns.value)


def replaced(record: Record, factor: float) -> Record:
    """The record of a run that was slower as a whole."""
    steps = record.result.steps
    assert steps is not None
    table = {
        phase: tuple(tuple(round(factor * one) for one in row) for row in rows)
        for phase, rows in steps.duration_ns.items()
    }
    whole = np.sum([table[phase] for phase in ADDITIVE_PHASES], axis=0)
    slower = replace(steps, duration_ns=table, step_ns=tuple(map(tuple, whole.tolist())))
    return replace(record, result=replace(record.result, steps=slower))


def test_more_than_eight_times_the_largest_size_has_no_number(synthetic: SimpleNamespace) -> None:
    analysis = sized(synthetic).analysis
    (found,) = grown(analysis, analysis.points[-1], Growth(axis="data", factor=8.0))
    (refused,) = grown(analysis, analysis.points[-1], Growth(axis="data", factor=8.1))
    assert found.is_extrapolated or found.refusal
    assert "more than 8 times" in refused.refusal


def test_ranks_that_divide_a_model_are_replayed_without_input_only(synthetic: SimpleNamespace) -> None:
    placement = Placement(ranks_per_node=2, tensor_parallel=2)
    at = synthetic.point(placement=placement, exchange="none")
    typical = {Phase.INPUT_WAIT: 5 * MS, Phase.INPUT_PRODUCE: 9 * MS, Phase.FORWARD: 10 * MS}
    steps = synthetic.steps(typical, np.random.default_rng(5), ranks=2, sigma=0.01)
    evidence = found_in(synthetic, [synthetic.record(at, steps)])
    for part in (Part.INTERCONNECT, Part.IMBALANCE):
        found = what_if(evidence, asked(removed(part)))
        assert "its ranks divide a model" in repr(found)
    (foreseen,) = what_if(evidence, asked(removed(Part.INPUT))).forecasts
    assert foreseen.predicted_ns is not None
