"""Energy is kept in notes: records of before it stay readable, ids of points stay what they were."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from saih.domain.energy import NOT_READ, CountedEnergy, EnergyPart, counted_energy, energy_notes
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Environment
from saih.store import codec
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish, read_records

COUNTED = CountedEnergy(
    joules_of={EnergyPart.PACKAGES: 0.1 + 0.2},
    source="rapl",
    coverage="CPU packages of 1 of 1 node; GPUs 0",
    block_joules=(0.1, 0.2),
    block_steps=(2, 1),
)
OLD_OUTCOME = b"""\
{
 "content": {
  "attempt": 1,
  "environment_id": "e",
  "finished_utc": "2026-01-01T00:00:00+00:00",
  "notes": {
   "cache_state": "warm",
   "hosts": "a"
  },
  "outcome": "completed",
  "point_id": "p",
  "reason": "",
  "sha256": {},
  "stop_reason": "3 steps"
 },
 "kind": "saih outcome",
 "schema_version": 1,
 "sha256": "ec147fef14a9ef23bb804860acf8ebc16d48c6ada7bb497d790b008e835ae5c9"
}
"""
"""As the first version wrote it."""
OLD_JOB = b"""\
{
 "content": {
  "data_folder": "d",
  "holder_path": "",
  "holder_token": "",
  "placement": {
   "binding": "none",
   "data_parallel": 1,
   "device": "cpu",
   "gpus_per_rank": 1,
   "nodes": 1,
   "pipeline_parallel": 1,
   "ranks_per_node": 1,
   "tensor_parallel": 1,
   "threads_per_rank": 1
  },
  "points": [],
  "results_folder": "r",
  "sweep_name": "s",
  "task": "measure",
  "watchdog_s": 300.0
 },
 "kind": "saih job",
 "schema_version": 1,
 "sha256": "57474b23e2e433f67b691b659a79a20d4fc483c355369c30bed774baeffab81b"
}
"""


def test_an_energy_comes_back_from_a_folder_bit_by_bit(
    folder: SweepFolder,
    make_point: Callable[[int], Point],
    environment: Environment,
    completed: AttemptResult,
) -> None:
    attempt = begin_attempt(folder, make_point(1), environment)
    finish(attempt, replace(completed, notes={**completed.notes, **energy_notes(COUNTED)}))
    (record,), damages = read_records(folder)
    assert not damages
    assert counted_energy(record.result.notes) == COUNTED
    assert record.point.point_id == make_point(1).point_id


def test_a_record_of_before_is_read_and_has_no_energy() -> None:
    note = codec.decode_outcome(OLD_OUTCOME, Path("outcome.json"))
    assert counted_energy(note.notes) == NOT_READ


def test_a_job_of_before_is_read_as_one_on_shared_nodes() -> None:
    job = codec.decode_job(OLD_JOB, Path("job.json"))
    assert job.has_whole_nodes is False
    whole = replace(job, has_whole_nodes=True)
    assert codec.decode_job(codec.encode_job(whole), Path("job.json")) == whole
