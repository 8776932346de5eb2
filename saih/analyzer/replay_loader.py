"""The loader replayed: input is made ahead, at most some batches, beside steps that may wait for it.

Shapes: R ranks kept whole, S steps; all durations and moments in ns, on each rank's own clock.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Lengths = Callable[[Array, slice], Array]
"""Waits of some steps, and which ones they are, to the lengths of these steps."""

PREFETCH_DEPTH = 2
"""Batches made ahead of the step, as ``saih.harness.prefetch.DEPTH``."""
_SURELY_LATE = 0.1
"""Share of its production that the first batch was waited for, from which on it was surely just made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """What the measured waits tell of the loader; batch s is made after batch s - 1, in a free place."""

    production: Array
    first: Array
    """When each loader began the first batch [R]; minus infinity where that was long before."""
    slack: Array
    """By how much each batch was ready before the rule gives: it goes on between chunks of steps [R, S]."""
    rest: Array
    """Waiting beyond the rule: waking a thread, cores shared with the step [R, S]."""


def observed(whole: Array, wait: Array, production: Array) -> Loader:
    """The loader behind these steps: a batch that was taken was ready."""
    begin = _begins(whole)
    late = wait[:, 0] >= np.maximum(_SURELY_LATE * production[:, 0], 1.0)
    first = np.where(late, begin[:, 0] + wait[:, 0] - production[:, 0], -np.inf)
    nothing = np.zeros_like(wait)
    loader = Loader(production=production, first=first, slack=nothing, rest=nothing)
    ready = _ready(loader, begin + wait, production)
    slack = nothing
    if np.any(ready > begin + wait):
        ready, slack = _with_slack(loader, begin + wait)
    rest = wait - np.maximum(ready - begin, 0.0)
    return Loader(production=production, first=first, slack=slack, rest=rest)


def waits(loader: Loader, production: Array, wait: Array, lengths: Lengths) -> Array:
    """Waiting for input at each step [R, S] when batches take ``production`` and steps what ``lengths`` says.

    ``wait`` is what was measured; the same production and steps give just that. What was waited beyond the
    rule shrinks with the production and never grows.
    """
    old = loader.production
    rest = loader.rest * np.minimum(np.divide(production, old, out=np.ones_like(old), where=old > 0), 1.0)
    everything = slice(None)
    if not loader.slack.any():
        # Mostly waits stay as they are, or go: then one look at the whole timeline suffices.
        for guess in (wait, rest):
            begin = _begins(lengths(guess, everything))
            found = rest + np.maximum(_ready(loader, begin + guess, production) - begin, 0.0)
            if np.array_equal(found, guess):
                return found
    return _step_by_step(loader, production, rest, lengths)


def _begins(whole: Array) -> Array:
    return np.cumsum(whole, axis=1) - whole


def _ready(loader: Loader, taken: Array, production: Array) -> Array:
    """When each batch is ready on a timeline that is known whole, without slack."""
    free = np.full_like(taken, -np.inf)
    if taken.shape[1] > PREFETCH_DEPTH:
        free[:, PREFETCH_DEPTH:] = taken[:, :-PREFETCH_DEPTH]
    free[:, 0] = loader.first
    made = np.cumsum(production, axis=1)
    return np.asarray(np.maximum.accumulate(free - (made - production), axis=1) + made)


def _with_slack(loader: Loader, taken: Array) -> tuple[Array, Array]:
    """When each batch was ready, no later than it was taken, and how much sooner than by the rule."""
    ready, slack = np.zeros_like(taken), np.zeros_like(taken)
    last = loader.first
    for step in range(taken.shape[1]):
        if step >= PREFETCH_DEPTH:
            last = np.maximum(last, taken[:, step - PREFETCH_DEPTH])
        ruled = last + loader.production[:, step]
        last = ready[:, step] = np.minimum(ruled, taken[:, step])
        np.subtract(ruled, last, out=slack[:, step], where=np.isfinite(ruled))
    return ready, slack


def _step_by_step(loader: Loader, production: Array, rest: Array, lengths: Lengths) -> Array:
    """Waits one after the other, each from the timeline that those before it make."""
    found, taken = np.zeros_like(rest), np.zeros_like(rest)
    begin, last = np.zeros(len(rest)), loader.first
    for step in range(rest.shape[1]):
        if step >= PREFETCH_DEPTH:
            last = np.maximum(last, taken[:, step - PREFETCH_DEPTH])
        last = last + production[:, step] - loader.slack[:, step]
        found[:, step] = rest[:, step] + np.maximum(last - begin, 0.0)
        taken[:, step] = begin + found[:, step]
        here = slice(step, step + 1)
        begin = begin + lengths(found[:, here], here)[:, 0]
    return found
