"""Synthetic systems for ``benchmarks.comparison``: known laws, noise from run to run, noise inside a run."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from saih.domain.interval import Interval
from saih.domain.system import System, SystemPoint, key_of

Law = Callable[[float, float], float]
"""Size of the data and of the model to seconds per sample."""

SIZES = tuple(8.0**step for step in range(6))
MEASURING = 0.005
"""Standard deviation of log(rate) that the steps inside a run tell."""
CROSSING = 4 ** (1 / 0.19)
"""Size at which the two power laws of ``crossing_systems`` meet."""


def crossing_systems(
    generator: np.random.Generator, own: float, shared: float, runs: int = 1
) -> tuple[System, System]:
    """A grows as size^1.02, B as size^1.21 and is faster below ``CROSSING``."""
    grid = [(size, 1.0) for size in SIZES]
    laws: tuple[Law, Law] = (lambda data, _: data**1.02, lambda data, _: 0.25 * data**1.21)
    return (
        system("A", laws[0], grid, generator, (own, shared, runs)),
        system("B", laws[1], grid, generator, (own, shared, runs)),
    )


def alike(
    generator: np.random.Generator, own: float, shared: float, runs: int = 1, shape: tuple[int, int] = (4, 3)
) -> tuple[System, System]:
    """Two copies of one system over data and model."""
    grid = [(8.0**data, 2.0**model) for data in range(shape[0]) for model in range(shape[1])]

    def law(data: float, model: float) -> float:
        return 3 + 0.5 * data * model + 0.1 * data**1.2 * model**0.5

    return (
        system("A", law, grid, generator, (own, shared, runs)),
        system("B", law, grid, generator, (own, shared, runs)),
    )


def system(
    name: str,
    law: Law,
    grid: Sequence[tuple[float, float]],
    generator: np.random.Generator,
    noise: tuple[float, float, int],
) -> System:
    """Points that follow ``law``; ``noise`` is of each point, of each run, and then the number of runs."""
    own, shared, runs = noise
    points = []
    for run in range(runs):
        shift = shared * generator.standard_normal()
        for data, model in grid:
            deviation = shift + math.hypot(own, MEASURING) * generator.standard_normal()
            points.append(_point(f"{run}", data, model, math.exp(deviation) / law(data, model)))
    return System(name=name, kind="synthetic", facts={}, cautions=(), points=tuple(points))


def _point(run: str, data: float, model: float, rate: float) -> SystemPoint:
    reach = math.exp(1.96 * MEASURING)
    parts = {"workload": "synthetic", "data": str(data), "model": str(model)}
    return SystemPoint(
        key=key_of(parts),
        labels={"data": f"{data:g}", "model": f"{model:g}"},
        axis_sizes={"data": data, "model": model},
        samples_per_s=Interval(low=rate / reach, value=rate, high=rate * reach, level=0.95, count=20),
        flops_per_s=None,
        share_of_peak=None,
        step_ns=None,
        num_ranks=1,
        num_nodes=1,
        num_gpus=0,
        joules_per_sample=None,
        record_id=f"{data:g}-{model:g}/attempt-{run}",
        measured_utc="",
        run=run,
    )
