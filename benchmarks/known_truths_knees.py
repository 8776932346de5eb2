"""How often a knee is claimed where there is none, and found where there is one."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.bars import judge
from saih.analyzer.knee import FEWEST_POINTS, find_knee

Array = NDArray[np.float64]
COUNTS = (8, 10, 14)
"""With fewer sizes than the first nothing is ever claimed, so that these would only flatter."""
NOISES = (0.03, 0.1)
"""Absolute, with values up to 1.6 without the knee and 4.8 with it."""
KNEE = 4.0
SMOOTH: Mapping[str, Callable[[Array], Array]] = {
    "0.2 x": lambda x: 0.2 * x,
    "1 + 0.2 x": lambda x: 1 + 0.2 * x,
    "root": lambda x: 0.57 * np.sqrt(x),
    "x^1.5": lambda x: 0.1 + 0.07 * x**1.5,
    "square": lambda x: 0.2 + 0.02 * x**2,
    "logarithm": lambda x: 0.7 * np.log1p(x),
    "Amdahl": lambda x: 0.2 + 1.4 / (1 + x),
}
"""Laws without a knee, at sizes up to 8; the last is none of those that the hinge is held against."""


def knee_bars(num_draws: int, generator: np.random.Generator) -> list[bool]:
    """Smooth laws, and y = 0.2 x + 0.8 max(x - 4, 0), at equidistant sizes up to 8."""
    print(f"\n{'knees':18}" + "".join(f"{f'{count} sizes':>12}" for count in COUNTS))
    false = [_shares(name, truth, num_draws, generator) for name, truth in SMOOTH.items()]
    found = _shares("bent", lambda x: 0.2 * x + 0.8 * np.maximum(x - KNEE, 0), num_draws, generator)
    print(f"worst of the smooth ones: {np.max(false):.3f}")
    return [
        judge("knees-false", float(np.mean(false)), "share of knee-free series", "<=", 0.05),
        judge(
            "knees-found",
            float(np.mean(found)),
            f"share of series of {FEWEST_POINTS} sizes or more",
            ">=",
            0.84,
        ),
    ]


def _shares(
    name: str, truth: Callable[[Array], Array], num_draws: int, generator: np.random.Generator
) -> list[list[float]]:
    """Share of draws in which a knee is claimed, by noise and number of sizes."""
    rows = []
    for sigma in NOISES:
        row = [_share(truth, count, sigma, num_draws, generator) for count in COUNTS]
        print(f"{f'{name}, {sigma:g}':18}" + "".join(f"{share:12.2f}" for share in row))
        rows.append(row)
    return rows


def _share(
    truth: Callable[[Array], Array], count: int, sigma: float, num_draws: int, generator: np.random.Generator
) -> float:
    sizes = np.linspace(0, 8, count)
    values = truth(sizes)
    claims = [
        find_knee(sizes.tolist(), (values + sigma * generator.standard_normal(count)).tolist(), 0.0).knee
        for _ in range(num_draws)
    ]
    return sum(claim is not None for claim in claims) / num_draws
