"""Laws over several axes at once, on points whose phases follow known products of sizes."""

from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.covariates import covariates_of
from saih.analyzer.surface import fit_surface, foresee
from saih.analyzer.surface_findings import find_surfaces
from saih.domain.interval import Interval
from saih.domain.point import Placement
from saih.domain.record import Phase

ROWS, WIDTHS, RANKS = (8, 16, 32, 64), (64, 128, 256), (1, 2, 4)


def truth(rows, width, ranks):
    """Phases [ns]: work by FLOPs, optimizer by parameters, a ring of gradients that nothing hides."""
    work = 1e6 + 40.0 * rows * width
    ring = 2e5 * (ranks - 1) + 60.0 * width**2 * (ranks - 1) / ranks
    return {
        Phase.FORWARD: work,
        Phase.BACKWARD: 2 * work,
        Phase.OPTIMIZER: 1e5 + 3.0 * width**2,
        Phase.COMMUNICATION: ring,
        Phase.COMMUNICATION_TOTAL: ring,
    }


def interval(value, sigma):
    reach = np.exp(1.96 * sigma)
    return Interval(low=value / reach, value=value, high=value * reach, level=0.95, count=20)


@pytest.fixture
def measured(summary_of, synthetic):
    """A point of these sizes, made without running anything."""
    base = {ranks: summary_of(synthetic.point(ranks=ranks)) for ranks in (*RANKS, 8, 64)}

    def one(rows, width, ranks, sigma, generator):
        at = synthetic.point(rows=rows, width=width, ranks=ranks)
        cost = synthetic.workload.cost(at.problem, batch_per_rank=2, precision="float32")
        noisy = {
            phase: value * np.exp(sigma * generator.standard_normal())
            for phase, value in truth(rows, width, ranks).items()
        }
        step = sum(value for phase, value in noisy.items() if phase is not Phase.COMMUNICATION_TOTAL)
        return replace(
            base[ranks],
            point=at,
            record_id=f"{rows}-{width}-{ranks}",
            axis_sizes={"data": float(rows), "model": float(width), "ranks": float(ranks)},
            flops_per_step=float(cost.flops * ranks),
            flops_per_byte=cost.flops / sum(operation.memory_bytes for operation in cost.operations),
            num_parameters=cost.num_parameters,
            gradient_bytes=cost.gradient_bytes if ranks > 1 else 0,
            input_bytes=cost.input_bytes,
            phases_ns={phase: interval(noisy.get(phase, 0.0), sigma) for phase in Phase},
            step_ns=interval(step, sigma),
        )

    return one


def grid(measured, sigma, generator):
    return [
        measured(rows, width, ranks, sigma, generator) for rows in ROWS for width in WIDTHS for ranks in RANKS
    ]


def test_a_point_off_every_line_is_foreseen_inside_its_interval(measured):
    generator = np.random.default_rng(51)
    hits, errors = [], []
    for _ in range(12):
        surface = fit_surface(grid(measured, 0.04, generator))
        for sizes in ((128, 256, 4), (96, 512, 8), (48, 192, 2)):
            problem = covariates_of(measured(*sizes, 0.0, generator))
            found = foresee(surface, problem)
            true = sum(
                value for phase, value in truth(*sizes).items() if phase is not Phase.COMMUNICATION_TOTAL
            )
            hits.append(found.low <= true <= found.high)
            errors.append(abs(np.log(found.value / true)))
    assert np.mean(hits) >= 0.85
    assert np.median(errors) <= 0.06


def test_beyond_eight_times_the_measured_range_only_a_refusal_is_given(measured):
    generator = np.random.default_rng(52)
    surface = fit_surface(grid(measured, 0.02, generator))
    refused = foresee(surface, covariates_of(measured(8 * 128, 512, 4, 0.0, generator)))
    assert isinstance(refused, str)
    assert "FLOPs is more than a factor of 8 away" in refused
    assert "measure a point nearer to it" in refused
    many = foresee(surface, covariates_of(measured(64, 256, 64, 0.0, generator)))
    assert isinstance(many, str)
    assert "ranks" in many


def test_an_exchange_that_nobody_measured_is_refused(measured):
    generator = np.random.default_rng(53)
    alone = [measured(rows, width, 1, 0.02, generator) for rows in ROWS for width in WIDTHS]
    refused = foresee(fit_surface(alone), covariates_of(measured(8, 64, 2, 0.0, generator)))
    assert refused == "No measured point has any gradient bytes; measure one that has."


def test_the_largest_corner_is_held_out_and_a_broken_one_found(measured):
    generator = np.random.default_rng(54)
    points = grid(measured, 0.02, generator)
    (found,) = find_surfaces(points)
    assert found.axes == ("data", "model", "ranks")
    assert found.corner_record_id == "64-256-4"
    assert found.num_points == 36
    assert found.is_corner_held
    assert "FLOPs" in found.laws["forward"]
    assert "gradient bytes" in found.laws["exposed exchange"]
    last = points[-1]
    slow = replace(last, step_ns=interval(4 * last.step_ns.value, 0.02))
    (broken,) = find_surfaces([*points[:-1], slow])
    assert not broken.is_corner_held


def test_one_axis_or_few_points_have_no_surface(measured):
    generator = np.random.default_rng(55)
    line = [measured(rows, 64, 1, 0.02, generator) for rows in range(8, 24)]
    assert find_surfaces(line) == ()
    few = [measured(rows, width, 1, 0.02, generator) for rows in (8, 16) for width in (64, 128)]
    assert find_surfaces(few) == ()
    assert find_surfaces([]) == ()


def test_no_surface_joins_techniques_or_models_that_ranks_divide(measured):
    points = grid(measured, 0.02, np.random.default_rng(56))
    padded = [replace(point, techniques={"padding": "worked on"}) for point in points]
    assert [found.num_points for found in find_surfaces([*points, *padded])] == [36, 36]
    shared = Placement(ranks_per_node=2, tensor_parallel=2)
    divided = [replace(point, point=replace(point.point, placement=shared)) for point in points]
    assert find_surfaces(divided) == ()
