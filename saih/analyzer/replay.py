"""Steps replayed with a change: how long each would have taken, on its recomputed critical path.

Every rank goes through its phases in order; the gradient exchange is where all ranks meet, and input is made
ahead by a thread beside the step (Daydream, Zhu et al., USENIX ATC 2020, replays task graphs so; Dimemas
replays ranks). Shapes: R ranks kept whole, S steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.meetings import circles_of, over_groups
from saih.analyzer.replay_loader import observed, waits
from saih.domain.record import STEP_PHASES, Meter, Phase, Steps

Array = NDArray[np.float64]

NOTHING: Mapping[Phase, float] = MappingProxyType({})
BEFORE_MEETING = (Phase.FORWARD, Phase.BACKWARD)
AFTER_MEETING = (Phase.OPTIMIZER, Phase.OTHER)
_OTHER_NAMES = {Phase.INPUT_WAIT: Phase.INPUT_PRODUCE, Phase.COMMUNICATION_TOTAL: Phase.COMMUNICATION}
"""Waiting for input is decided by its production; an exchange is one thing, whether hidden or exposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is otherwise than it was measured: ``duration' = factor x duration + added``.

    ``INPUT_PRODUCE`` is the making of a batch and ``COMMUNICATION`` the transfer of the whole exchange,
    hidden or not; ``INPUT_WAIT`` and ``COMMUNICATION_TOTAL`` are other names of the same two. 0 removes.
    """

    factor: Mapping[Phase, float] = field(default_factory=dict)
    added_ns: Mapping[Phase, float] = field(default_factory=dict)
    """Added to every step."""
    ranks: frozenset[int] | None = None
    """Rank numbers whose own phases change; None for all. The transfer is one for all ranks."""
    is_meeting: bool = True
    """False: the exchange goes away, and with it all waiting for other ranks."""
    is_even: bool = False
    """True: every rank does the mean work of all ranks, phase by phase."""

    def __post_init__(self) -> None:
        wrong = [(phase, value) for phase, value in self.factor.items() if not 0 <= value < np.inf]
        wrong += [(phase, value) for phase, value in self.added_ns.items() if not -np.inf < value < np.inf]
        if wrong:
            raise ValueError(
                f"a change needs finite factors, none below 0, and finite durations; got {wrong}"
            )


def replayed_ns(steps: Steps, change: Change, size: int | None = None) -> Array:
    """Duration of each step [S] under the change; without a change exactly that of its slowest rank.

    The ``size`` ranks that meet (None: all) leave the exchange together, as a collective makes them, and
    stages of a pipeline keep one pace. What a rank exchanges, and waits for other stages, is then its waiting
    for the last one to arrive, and the transfer, which is the least over ranks. Where only some ranks were
    kept whole, the change moves the slowest step of all by as much as that of those.
    """
    measured = _measured(steps, size)
    timeline = _timeline(measured, change)
    wait, _ = _input(measured, change, timeline)
    return _slowest(steps, measured, timeline.lengths(wait, slice(None)))


def replayed(steps: Steps, change: Change, size: int | None = None) -> Steps:
    """The steps as they would have been, in whole ns; medians of ranks that were not kept whole stay."""
    measured = _measured(steps, size)
    timeline = _timeline(measured, change)
    wait, production = _input(measured, change, timeline)
    whole = timeline.lengths(wait, slice(None))
    rows = {phase: _one_scaled(measured, change, phase) for phase in (*BEFORE_MEETING, *AFTER_MEETING)}
    rows[Phase.INPUT_WAIT] = wait
    own = {phase: np.rint(row).astype(np.int64) for phase, row in rows.items()}
    rest = np.rint(whole).astype(np.int64) - np.sum(list(own.values()), axis=0)
    own |= _meetings(measured, np.maximum(rest, 0))
    if production is not None:
        own[Phase.INPUT_PRODUCE] = np.rint(production).astype(np.int64)
    if Phase.COMMUNICATION_TOTAL in measured.rows:
        hidden = _hidden(measured, change)
        own[Phase.COMMUNICATION_TOTAL] = own[Phase.COMMUNICATION] + np.rint(hidden).astype(np.int64)
    summary = steps.summary
    if summary is not None:
        slowest = np.rint(_slowest(steps, measured, whole)).astype(np.int64).tolist()
        summary = replace(summary, slowest_ns=tuple(slowest))
    together = np.sum([own[phase] for phase in STEP_PHASES if phase in own], axis=0)
    table = {phase: own.get(phase, np.asarray(steps.duration_ns[phase])) for phase in steps.duration_ns}
    return replace(
        steps,
        duration_ns={phase: tuple(map(tuple, row.tolist())) for phase, row in table.items()},
        step_ns=tuple(map(tuple, together.tolist())),
        summary=summary,
        meters={meter: _metered(rows, measured, table, meter) for meter, rows in steps.meters.items()},
    )


def _meetings(measured: "_Measured", rest: NDArray[np.int64]) -> dict[Phase, NDArray[np.int64]]:
    """What is left of steps [R, S]: exchange; where stages wait, as much of it as was, and else waiting."""
    if Phase.STAGE_WAIT not in measured.rows:
        return {Phase.COMMUNICATION: rest}
    exchange = np.minimum(measured.rows[Phase.COMMUNICATION], rest).astype(np.int64)
    return {Phase.COMMUNICATION: exchange, Phase.STAGE_WAIT: rest - exchange}


_BATCH_METERS = (Meter.PRODUCE_ON_CPU, Meter.PRODUCE_RUN_DELAY)


def _metered(
    rows: Sequence[Sequence[int]], measured: "_Measured", table: Mapping[Phase, Array], meter: Meter
) -> tuple[tuple[int, ...], ...]:
    """Times of threads as long or short as what they were read in; bytes stay."""
    if meter is Meter.PRODUCE_STORAGE:
        return tuple(map(tuple, rows))
    work = [phase for phase in STEP_PHASES if phase in table and phase is not Phase.INPUT_WAIT]
    phases = [Phase.INPUT_PRODUCE] if meter in _BATCH_METERS else work
    before = np.sum([measured.rows[phase] for phase in phases], axis=0)
    after = np.sum([table[phase] for phase in phases], axis=0)
    ratio = np.divide(after, before, out=np.ones_like(before), where=before > 0)
    return tuple(map(tuple, np.rint(np.asarray(rows) * ratio).astype(np.int64).tolist()))


def _slowest(steps: Steps, measured: "_Measured", whole: Array) -> Array:
    moved = whole.max(axis=0) - measured.whole.max(axis=0)
    return np.asarray(np.maximum(np.asarray(steps.slowest_ns, dtype=np.float64) + moved, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """The phases of the ranks kept whole, ``[R, S]`` in ns."""

    rows: Mapping[Phase, Array]
    ranks: tuple[int, ...]
    whole: Array
    wait: Array
    before: Array
    after: Array
    exposed: Array
    """Exchange, and waiting for other stages."""
    groups: NDArray[np.int64] | None
    """Which of them meet; None: all."""
    has_production: bool
    is_meeting: bool


def _measured(steps: Steps, size: int | None) -> _Measured:
    rows = {phase: np.asarray(own, dtype=np.float64) for phase, own in steps.duration_ns.items()}
    exposed = rows[Phase.COMMUNICATION] + rows.get(Phase.STAGE_WAIT, 0.0)
    ranks = tuple(range(len(exposed))) if steps.summary is None else steps.summary.kept
    return _Measured(
        rows=rows,
        ranks=ranks,
        whole=np.asarray(steps.step_ns, dtype=np.float64),
        wait=rows[Phase.INPUT_WAIT],
        before=rows[Phase.FORWARD] + rows[Phase.BACKWARD],
        after=rows[Phase.OPTIMIZER] + rows[Phase.OTHER],
        exposed=exposed,
        groups=circles_of(steps, size),
        has_production=Phase.INPUT_PRODUCE in rows and bool(rows[Phase.INPUT_PRODUCE].any()),
        is_meeting=len(exposed) > 1 and size != 1 and bool(exposed.any()),
    )


def _named(values: Mapping[Phase, float], phase: Phase, neutral: float) -> float:
    """What the change says of a phase, by any of its names."""
    name = _OTHER_NAMES.get(phase, phase)
    return next((value for own, value in values.items() if _OTHER_NAMES.get(own, own) is name), neutral)


def _one_scaled(measured: _Measured, change: Change, phase: Phase) -> Array:
    row = measured.rows[phase]
    if change.is_even:
        row = np.broadcast_to(row.mean(axis=0), row.shape)
    changed = np.maximum(_named(change.factor, phase, 1.0) * row + _named(change.added_ns, phase, 0.0), 0.0)
    if change.ranks is None:
        return np.asarray(changed)
    chosen = np.array([rank in change.ranks for rank in measured.ranks])
    return np.where(chosen[:, None], changed, row)


def _scaled(measured: _Measured, change: Change, phases: tuple[Phase, ...]) -> Array:
    return np.asarray(np.sum([_one_scaled(measured, change, phase) for phase in phases], axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timeline:
    """What the change does to each step, but for its waiting for input."""

    measured: _Measured
    moved_before: Array
    """By how much each rank's work up to the exchange becomes longer [R, S]."""
    moved_after: Array
    carried: Array
    """``moved_after`` of the step before: the next exchange waits for that work, too."""
    transfer: Array | None
    """The exposed transfer of each exchange [1 or R, S]; None where no rank meets another."""

    def lengths(self, wait: Array, where: slice) -> Array:
        """Lengths of the steps ``where`` [R, ...] when they wait so long for input."""
        measured = self.measured
        moved = self.moved_before[:, where] + wait - measured.wait[:, where]
        after = self.moved_after[:, where]
        if self.transfer is None:
            gone = measured.exposed[:, where] if measured.is_meeting else 0.0
            return np.asarray(measured.whole[:, where] + moved + after - gone)
        # Against the moment at which all left the exchange as measured: when the last one arrives.
        carried = self.carried[:, where]
        late = over_groups(np.max, moved + carried - measured.exposed[:, where], measured.groups)
        left = late + self.transfer[:, where]
        return np.asarray(measured.whole[:, where] + left + after - carried)


