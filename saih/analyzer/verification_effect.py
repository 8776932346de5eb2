"""What each toggle did to the step, and what replaying the record says that it should have done."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.correlation import block_indices
from saih.analyzer.replay import Change, replayed_ns
from saih.analyzer.verification_statistics import (
    LEVEL,
    block_means,
    shift_interval,
    sign_flip_p,
    typical_ns,
)
from saih.domain.interval import Interval
from saih.domain.record import Phase, Steps
from saih.domain.verification import REMOVALS, Intervention, Toggle, ToggleEffect, ToggleRun

Array = NDArray[np.float64]

_NO_INPUT = MappingProxyType({Phase.INPUT_PRODUCE: 0.0})
_REMOVING = MappingProxyType(
    {
        Intervention.SHAM: Change(),
        Intervention.DUMMY_INPUT: Change(factor=_NO_INPUT),
        Intervention.NO_EXCHANGE: Change(is_meeting=False),
        Intervention.COMPUTE_ONLY: Change(factor=_NO_INPUT, is_meeting=False),
    }
)
_ADDING = MappingProxyType(
    {
        Intervention.DELAYED_INPUT: Phase.INPUT_PRODUCE,
        Intervention.THROTTLED_EXCHANGE: Phase.COMMUNICATION,
    }
)
"""Where loads go that are not work of the forward pass."""
_NUM_RESAMPLES = 200
_SEED = 20
_REPEATS = 4
"""Times that a record is replayed in a row where a loader must first use up what lies ready."""
_FEWEST_REPLAYED = 120


def effect_of(run: ToggleRun, steps: Steps, size: int | None = None) -> ToggleEffect | None:
    """The effect of one toggle on the step of the record with ``steps``; None for fewer than two pairs.

    ``size`` ranks meet; None: all.

    What a removal saves is predicted as a share of the step, and held against the step that was found beside
    it: the machine may have become slower since, as a whole.

    Raises:
        ValueError: for a window without steps, or with durations that are none.
    """
    if len(run.pairs) < 2:
        return None
    off = [typical_ns(pair.off_ns) for pair in run.pairs]
    differences = differences_of(run)
    off_ns = float(np.median(off))
    took_ns = float(np.mean([pair.took_ns for pair in run.pairs]))
    predicted = predicted_ns(steps, run.toggle, took_ns, size)
    if run.toggle.intervention in REMOVALS:
        predicted = _times(predicted, off_ns / typical_ns(steps.slowest_ns))
    return ToggleEffect(
        toggle=run.toggle,
        num_pairs=len(run.pairs),
        off_ns=off_ns,
        measured_ns=shift_interval(differences),
        predicted_ns=predicted,
        p_value=sign_flip_p(differences),
    )


def differences_of(run: ToggleRun) -> list[float]:
    """Typical step with minus without, of each pair [ns]."""
    return [typical_ns(pair.on_ns) - typical_ns(pair.off_ns) for pair in run.pairs]


def predicted_ns(steps: Steps, toggle: Toggle, took_ns: float, size: int | None = None) -> Interval:
    """By how much the typical step of the record moves, with the interval of its steps."""
    if toggle.intervention is Intervention.SHAM:
        return _certain(0.0, steps.num_steps)
    change = change_of(toggle, took_ns)
    whole = np.asarray(steps.slowest_ns, dtype=np.float64)
    is_settling = toggle.intervention is Intervention.DELAYED_INPUT
    with np.errstate(invalid="ignore"):  # the replay passes over first batches that have no moment
        changed = _settled(steps, change, size) if is_settling else replayed_ns(steps, change, size)
    before, after = block_means(whole), _block_means(changed)
    value = float(np.median(after) - np.median(before))
    if len(before) < 2:
        return _certain(value, steps.num_steps)
    generator = np.random.default_rng(_SEED)
    rows = block_indices(len(before), max(1, round(len(before) ** (1 / 3))), _NUM_RESAMPLES, generator)
    moved = np.median(after[rows], axis=1) - np.median(before[rows], axis=1)
    low, high = np.quantile(moved, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(
        low=min(float(low), value),
        value=value,
        high=max(float(high), value),
        level=LEVEL,
        count=steps.num_steps,
    )


def change_of(toggle: Toggle, took_ns: float) -> Change:
    """What the toggle changes in a step to which it really added ``took_ns``."""
    ranks = None if toggle.rank is None else frozenset({toggle.rank})
    removal = _REMOVING.get(toggle.intervention)
    if removal is not None:
        return removal
    return Change(added_ns={_ADDING.get(toggle.intervention, Phase.FORWARD): took_ns}, ranks=ranks)


def _settled(steps: Steps, change: Change, size: int | None) -> Array:
    """The replayed steps once the loader has used up what lay ready: those of the last of several rounds."""
    rounds = max(_REPEATS, -(-_FEWEST_REPLAYED // steps.num_steps))
    return replayed_ns(_repeated(steps, rounds), change, size)[-steps.num_steps :]


def _repeated(steps: Steps, rounds: int) -> Steps:
    rows = partial(_rows_repeated, rounds=rounds)
    summary = steps.summary
    return replace(
        steps,
        duration_ns={phase: rows(own) for phase, own in steps.duration_ns.items()},
        step_ns=rows(steps.step_ns),
        meters={},
        summary=None if summary is None else replace(summary, slowest_ns=summary.slowest_ns * rounds),
    )


def _rows_repeated(rows: Sequence[tuple[int, ...]], rounds: int) -> tuple[tuple[int, ...], ...]:
    return tuple(row * rounds for row in rows)


def _block_means(steps_ns: Array) -> Array:
    """As ``block_means``, of replayed steps that may have become 0."""
    return block_means(np.maximum(steps_ns, 1.0))


def _times(interval: Interval, factor: float) -> Interval:
    return Interval(
        low=interval.low * factor,
        value=interval.value * factor,
        high=interval.high * factor,
        level=interval.level,
        count=interval.count,
    )


def _certain(value: float, count: int) -> Interval:
    return Interval(low=value, value=value, high=value, level=LEVEL, count=max(count, 1))
