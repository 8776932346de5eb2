import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from mpi4py import MPI

from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.point import Placement
from saih.machine.ceilings import measure
from saih.machine.message_law import fit_latency_bandwidth

pytestmark = pytest.mark.slow

PROGRAM = """
import dataclasses, json, sys
from pathlib import Path
from mpi4py import MPI
from saih.domain.point import Placement
from saih.machine.ceilings import measure
comm = MPI.COMM_WORLD
placement = Placement(ranks_per_node=comm.size, data_parallel=comm.size)
found = measure(placement, comm, Path(sys.argv[1]), "0" * 16, precision="float32", budget_s=3.0)
every = comm.gather(dataclasses.asdict(found))
if comm.rank == 0:
    Path(sys.argv[2]).write_text(json.dumps(every))
"""


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What both ranks of a real job measured."""
    folder = tmp_path_factory.mktemp("ceilings")
    mpirun = Path(sys.executable).parent / "mpirun"
    command = [str(mpirun), "-n", "2", "--oversubscribe", sys.executable, "-m", "mpi4py", "-c", PROGRAM]
    environment = {
        **os.environ,
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run(
        [*command, str(folder / "data"), str(folder / "out.json")], env=environment, check=True, timeout=300
    )
    assert list((folder / "data").iterdir()) == []
    return json.loads((folder / "out.json").read_text())


def curve(ceilings: dict[str, Any], kind: CeilingKind) -> dict[str, Any]:
    return next(curve for curve in ceilings["curves"] if curve["kind"] == kind)


def test_both_ranks_get_the_same_values(two_ranks: list[dict[str, Any]]) -> None:
    first, second = ({**one, "measured_utc": ""} for one in two_ranks)
    assert first == second


def test_every_kind_is_measured_over_growing_sizes_with_positive_intervals(
    two_ranks: list[dict[str, Any]],
) -> None:
    curves = two_ranks[0]["curves"]
    on_devices = {CeilingKind.HOST_TO_DEVICE, CeilingKind.DEVICE_TO_HOST}
    # What the file system does not let be measured is absent, with the reason.
    absent = {CeilingKind(name.split(" (")[0]) for name in two_ranks[0]["absent"]}
    assert on_devices <= absent <= on_devices | {CeilingKind.STORAGE_COLD}
    assert {curve["kind"] for curve in curves} | absent == set(CeilingKind)
    assert len({(curve["kind"], curve["variant"]) for curve in curves}) == len(curves)
    for one in curves:
        assert one["sizes"] == sorted(set(one["sizes"]))
        is_lateness = one["kind"] == CeilingKind.JITTER
        assert all(-is_lateness < rate["low"] <= rate["value"] <= rate["high"] for rate in one["rates"])
        assert all(rate["count"] >= 6 for rate in one["rates"])


def test_rates_are_those_of_a_real_machine(two_ranks: list[dict[str, Any]]) -> None:
    def best(kind: CeilingKind) -> float:
        return max(rate["value"] for rate in curve(two_ranks[0], kind)["rates"])

    # Between a slow shared core and a whole modern node.
    assert 1e9 < best(CeilingKind.GEMM) < 1e14
    assert 1e8 < best(CeilingKind.CONVOLUTION_FORWARD) < 1e14
    assert 1e8 < best(CeilingKind.CONVOLUTION_BACKWARD) < 1e14
    assert 1e8 < best(CeilingKind.MEMORY) < 1e13
    assert 1e-8 < curve(two_ranks[0], CeilingKind.LAUNCH)["rates"][0]["value"] < 1e-3


def test_latency_and_bandwidth_are_those_of_the_measured_times(two_ranks: list[dict[str, Any]]) -> None:
    found = two_ranks[0]
    times = curve(found, CeilingKind.ALL_REDUCE)
    law = fit_latency_bandwidth(times["sizes"], [time["value"] for time in times["rates"]])
    assert (found["all_reduce_latency_s"], found["all_reduce_bytes_per_s"]) == (
        law.latency_s,
        law.bytes_per_s,
    )
    assert law.latency_s or law.bytes_per_s


def test_messages_are_measured_by_the_backend_of_the_gradients_and_by_mpi(
    two_ranks: list[dict[str, Any]],
) -> None:
    for kind in (
        CeilingKind.ALL_REDUCE,
        CeilingKind.ALL_GATHER,
        CeilingKind.REDUCE_SCATTER,
        CeilingKind.SEND,
    ):
        own = [curve for curve in two_ranks[0]["curves"] if curve["kind"] == kind]
        assert [curve["variant"] for curve in own] == ["gloo", "mpi"]
        for curve in own:
            segments = curve["segments"]
            assert bool(segments) == (len(curve["sizes"]) >= 3)
            if segments:
                ends = segments[0]["from_bytes"], segments[-1]["to_bytes"]
                assert ends == (curve["sizes"][0], curve["sizes"][-1])


def test_every_core_that_the_ranks_may_use_is_watched(two_ranks: list[dict[str, Any]]) -> None:
    cores = curve(two_ranks[0], CeilingKind.JITTER)["sizes"]
    assert set(cores) <= {float(core) for core in range(os.cpu_count() or 1)}
    assert len(cores) == min(64, len(os.sched_getaffinity(0)))


def measure_alone(data_folder: Path, **changes: Any) -> Ceilings:
    options = {"precision": "float32", "budget_s": 1.0, **changes}
    placement = options.pop("placement", Placement())
    return measure(placement, MPI.COMM_SELF, data_folder, "0" * 16, **options)


def test_one_rank_has_no_all_reduce_and_no_latency(tmp_path: Path) -> None:
    found = measure_alone(tmp_path)
    assert found.curve(CeilingKind.ALL_REDUCE) is None
    assert "one rank" in found.absent["all_reduce"]
    assert (found.all_reduce_latency_s, found.all_reduce_bytes_per_s) == (None, None)
    peak = found.peak_flops_per_s("float32")
    assert peak is not None
    assert all(peak.value <= vendor for vendor in found.vendor_flops_per_s.values())
    assert json.loads(json.dumps(asdict(found)))["environment_id"] == "0" * 16


def test_a_precision_that_is_not_known_lists_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bfloat16, float16, float32, float64"):
        measure_alone(tmp_path, precision="float7")


def test_ranks_that_are_not_those_of_the_placement_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has 2 ranks, but 1 were started"):
        measure_alone(tmp_path, placement=Placement(ranks_per_node=2, data_parallel=2))


def test_asking_for_accelerators_where_there_are_none_is_an_error(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        assert measure_alone(tmp_path, placement=Placement(device="cuda")).curves
    else:
        with pytest.raises(EnvironmentMissing, match="torch sees none"):
            measure_alone(tmp_path, placement=Placement(device="cuda"))