def _timeline(measured: _Measured, change: Change) -> _Timeline:
    moved_after = _scaled(measured, change, AFTER_MEETING) - measured.after
    carried = np.zeros_like(moved_after)
    carried[:, 1:] = moved_after[:, :-1]
    return _Timeline(
        measured=measured,
        moved_before=_scaled(measured, change, BEFORE_MEETING) - measured.before,
        moved_after=moved_after,
        carried=carried,
        transfer=_transfer(measured, change) if measured.is_meeting and change.is_meeting else None,
    )


def _input(measured: _Measured, change: Change, timeline: _Timeline) -> tuple[Array, Array | None]:
    """Waiting for input, and its production where that was recorded, under the change [R, S]."""
    if not measured.has_production:
        return _one_scaled(measured, change, Phase.INPUT_WAIT), None
    production = _one_scaled(measured, change, Phase.INPUT_PRODUCE)
    loader = observed(measured.whole, measured.wait, measured.rows[Phase.INPUT_PRODUCE])
    return waits(loader, production, measured.wait, timeline.lengths), production


def _hidden(measured: _Measured, change: Change) -> Array:
    """What of the exchange stays hidden behind the backward pass [R, S]."""
    hidden = measured.rows[Phase.COMMUNICATION_TOTAL] - measured.rows[Phase.COMMUNICATION]
    if not change.is_meeting:
        return np.zeros_like(hidden)
    factor = _named(change.factor, Phase.COMMUNICATION, 1.0)
    backward = np.maximum(_one_scaled(measured, change, Phase.BACKWARD), hidden if factor == 1 else 0.0)
    return np.asarray(np.clip(factor * hidden, 0.0, backward))


