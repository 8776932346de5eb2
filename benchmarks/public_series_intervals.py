"""How often intervals hold on the public series when their constants never saw the source."""

from collections.abc import Sequence

import numpy as np

from benchmarks.bars import judge
from benchmarks.calibration import (
    LEVELS,
    Evidence,
    coverage,
    evidence_of,
    fit_calibration,
    half_width,
    held,
    made_up_evidence,
)
from benchmarks.public_series_corpus import Task
from benchmarks.public_series_scores import Judged, Mask
from saih.analyzer.calibration import CALIBRATION
from saih.analyzer.stack import TUNING

_WIDEST_GAP = 0.05
_SEED = 2027
"""Of the made-up laws that the constants are fitted to besides."""


def left_out_coverage(tasks: Sequence[Task], found: Judged, num_made_up: int) -> list[bool]:
    """Print coverage by source and over all; whether each level is held within 5 %."""
    made_up = made_up_evidence(num_made_up, np.random.default_rng(_SEED))
    whole = evidence_of(tasks, TUNING)
    hits = {level: np.zeros(len(found.series), dtype=bool) for level in LEVELS}
    title = "intervals held, their constants fitted without the source"
    print(f"\n{title:60}" + "".join(f"{level:>8.0%}" for level in LEVELS))
    for source in sorted(set(found.source.tolist())):
        own = found.source == source
        calibration = fit_calibration([_part(whole, found, ~own), made_up])
        part = _part(whole, found, own)
        for level in LEVELS:
            hits[level][own] = held(part, calibration, level)
        width = (
            f"{source}, {own.sum()} predictions, +-{100 * half_width(part, calibration, 0.90):.0f} % at 90 %"
        )
        print(f"{width:60}" + "".join(f"{coverage(part, calibration, level):8.3f}" for level in LEVELS))
    weights = found.weights(np.ones(len(found.series), dtype=bool))
    shares = {
        "predictions": [float(np.mean(hits[level])) for level in LEVELS],
        "series": [float(weights @ hits[level]) for level in LEVELS],
    }
    used = "".join(f"{coverage(whole, CALIBRATION, level):8.3f}" for level in LEVELS)
    print(f"{'all, series weighing the same, constants of the product':60}{used}")
    for name, own_shares in shares.items():
        print(f"{f'all, {name} weighing the same':60}" + "".join(f"{share:8.3f}" for share in own_shares))
    return [
        judge(f"coverage-{100 * level:.0f}-by-{name}", abs(share - level), "off the level", "<=", _WIDEST_GAP)
        for name, own_shares in shares.items()
        for level, share in zip(LEVELS, own_shares, strict=True)
    ]


def _part(whole: Evidence, found: Judged, mask: Mask) -> Evidence:
    return Evidence(doubts=whole.doubts[mask], errors=whole.errors[mask], weights=found.weights(mask))
