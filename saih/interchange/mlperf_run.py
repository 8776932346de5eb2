"""One CosmoFlow run of MLPerf HPC out of the events of its log."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from saih.domain.errors import DamagedData
from saih.domain.interval import median
from saih.interchange.mllog import Event
from saih.interchange.mllog_clock import require_ends_after_starts

SLOW = 1.5
"""An epoch is slow beyond this many times the median epoch of its run."""
_MAX_TEXT = 200
_MAX_COUNT = 10**12
"""Of samples, nodes and so on; more is no size of a run."""
_BLOCK_EPOCHS = (1e-6, 1e6)


class StagingPlace(StrEnum):
    """Whether the copying of the data to the nodes is part of the time to train, by the order of events.

    Rules to v2.0 put it inside; since v3.0 it may stay outside, and logs of that round do both.
    """

    INSIDE = "inside the timed run"
    OUTSIDE = "outside the timed run"
    UNTOLD = "not told by the log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The training part of an epoch (or block of epochs): evaluation is not in it."""

    duration_ms: float
    num_epochs: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a log tells of one run. None, or empty text, is what it does not tell."""

    source: str
    benchmark: str
    organisation: str
    division: str
    platform: str
    status: str
    global_batch: int | None
    train_samples: int | None
    num_nodes: int | None
    gpus_per_node: int | None
    num_ranks: int | None
    epochs: tuple[Epoch, ...]
    later_epochs: tuple[Epoch, ...]
    """Epochs after the run's end: some logs go on once the quality is reached."""
    num_unended: int
    """Epochs that began and have no end, or no duration."""
    staging_ms: float | None
    staging_place: StagingPlace
    time_to_train_ms: float | None
    stopped_ms: float | None
    """When it ended, milliseconds since 1970 UTC."""
    quality: float | None
    """Mean absolute error after the last evaluation."""

    @property
    def rates(self) -> tuple[float, ...]:
        """Samples/s of each epoch; empty where the log does not tell the samples of an epoch."""
        return self._rates(self.epochs)

    @property
    def later_rates(self) -> tuple[float, ...]:
        """Samples/s of each epoch after the run's end."""
        return self._rates(self.later_epochs)

    @property
    def slow_epochs(self) -> tuple[int, ...]:
        """Places (from 1) of epochs that took more than ``SLOW`` times the median of the run."""
        typical = self._typical_ms
        return tuple(
            place
            for place, epoch in enumerate(self.epochs, start=1)
            if epoch.duration_ms / epoch.num_epochs > SLOW * typical
        )

    @property
    def slow_share(self) -> float | None:
        """Share of the run that slow epochs cost beyond typical ones."""
        if not self.time_to_train_ms:
            return None
        typical = self._typical_ms
        lost = (
            self.epochs[place - 1].duration_ms - typical * self.epochs[place - 1].num_epochs
            for place in self.slow_epochs
        )
        return sum(lost) / self.time_to_train_ms

    @property
    def staging_share(self) -> float | None:
        """Staging over the time to train, wherever it stands; None where either is not told."""
        if self.staging_ms is None or not self.time_to_train_ms:
            return None
        return self.staging_ms / self.time_to_train_ms

    def _rates(self, epochs: Sequence[Epoch]) -> tuple[float, ...]:
        if self.train_samples is None:
            return ()
        return tuple(self.train_samples * epoch.num_epochs * 1e3 / epoch.duration_ms for epoch in epochs)

    @property
    def _typical_ms(self) -> float:
        lengths = [epoch.duration_ms / epoch.num_epochs for epoch in self.epochs]
        return median(lengths) if lengths else 0.0


def runs_of(events: Sequence[Event], source: str) -> tuple[Run, ...]:
    """The runs of a log: one for each ``instance`` in its metadata, and for each run_start after a run_stop.

    Events count by their times, whatever the order of their lines. Events that ranks repeat count once.
    What a run still does after its run_stop is kept apart.

    Raises:
        DamagedData: when one run tells two values of one size, or its clock went backwards.
    """
    ordered = sorted(events, key=lambda event: event.time_ms)
    instances = _instances(ordered)
    for instance in instances:
        require_ends_after_starts(instance, source)
    parts = [part for instance in instances for part in _successive(instance)]
    names = [source] if len(parts) == 1 else [f"{source}, run {place + 1}" for place in range(len(parts))]
    return tuple(_run(part, name) for part, name in zip(parts, names, strict=True))


def _instances(events: Sequence[Event]) -> list[list[Event]]:
    """Events by instance; those that name none belong to each."""
    names = dict.fromkeys(
        str(event.metadata["instance"]) for event in events if event.metadata.get("instance") is not None
    )
    if len(names) < 2:
        return [list(events)]
    groups: dict[str, list[Event]] = {name: [] for name in names}
    for event in events:
        own = event.metadata.get("instance")
        for name in names if own is None else (str(own),):
            groups[name].append(event)
    return list(groups.values())


def _successive(events: Sequence[Event]) -> list[list[Event]]:
    """Events cut where a run stopped and another one starts."""
    parts: list[list[Event]] = []
    current: list[Event] = []
    has_stopped = False
    for event in events:
        if has_stopped and event.key in ("init_start", "cache_clear", "run_start", "submission_benchmark"):
            parts.append(current)
            current, has_stopped = [], False
        current.append(event)
        has_stopped = has_stopped or event.key == "run_stop"
    parts.append(current)
    whole: list[list[Event]] = []
    for part in parts:  # what ranks repeat after the end starts nothing
        if whole and not any(event.key == "run_start" for event in part):
            whole[-1] += part
        else:
            whole.append(part)
    return whole


