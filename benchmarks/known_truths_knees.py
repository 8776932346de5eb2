"""How often a knee is claimed where there is none, and found where there is one."""

import numpy as np

from benchmarks.bars import judge
from saih.analyzer.knee import find_knee

COUNTS = (6, 8, 10, 14)
NOISES = (0.03, 0.1)
"""Absolute, with values up to 1.6 without the knee and 4.8 with it."""
KNEE = 4.0


def knee_bars(num_draws: int, generator: np.random.Generator) -> list[bool]:
    """Y = 0.2 x + 0.8 max(x - 4, 0), with and without the second term, at equidistant sizes up to 8."""
    print(f"\n{'knees':10}" + "".join(f"{f'{count} sizes':>12}" for count in COUNTS))
    false, found = [], []
    for sigma in NOISES:
        claims = {
            has_knee: [_share(has_knee, count, sigma, num_draws, generator) for count in COUNTS]
            for has_knee in (False, True)
        }
        for has_knee, shares in claims.items():
            title = f"{'found' if has_knee else 'false'}, {sigma:g}"
            print(f"{title:10}" + "".join(f"{share:12.2f}" for share in shares))
        false += claims[False]
        found += [share for count, share in zip(COUNTS, claims[True], strict=True) if count >= 8]
    return [
        judge("knees-false", float(np.mean(false)), "share of knee-free series", "<=", 0.05),
        judge("knees-found", float(np.mean(found)), "share of series of 8 sizes or more", ">=", 0.84),
    ]


def _share(has_knee: bool, count: int, sigma: float, num_draws: int, generator: np.random.Generator) -> float:  # noqa: FBT001
    sizes = np.linspace(0, 8, count)
    truth = 0.2 * sizes + (0.8 * np.maximum(sizes - KNEE, 0) if has_knee else 0.0)
    claims = [
        find_knee(sizes.tolist(), (truth + sigma * generator.standard_normal(count)).tolist(), 0.0).knee
        for _ in range(num_draws)
    ]
    return sum(claim is not None for claim in claims) / num_draws
