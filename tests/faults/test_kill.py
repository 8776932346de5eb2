"""Killing the driver at any moment loses no point, doubles none, and leaves no process."""

import importlib
import sys
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from saih.domain.record import Outcome, Record
from saih.store.attempt import read_outcome
from saih.store.files import remove_temporaries
from saih.store.sweep_folder import SweepFolder, all_attempts, read_records

NUM_KILLS = 200
NUM_POINTS = 12
DURATION_S = 0.05


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("killing")


def essence(records: tuple[Record, ...]) -> dict[str, object]:
    return {record.point.point_id: (record.result, record.environment) for record in records}


def num_completed(folder: SweepFolder) -> Counter[str]:
    """Completed outcomes by point, counted in the folders themselves."""
    counts: Counter[str] = Counter()
    for attempt in all_attempts(folder):
        try:
            counts[attempt.point_id] += read_outcome(attempt).outcome is Outcome.COMPLETED
        except FileNotFoundError:
            continue
    return counts


def wait_for_nobody(tiny: ModuleType, text: str) -> list[str]:
    deadline = time.monotonic() + 10
    while (left := tiny.processes_naming(text)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.mark.slow
def test_two_hundred_kills_of_the_driver_change_nothing_but_the_time(
    tmp_path: Path,
    tiny: ModuleType,
    killing: ModuleType,
    driver_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command(root: Path) -> list[str]:
        return [sys.executable, str(driver_path), str(root), str(NUM_POINTS), str(DURATION_S), "20"]

    undisturbed_s = killing.run_to_the_end(command(tmp_path / "calm"))
    expected, _ = read_records(SweepFolder(tmp_path / "calm", "killed"))
    assert len(expected) == NUM_POINTS
    totals: Counter[str] = Counter()
    while (kills := totals["alone"] + totals["group"]) < NUM_KILLS:
        root = tmp_path / f"sweep {totals['sweeps']}"
        totals += killing.run_and_kill(
            command(root), NUM_KILLS - kills, 0.6 * undisturbed_s, totals["sweeps"]
        )
        killing.run_to_the_end(command(root))
        folder = SweepFolder(root, "killed")
        records, damages = read_records(folder)
        assert damages == ()
        assert essence(records) == essence(expected)
        assert set(num_completed(folder).values()) == {1}
        assert wait_for_nobody(tiny, str(root)) == []
        assert remove_temporaries(root) == 0
        num_begun = len(list(all_attempts(folder)))
        totals += Counter(sweeps=1, points=len(records), interrupted=num_begun - len(records))
    with capsys.disabled():
        sys.stdout.write(f"\n{dict(totals)}: 0 lost, 0 doubled, 0 processes left\n")
    assert totals["interrupted"] > 0