def _run(all_events: Sequence[Event], source: str) -> Run:
    stopped = _last_ms(all_events, "run_stop")
    events = [event for event in all_events if stopped is None or event.time_ms <= stopped]
    epochs, num_unended = _epochs(events)
    started = _first_ms(events, "run_start")
    staged, unstaged = _first_ms(events, "staging_start"), _last_ms(events, "staging_stop")
    stop = next((event for event in reversed(events) if event.key == "run_stop"), None)
    return Run(
        source=source,
        benchmark=_text(events, "submission_benchmark"),
        organisation=_text(events, "submission_org"),
        division=_text(events, "submission_division"),
        platform=_text(events, "submission_platform"),
        status=str(stop.metadata.get("status", ""))[:_MAX_TEXT] if stop else "",
        global_batch=_count(events, "global_batch_size", source),
        train_samples=_count(events, "train_samples", source),
        num_nodes=_count(events, "number_of_nodes", source),
        gpus_per_node=_count(events, "accelerators_per_node", source, least=0),
        num_ranks=_count(events, "number_of_ranks", source),
        epochs=tuple(epochs),
        later_epochs=tuple(
            _epochs([event for event in all_events if event.time_ms > (stopped or math.inf)])[0]
        ),
        num_unended=num_unended,
        staging_ms=None if staged is None or unstaged is None or unstaged < staged else unstaged - staged,
        staging_place=_staging_place(events),
        time_to_train_ms=None if started is None or stopped is None else stopped - started,
        stopped_ms=stopped,
        quality=_quality(events),
    )


def _epochs(events: Sequence[Event]) -> tuple[list[Epoch], int]:
    """Training time from each start to the next evaluation or end; a repeated start counts once."""
    found: list[Epoch] = []
    begin: Event | None = None
    num_unended = 0
    for event in events:
        if event.key in ("epoch_start", "block_start"):
            if begin is not None and event.metadata.get("epoch_num") == begin.metadata.get("epoch_num"):
                continue
            num_unended += begin is not None
            begin = event
        elif begin is not None and event.key in ("eval_start", "epoch_stop", "block_stop", "run_stop"):
            epoch = None if event.key == "run_stop" else _epoch(begin, event)
            found += [] if epoch is None else [epoch]
            num_unended += epoch is None
            begin = None
    return found, num_unended + (begin is not None)


def _epoch(begin: Event, end: Event) -> Epoch | None:
    count = begin.metadata.get("epoch_count", 1) if begin.key == "block_start" else 1
    if isinstance(count, bool) or not isinstance(count, int | float):
        return None
    if end.time_ms <= begin.time_ms or not _BLOCK_EPOCHS[0] <= count <= _BLOCK_EPOCHS[1]:
        return None
    return Epoch(duration_ms=end.time_ms - begin.time_ms, num_epochs=float(count))


def _staging_place(events: Sequence[Event]) -> StagingPlace:
    for event in events:
        if event.key == "run_start":
            seen = any(other.key == "staging_start" for other in events)
            return StagingPlace.INSIDE if seen else StagingPlace.UNTOLD
        if event.key == "staging_start":
            return StagingPlace.OUTSIDE
    return StagingPlace.UNTOLD


def _quality(events: Iterable[Event]) -> float | None:
    values = [event.value for event in events if event.key == "eval_error"]
    numbers = [value for value in values if isinstance(value, float | int) and 0 <= value < _MAX_COUNT]
    return float(numbers[-1]) if numbers else None


def _first_ms(events: Iterable[Event], key: str) -> float | None:
    return next((event.time_ms for event in events if event.key == key), None)


def _last_ms(events: Sequence[Event], key: str) -> float | None:
    return next((event.time_ms for event in reversed(events) if event.key == key), None)


def _text(events: Iterable[Event], key: str) -> str:
    said = next((event.value for event in events if event.key == key), None)
    return said.strip()[:_MAX_TEXT] if isinstance(said, str) else ""


def _count(events: Iterable[Event], key: str, source: str, *, least: int = 1) -> int | None:
    """The one value of a size; None where it is not told."""
    first: Event | None = None
    for event in events:
        if event.key != key or event.value is None:
            continue
        is_count = isinstance(event.value, int) and not isinstance(event.value, bool)
        if not is_count or not least <= event.value <= _MAX_COUNT:
            raise DamagedData(
                f"line {event.line} of {source}: {key} is {str(event.value)[:_MAX_TEXT]!r}, not a count",
                "take the log as the run wrote it, or leave it out.",
            )
        if first is not None and event.value != first.value:
            raise DamagedData(
                f"lines {first.line} and {event.line} of {source} tell two values of {key}: "
                f"{first.value} and {event.value}",
                "give each run a log of its own.",
            )
        first = first or event
    return None if first is None else int(first.value)


def mean_staging_share(runs: Sequence[Run]) -> float | None:
    """Mean over runs of staging over the time to train; None where no run tells."""
    shares = [share for run in runs if (share := run.staging_share) is not None]
    return sum(shares) / len(shares) if shares else None
