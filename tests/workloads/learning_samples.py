"""Samples to learn from that take no time to make: what a network must find in them is plain."""

import numpy as np

from workloads.cosmoflow.examples import Examples


def examples(
    num_universes: int = 24, *, side: int = 8, channels: int = 2, per_universe: int = 1, seed: int = 0
) -> Examples:
    """Poisson counts whose mean tells the first target and whose spread the second."""
    generator = np.random.default_rng(seed)
    num_samples = num_universes * per_universe
    universes = np.arange(num_samples) % num_universes
    targets = generator.uniform(-1, 1, (num_universes, 4)).astype(np.float32)[universes]
    spread = 0.6 + 0.3 * targets[:, 1, None, None, None, None]
    waves = generator.normal(size=(num_samples, channels, side, side, side))
    mean = np.exp(spread * waves + 1 + 0.5 * targets[:, 0, None, None, None, None])
    return Examples(
        counts=generator.poisson(mean).astype(np.uint16),
        targets=targets,
        universes=universes.astype(np.int64),
        is_periodic=per_universe == 1,
    )
