"""Small logs in the public MLLOG format, written for the tests."""

from collections.abc import Iterable
from pathlib import Path

from saih.interchange.mllog import Event, EventKind, encode

START_MS = 1_632_833_000_000


def line(time_s: float, key: str, value: object = None, **metadata: object) -> str:
    kind = EventKind.START if key.endswith("_start") else EventKind.POINT
    kind = EventKind.END if key.endswith("_stop") else kind
    return encode(Event(time_ms=START_MS + 1e3 * time_s, kind=kind, key=key, value=value, metadata=metadata))


def run_lines(
    epochs_s: Iterable[float],
    *,
    nodes: int | None = 2,
    gpus: int | None = 4,
    batch: int = 8,
    samples: int = 1000,
    staging_s: float = 10.0,
    is_staging_inside: bool = True,
    status: str = "success",
    begin_s: float = 0.0,
    metadata: dict[str, object] | None = None,
) -> list[str]:
    """A run whose epochs train for so many seconds; evaluation takes one more."""
    own = metadata or {}
    now = begin_s
    lines = [
        line(now, "cache_clear", **own),
        line(now, "init_start", **own),
        line(now, "submission_benchmark", "cosmoflow", **own),
        line(now, "submission_org", "Example", **own),
        line(now, "submission_division", "closed", **own),
        line(now, "submission_platform", "Examplon", **own),
        line(now, "global_batch_size", batch, **own),
        line(now, "train_samples", samples, **own),
    ]
    lines += [] if nodes is None else [line(now, "number_of_nodes", nodes, **own)]
    lines += [] if gpus is None else [line(now, "accelerators_per_node", gpus, **own)]
    staging = [line(now + 1, "staging_start", **own), line(now + 1 + staging_s, "staging_stop", **own)]
    if is_staging_inside:
        lines += [line(now + 1, "init_stop", **own), line(now + 1, "run_start", **own), *staging]
        now += 1 + staging_s
    else:
        now += 1 + staging_s
        lines += [*staging, line(now, "init_stop", **own), line(now, "run_start", **own)]
    for number, duration in enumerate(epochs_s, start=1):
        lines.append(line(now, "epoch_start", epoch_num=number, **own))
        now += duration
        lines.append(line(now, "eval_start", epoch_num=number, **own))
        now += 1
        lines += [
            line(now, "eval_stop", epoch_num=number, **own),
            line(now, "epoch_stop", epoch_num=number, **own),
            line(now, "eval_error", 0.5 / number, epoch_num=number, **own),
        ]
    return [*lines, line(now, "run_stop", status=status, **own)]


def write_log(path: Path, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
