"""A record as events of MLPerf's log format: what was measured, and nothing else.

SAIH times training steps. It evaluates no network and trains to no quality, so such a log is no submission:
the keys that a submission needs and a record does not hold stay away, and ``unfilled`` names them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from saih.domain.record import Record, Steps
from saih.domain.tuning import execution_of
from saih.interchange.mllog import Event, EventKind
from saih.interchange.mlperf_hpc import OWN_KEY

RULES = "HPC 3.0.0"
"""Rules whose keys are filled: those of ``python -m mlperf_logging.compliance_checker --usage hpc``."""
_NO_QUALITY = "steps were timed; nothing was trained to a quality"
_NO_EVALUATION = "SAIH times training steps and evaluates no network"
_NO_BEGIN = "a record does not hold when its job began"
_REASONS: Mapping[str, str] = {
    "submission_org": "not given",
    "submission_platform": "not given",
    "submission_status": "not given",
    "cache_clear": "a record holds whether the page cache was warm, not that anybody cleared it",
    "init_start": _NO_BEGIN,
    "init_stop": _NO_BEGIN,
    "run_start": "it is there, but the rules want an init_stop before it, and that is not known",
    "eval_samples": _NO_EVALUATION,
    "eval_error": _NO_EVALUATION,
    "train_samples": "the problem of this workload counts no samples",
    "block_start": "the problem of this workload counts no samples, so its steps are no epochs",
}
_ALWAYS = ("run_start",)
_REASONS_CLOSED = dict.fromkeys(
    (
        "opt_name",
        "opt_base_learning_rate",
        "opt_learning_rate_warmup_epochs",
        "opt_learning_rate_warmup_factor",
        "opt_learning_rate_decay_boundary_epochs",
        "opt_learning_rate_decay_factor",
    ),
    "a record does not hold the settings of the optimizer",
)
"""Keys that the closed division asks for besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitter:
    """What only the user knows; None stays away."""

    organisation: str | None = None
    platform: str | None = None
    division: str = "open"
    status: str | None = None


def events_of(record: Record, submitter: Submitter) -> tuple[Event, ...]:
    """The events of a completed record. Times are counted back from its end by the measured steps.

    Raises:
        ValueError: for a record without steps.
    """
    steps = record.result.steps
    if steps is None or steps.num_steps == 0:
        raise ValueError(f"record {record.record_id} has no steps to tell of")
    stop_ms = datetime.fromisoformat(record.finished_utc).timestamp() * 1e3
    start_ms = stop_ms - sum(steps.slowest_ns) / 1e6
    status = {"status": "aborted", "reason": _NO_QUALITY}
    return (
        *_settings(record, submitter, start_ms),
        Event(time_ms=start_ms, kind=EventKind.START, key="run_start"),
        *_block(record, steps, start_ms, stop_ms),
        Event(time_ms=stop_ms, kind=EventKind.END, key="run_stop", metadata=status),
    )


def unfilled(events: Sequence[Event]) -> Mapping[str, str]:
    """Keys that ``RULES`` ask for in the division of these events, and that they lack or cannot satisfy."""
    there = {event.key: event.value for event in events}
    is_closed = there.get("submission_division") == "closed"
    asked = {**_REASONS, **(_REASONS_CLOSED if is_closed else {})}
    return {key: reason for key, reason in asked.items() if key not in there or key in _ALWAYS}


def _executed(record: Record) -> dict[str, str]:
    """The number format that it ran in, and where it was not executed plainly, how."""
    point = record.point
    try:
        execution = execution_of(point, record.result.notes)
    except ValueError:
        return {"precision": point.asked_precision, "execution": point.execution.label}
    if point.execution.is_plain:
        return {"precision": execution.precision}
    words = {"execution": point.execution.label, "execution_settings": execution.words}
    return {"precision": execution.precision, **words}


def _settings(record: Record, submitter: Submitter, time_ms: float) -> list[Event]:
    point, placement = record.point, record.point.placement
    values = {
        "submission_benchmark": point.workload,
        "submission_org": submitter.organisation,
        "submission_platform": submitter.platform,
        "submission_division": submitter.division,
        "submission_status": submitter.status,
        "seed": point.seed,
        "number_of_nodes": placement.nodes,
        "number_of_ranks": placement.num_ranks,
        "accelerators_per_node": placement.gpus_per_node,
        "global_batch_size": _global_batch(record),
        "train_samples": _train_samples(record),
    }
    told = [
        Event(time_ms=time_ms, kind=EventKind.POINT, key=key, value=value)
        for key, value in values.items()
        if value is not None
    ]
    about = {
        "sweep": record.sweep_name,
        "environment_id": record.environment.environment_id,
        "data": dict(point.problem.data),
        "model": dict(point.problem.model),
        **_executed(record),
        "exchange": point.exchange,
        "placement": placement.label,
        "times": "counted back from the end of the record by the measured steps",
    }
    own = Event(time_ms=time_ms, kind=EventKind.POINT, key=OWN_KEY, value=record.record_id, metadata=about)
    return [own, *told]


def _block(record: Record, steps: Steps, start_ms: float, stop_ms: float) -> list[Event]:
    """The measured steps as one block of epochs, which need not be whole, and their throughput."""
    samples, batch = _train_samples(record), _global_batch(record)
    if samples is None or samples < batch:
        return []
    steps_per_epoch = samples // batch
    first = {"first_epoch_num": 1 + steps.warmup_steps // steps_per_epoch}
    count = {"epoch_count": steps.num_steps * batch / samples, "num_steps": steps.num_steps}
    throughput = steps.num_steps * batch * 1e9 / sum(steps.slowest_ns)
    return [
        Event(time_ms=start_ms, kind=EventKind.START, key="block_start", metadata={**first, **count}),
        Event(
            time_ms=stop_ms,
            kind=EventKind.POINT,
            key="tracked_stats",
            value={"throughput": throughput},
            metadata={**first, "step": steps.warmup_steps + steps.num_steps},
        ),
        Event(time_ms=stop_ms, kind=EventKind.END, key="block_stop", metadata=first),
    ]


def _global_batch(record: Record) -> int:
    return record.point.batch_per_rank * record.point.placement.data_parallel


def _train_samples(record: Record) -> int | None:
    samples = record.point.problem.data.get("samples")
    return samples if isinstance(samples, int) and not isinstance(samples, bool) else None
