"""CPUs, threads, MPI libraries and jobs of all ranks, against what the placement promises."""

from dataclasses import replace

import pytest

from saih.domain.errors import EnvironmentMissing
from saih.domain.point import Placement
from saih.harness.footing import Footing, check_footings
from saih.harness.mpi_library import require_own_launcher

ONE = Footing(host="a", cpus=(0, 1), num_threads=2, mpi_library="Open MPI v5.0.11", job_sha256="ab")
TWO_RANKS = Placement(nodes=2, threads_per_rank=2, data_parallel=2)
BOUND = Placement(ranks_per_node=2, threads_per_rank=2, data_parallel=2, binding="core")


def test_what_the_placement_promises_is_accepted() -> None:
    check_footings([ONE, replace(ONE, host="b")], TWO_RANKS)
    check_footings([ONE, replace(ONE, cpus=(2, 3))], BOUND)
    check_footings([ONE, replace(ONE, host="b")], replace(BOUND, nodes=2, ranks_per_node=1))


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (
            replace(ONE, host="b", cpus=(4,)),
            r"rank 1 on b may run on 1 CPU\(s\), but the placement gives it 2",
        ),
        (
            replace(ONE, host="b", num_threads=1),
            "rank 1 on b computes with 1 threads, but the placement gives it 2",
        ),
        (
            replace(ONE, host="b", mpi_library="MPICH 4.2"),
            "rank 0 on a uses Open MPI v5.0.11, but rank 1 on b uses MPICH",
        ),
        (replace(ONE, host="b", job_sha256="cd"), "rank 1 on b read another job file than rank 0 on a"),
    ],
)
def test_the_rank_that_differs_is_named_with_its_host(other: Footing, problem: str) -> None:
    with pytest.raises(EnvironmentMissing, match=problem):
        check_footings([ONE, other], TWO_RANKS)


def test_bound_ranks_that_share_a_cpu_are_refused_and_unbound_ones_are_not() -> None:
    sharing = [ONE, replace(ONE, cpus=(1, 2))]
    check_footings(sharing, replace(BOUND, binding="none"))
    with pytest.raises(EnvironmentMissing, match="ranks 0 and 1 may both run on CPU 1 of a"):
        check_footings(sharing, BOUND)


def test_a_launcher_of_another_mpi_is_named_before_ranks_find_themselves_alone() -> None:
    with pytest.raises(EnvironmentMissing, match=r"started by openmpi, but mpi4py uses MPICH 4\.2"):
        require_own_launcher({"SAIH_LAUNCHER": "openmpi"}, "MPICH 4.2")
    with pytest.raises(EnvironmentMissing, match="started by mpich"):
        require_own_launcher({"SAIH_LAUNCHER": "mpich"}, "Open MPI v5.0.11")
    require_own_launcher({"SAIH_LAUNCHER": "mpich"}, "Intel(R) MPI Library 2021.9")
    require_own_launcher({"SAIH_LAUNCHER": "openmpi"}, "Open MPI v5.0.11")
    require_own_launcher({}, "MPICH 4.2")


def test_eight_thousand_ranks_are_judged_in_well_under_a_second() -> None:
    many = [
        replace(ONE, host=f"n{rank // 64}", cpus=(rank % 64 * 2, rank % 64 * 2 + 1)) for rank in range(8192)
    ]
    check_footings(
        many, Placement(nodes=128, ranks_per_node=64, threads_per_rank=2, data_parallel=8192, binding="core")
    )
