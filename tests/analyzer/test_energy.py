"""Energies of known truth: per sample, with intervals that cover, and with laws along axes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.analyzer.energy import energy_of
from saih.domain.energy import NOT_READ, CountedEnergy, Energy, EnergyPart, energy_notes
from saih.domain.interval import FEWEST_ENCLOSING
from saih.domain.record import Phase
from saih.domain.trend import Analysis

STEPS_PER_BLOCK, SAMPLES = 5, 2
EMPTY: Mapping[int, EnergyPart] = {}
Swept = Callable[..., Analysis]
PACKAGES, GPUS = EnergyPart.PACKAGES, EnergyPart.GPUS


def notes(
    blocks: np.ndarray, part: EnergyPart = PACKAGES, num_steps: int = STEPS_PER_BLOCK
) -> dict[str, str]:
    """Of blocks with these energies [J]."""
    return energy_notes(
        CountedEnergy(
            joules_of={part: float(blocks.sum())},
            source="rapl" if part is PACKAGES else "nvml_counter",
            coverage=f"{part} of 1 of 1 node",
            block_joules=tuple(blocks.tolist()),
            block_steps=(num_steps,) * len(blocks),
        )
    )


def known(found: Energy | str) -> Energy:
    assert isinstance(found, Energy), found
    return found


def test_joules_of_a_sample_are_all_joules_over_all_samples_of_all_ranks() -> None:
    energy = known(energy_of(notes(np.full(8, 3.0)), 8 * STEPS_PER_BLOCK, samples_per_step=4))
    assert energy.num_samples == 160
    assert energy.mean_joules_per_sample == pytest.approx(24.0 / 160)
    assert energy.joules_per_sample is not None
    assert energy.joules_per_sample.value == pytest.approx(0.15)
    assert energy.joules_per_sample.count == energy.num_blocks == 8


def test_too_few_blocks_have_a_value_and_no_interval() -> None:
    few = FEWEST_ENCLOSING - 1
    energy = known(energy_of(notes(np.full(few, 3.0)), few * STEPS_PER_BLOCK, samples_per_step=1))
    assert energy.joules_per_sample is None
    assert energy.best_joules_per_sample == pytest.approx(0.6)


def test_the_interval_covers_the_truth_at_its_level() -> None:
    covered = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        blocks = 3.0 * np.exp(0.05 * generator.standard_normal(12))
        energy = known(energy_of(notes(blocks), 12 * STEPS_PER_BLOCK, samples_per_step=1))
        interval = energy.joules_per_sample
        assert interval is not None
        covered += interval.low <= 0.6 <= interval.high
    assert covered >= 0.93 * 300


def test_energy_over_other_steps_than_were_measured_is_refused() -> None:
    assert "read over 40 steps, but 39 were measured" in str(energy_of(notes(np.full(8, 3.0)), 39, 1))


def test_old_notes_give_the_reason() -> None:
    assert energy_of({}, 10, 1) == NOT_READ


@pytest.fixture
def swept(synthetic) -> Swept:
    """A sweep over rows with this true energy of a sample at each size; 0 for none."""

    def make(joules_of_sample: Mapping[int, float], parts: Mapping[int, EnergyPart] = EMPTY) -> Analysis:
        generator = np.random.default_rng(1)
        records = []
        for rows, joules in joules_of_sample.items():
            typical = {Phase.FORWARD: 1e6 * rows, Phase.BACKWARD: 2e6 * rows}
            measured = synthetic.steps(typical, generator, count=8 * STEPS_PER_BLOCK)
            one = synthetic.record(synthetic.point(rows=rows), measured)
            blocks = joules * STEPS_PER_BLOCK * SAMPLES * np.exp(0.01 * generator.standard_normal(8))
            found = notes(blocks, parts.get(rows, PACKAGES)) if joules else {}
            records.append(replace(one, result=replace(one.result, notes=found)))
        return analyze(
            "sweep",
            records,
            [synthetic.ceilings()],
            [],
            len(records),
            find_workload=lambda _name: synthetic.workload,
        )

    return make


def test_a_law_of_the_energy_is_recovered_inside_the_measured_range_only(swept: Swept) -> None:
    truth = {rows: 0.4 + 0.02 * rows for rows in (8, 16, 32, 64, 128)}
    (trend,) = swept(truth).energy_trends
    assert trend.axis == "data"
    assert trend.parts == (PACKAGES,)
    assert trend.sizes == (8, 16, 32, 64, 128)
    assert max(one.size for one in trend.curve) == 128
    assert not any(one.is_extrapolated for one in trend.curve)
    for one in trend.curve:
        assert one.interval.low <= 0.4 + 0.02 * one.size <= one.interval.high
    assert re.fullmatch(r"\d+ mJ \+ \d+ mJ \(x / 8\)", trend.law.replace("\N{NO-BREAK SPACE}", " "))


def test_points_without_an_energy_are_left_out_and_two_make_no_trend(swept: Swept) -> None:
    (trend,) = swept({8: 1.0, 16: 0.0, 32: 4.0, 64: 8.0}).energy_trends
    assert trend.sizes == (8, 32, 64)
    assert swept({8: 1.0, 16: 0.0, 32: 4.0, 64: 0.0}).energy_trends == ()


def test_points_that_count_different_parts_have_no_law(swept: Swept) -> None:
    (trend,) = swept({8: 1.0, 16: 2.0, 32: 4.0}, {16: GPUS}).energy_trends
    assert trend.parts == ()
    assert trend.curve == ()
    assert trend.law == "the points count different parts of their nodes, so no law is fitted"


def test_a_point_has_its_energy_or_the_reason(swept: Swept) -> None:
    analysis = swept({8: 1.0, 16: 0.0})
    with_energy, without = analysis.points
    assert with_energy.energy is not None
    assert with_energy.energy_reason == ""
    assert without.energy is None
    assert without.energy_reason == NOT_READ
