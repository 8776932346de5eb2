"""Two real points on two real ranks put to the test; the driver is killed in the middle and goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from verify_driver import PLAN

from saih.commands.analysis import analysis_of
from saih.domain.verification import LOADS, Intervention, Trial
from saih.store.sweep_folder import SweepFolder, read_records
from saih.store.verification_file import VERIFICATION, read_trials

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verify")


def driver(root: Path) -> "subprocess.Popen[str]":
    paths = os.pathsep.join(
        [str(HERE), str(HERE.parent), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    return subprocess.Popen(
        [sys.executable, str(HERE / "verify_driver.py"), str(root)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def events_of(process: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    yield from map(json.loads, process.stdout)


def files(root: Path) -> dict[str, bytes]:
    """Everything that records are made of."""
    return {
        str(path): path.read_bytes()
        for path in root.glob("results/tested/*/attempt-*/*")
        if path.name != VERIFICATION and not path.name.startswith(".")
    }


def trials_of(root: Path) -> dict[str, Trial]:
    folder = SweepFolder(root / "results", "tested")
    records, damages = read_records(folder)
    assert damages == ()
    found, refused = read_trials(folder, records)
    assert refused == ()
    return found


def test_a_kill_in_the_windows_loses_no_record_and_no_finished_test(root: Path) -> None:
    with driver(root) as process:
        begun = []
        for event in events_of(process):
            begun += [event["point_id"]] if event["event"] == "verify_begin" else []
            if len(begun) == 2 and event["event"] == "progress" and event["done"] >= 3:
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before, tried = files(root), trials_of(root)
    done = {record_id.partition("/")[0] for record_id in tried}
    assert begun[0] in done  # the other one too, where the kill came late
    assert len([path for path in before if path.endswith("outcome.json")]) == 2

    with driver(root) as process:
        again = [event["point_id"] for event in events_of(process) if event["event"] == "verify_begin"]
        assert process.wait() == 0
    assert not done & set(again)
    assert files(root) == before
    assert trials_of(root).items() >= tried.items()
    assert len(trials_of(root)) == 2


def test_real_windows_make_real_effects_and_a_verdict_for_every_point(root: Path) -> None:
    trials = trials_of(root)
    assert len(trials) == 2
    for trial in trials.values():
        assert {one.toggle.intervention for one in trial.runs} == set(Intervention)
        assert trial.plan == PLAN
        for one in trial.runs:
            is_load = one.toggle.intervention in LOADS
            assert len(one.pairs) == (PLAN.pairs_per_dose if is_load else PLAN.num_pairs)
            assert all(min(*pair.off_ns, *pair.on_ns) > 0 for pair in one.pairs)
            assert all((pair.took_ns > 0) == is_load for pair in one.pairs)
        (extra,) = [one for one in trial.runs if one.toggle.intervention is Intervention.EXTRA_ARITHMETIC]
        (pair,) = extra.pairs
        assert sum(pair.on_ns) >= pair.took_ns * len(pair.on_ns)  # what was added lies inside the steps
    analysis, damages = analysis_of(SweepFolder(root / "results", "tested"), root / "data")
    assert damages == ()
    for point in analysis.points:
        assert point.verifications[0].limit == point.diagnosis.limit
        for one in point.verifications:
            assert one.statement.startswith(f"{one.status}: ")
            assert one.record_id == point.record_id