def _transfer(measured: _Measured, change: Change) -> Array:
    """The exposed transfer of each exchange under the change [1 or R, S].

    A gradient is exchanged piece by piece, one after the other, each as soon as the backward pass has made
    it (Li et al., VLDB 13, 2020, 3005). Of n equal pieces all but the last hide where the whole exchange is
    shorter than the backward pass: exposed is T / n. Where it is longer, it begins with the first piece, at
    b / n, and what lasts beyond the pass is exposed. What was hidden tells n, and so the window and the
    last piece elsewhere.
    """
    least = partial(over_groups, np.min, groups=measured.groups)
    old = least(measured.exposed)
    factor = _named(change.factor, Phase.COMMUNICATION, 1.0)
    added = _named(change.added_ns, Phase.COMMUNICATION, 0.0)
    total = measured.rows.get(Phase.COMMUNICATION_TOTAL)
    if total is None:
        return np.asarray(np.maximum(factor * old + added, 0.0))
    whole, backward = np.maximum(least(total), old), least(measured.rows[Phase.BACKWARD])
    hidden = whole - old
    window = hidden * np.maximum(_quotient(backward, whole), 1.0)
    last_piece = np.maximum(whole - hidden * np.maximum(_quotient(whole, backward), 1.0), 0.0)
    ratio = _quotient(least(_one_scaled(measured, change, Phase.BACKWARD)), backward)
    exposed = np.maximum(factor * last_piece, factor * whole - window * ratio) + added
    return np.asarray(np.maximum(exposed, 0.0))


def _quotient(part: Array, whole: Array) -> Array:
    """1 where there is nothing to divide by."""
    return np.asarray(np.divide(part, whole, out=np.ones_like(whole), where=whole > 0))
