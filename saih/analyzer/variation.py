"""Where compute time varies: between ranks, between steps, or in neither; and what that looks like."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.step_table import table_of
from saih.domain.quantity import percent
from saih.domain.record import Phase, Steps
from saih.domain.variation import Pattern, Variation

Array = NDArray[np.float64]
FEWEST_STEPS = 8
EVEN_DEVIATION = 0.02
"""Below this standard deviation of log time nothing varies that anybody could gain from."""
LEAST_COUPLING = 0.7
"""Forward and backward that correlate less than this are not long for a common cause."""
LEAST_SLOWNESS = 1.03
"""A rank less slow than this is none to name."""
MOST_MEMORY = 2.0
"""Correlation time [steps] above which the machine drifts: samples come in random order."""
_LEADS = 1.5


def variation_of(steps: Steps) -> Variation | None:
    """Two-way analysis of variance of log(forward + backward) over ranks and steps.

    z = rank + step + rest; variances of ranks and steps are those of their means less what the rest alone
    gives. One stage is assumed. None for fewer than ``FEWEST_STEPS`` steps or a phase that took no time.
    """
    phases = table_of(steps).phases
    forward, backward = phases[Phase.FORWARD], phases[Phase.BACKWARD]
    if steps.num_steps < FEWEST_STEPS or forward.min() <= 0 or backward.min() <= 0:
        return None
    parts = _parts(np.log(forward + backward))
    coupling = _correlation(_rest(np.log(forward)), _rest(np.log(backward)))
    slowest, ratio = _slowest(np.exp(parts.ranks))
    pattern = _pattern(parts, coupling, ratio)
    rank = slowest if steps.summary is None else steps.summary.kept[slowest]
    return Variation(
        pattern=pattern,
        num_ranks=steps.num_ranks,
        num_steps=steps.num_steps,
        worker=parts.worker,
        step=parts.step,
        residual=parts.residual,
        coupling=coupling,
        slowest_rank=rank,
        slowest_ratio=ratio,
        statement=_words(pattern, parts, coupling, rank, ratio),
    )


def _slowest(means: Array) -> tuple[int, float]:
    """The rank with the largest mean, and how many times that of the others it is."""
    if len(means) == 1:
        return 0, 1.0
    slowest = int(np.argmax(means))
    return slowest, float(means[slowest] / np.exp(np.log(np.delete(means, slowest)).mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    ranks: Array
    """Mean of each rank."""
    worker: float
    step: float
    residual: float
    memory: float
    """Correlation time of the rest [steps]."""


def _rest(z: Array) -> Array:
    """What is left of ``z [R, S]`` beside its ranks and steps; of one rank all that varies."""
    left = z - z.mean(axis=1)[:, None]
    return left if len(z) == 1 else np.asarray(left - left.mean(axis=0))


def _parts(z: Array) -> _Parts:
    """Effects of ranks and steps in ``z [R, S]``; of one rank all variation is the rest."""
    ranks, count = z.shape
    by_rank = z.mean(axis=1)
    rest = _rest(z)
    memory = _memory(rest)
    if ranks == 1:
        residual = float(rest.var(ddof=1))
        return _Parts(ranks=by_rank, worker=0.0, step=0.0, residual=residual, memory=memory)
    residual = float((rest**2).sum() / ((ranks - 1) * (count - 1)))
    return _Parts(
        ranks=by_rank,
        worker=max(float(by_rank.var(ddof=1)) - residual * memory / count, 0.0),
        step=max(float(z.mean(axis=0).var(ddof=1)) - residual / ranks, 0.0),
        residual=residual,
        memory=memory,
    )


def _memory(rest: Array) -> float:
    """Correlation time [steps] of an AR(1) with the autocorrelation of neighbours, pooled over ranks."""
    neighbours = _correlation(rest[:, 1:], rest[:, :-1])
    return max((1 + neighbours) / (1 - min(neighbours, 0.98)), 1.0)


def _correlation(one: Array, other: Array) -> float:
    spread = math.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum()) / spread if spread > 0 else 0.0


def _pattern(parts: _Parts, coupling: float, ratio: float) -> Pattern:
    named = {
        Pattern.SLOW_RANK: parts.worker,
        Pattern.COMMON_DRIFT: parts.step,
        Pattern.NOISE: parts.residual,
    }
    first, second, _ = sorted(named, key=lambda one: -named[one])
    if math.sqrt(sum(named.values())) < EVEN_DEVIATION:
        return Pattern.EVEN
    if parts.worker >= _LEADS * parts.step and ratio >= LEAST_SLOWNESS and parts.worker >= parts.residual:
        return Pattern.SLOW_RANK
    if first is Pattern.COMMON_DRIFT and named[first] >= _LEADS * named[second]:
        return Pattern.COMMON_DRIFT
    is_work = coupling >= LEAST_COUPLING and parts.memory <= MOST_MEMORY and parts.residual >= parts.step
    return Pattern.UNEVEN_WORK if is_work else Pattern.NOISE


def _words(pattern: Pattern, parts: _Parts, coupling: float, rank: int, ratio: float) -> str:
    whole = parts.worker + parts.step + parts.residual
    if pattern is Pattern.EVEN:
        return f"Compute time is even: its standard deviation is {percent(math.sqrt(whole))}."
    shares = (
        f"of the variance of log compute time {percent(parts.worker / whole)} lies between ranks, "
        f"{percent(parts.step / whole)} between steps and {percent(parts.residual / whole)} in neither"
    )
    said = {
        Pattern.SLOW_RANK: f"Rank {rank} is always slow, {ratio:.2f} times its peers",
        Pattern.COMMON_DRIFT: "All ranks are slow at the same steps, as a machine or a clock would do",
        Pattern.UNEVEN_WORK: (
            "Some steps hold more work than others on one rank alone, as data would make them: forward and "
            f"backward are long together (correlation {coupling:.2f})"
        ),
        Pattern.NOISE: "Compute time varies without a pattern",
    }[pattern]
    return f"{said}; {shares}."
