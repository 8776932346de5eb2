"""For how much of their steps the ranks of a preset wait for input, as a user would measure it."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.saih_command import saih
from saih.domain.record import Phase, Record
from saih.store.sweep_folder import SweepFolder, read_records


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One point."""

    words: str
    step_ms: float
    produce_ms: float
    """Of one batch, on average over all ranks."""
    share_percent: float
    """Of all measured steps, on the rank that waits most."""
    cache_state: str


def waits_of(preset: str, rest: Sequence[str]) -> list[Wait]:
    """Every point of a preset, its data sets made first, in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="saih-input-") as name:
        folder = Path(name)
        saih(folder, ["generate", preset, *rest])
        saih(folder, ["sweep", preset, *rest, "--no-report"])
        records, _ = read_records(SweepFolder(folder / "results", preset))
    return [_wait(record) for record in records if record.result.steps is not None]


def _wait(record: Record) -> Wait:
    steps, problem = record.result.steps, record.point.problem
    if steps is None:
        raise ValueError(f"{record.record_id} has no steps")
    waited, made = steps.duration_ns[Phase.INPUT_WAIT], steps.duration_ns[Phase.INPUT_PRODUCE]
    shares = [sum(own) / sum(whole) for own, whole in zip(waited, steps.step_ns, strict=True)]
    return Wait(
        words=f"{problem.data['resolution']}^3, width {problem.model['width']}",
        step_ms=sum(steps.slowest_ns) / steps.num_steps * 1e-6,
        produce_ms=sum(map(sum, made)) / sum(map(len, made)) * 1e-6,
        share_percent=100 * max(shares),
        cache_state=record.result.notes.get("cache_state", "unknown"),
    )
