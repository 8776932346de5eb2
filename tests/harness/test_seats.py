import pytest
from mpi4py import MPI

from saih.domain.errors import EnvironmentMissing
from saih.domain.point import Device, Placement
from saih.harness.ranks import Seat, check_seats, take_seats


def placement(nodes: int, ranks_per_node: int, device: Device = "cpu") -> Placement:
    num_ranks = nodes * ranks_per_node
    return Placement(nodes=nodes, ranks_per_node=ranks_per_node, data_parallel=num_ranks, device=device)


def seats(*places: tuple[str, str], size: int | None = None) -> list[Seat]:
    num_ranks = len(places) if size is None else size
    return [
        Seat(size=num_ranks, host=host, process=index, device_id=device_id)
        for index, (host, device_id) in enumerate(places)
    ]


def test_the_ranks_asked_for_are_accepted() -> None:
    check_seats(seats(("a", ""), ("a", ""), ("b", ""), ("b", "")), placement(2, 2), {})
    check_seats(seats(("a", "GPU-1"), ("b", "GPU-2")), placement(2, 1, "cuda"), {})


def test_a_singleton_in_place_of_four_ranks_is_named_with_both_numbers_and_the_cure() -> None:
    with pytest.raises(EnvironmentMissing) as caught:
        check_seats(seats(("a", "")), placement(1, 4), {"SLURM_NTASKS": "4", "HOME": "/"})
    assert "asks for 4 ranks, but this rank is alone in an MPI world of 1" in caught.value.problem
    assert "SLURM_NTASKS=4" in caught.value.problem
    assert "HOME" not in caught.value.problem
    assert "--mpi=" in caught.value.remedy
    assert caught.value.exit_code == 3


def test_a_wrong_number_of_ranks_is_named() -> None:
    with pytest.raises(EnvironmentMissing, match="2 x 2 = 4 ranks, but the MPI world has 3"):
        check_seats(seats(("a", ""), ("a", ""), ("b", "")), placement(2, 2), {})


def test_all_ranks_on_one_of_two_nodes_are_refused() -> None:
    with pytest.raises(EnvironmentMissing, match="2 ranks on each of 2 nodes, but the launcher put 4 on a"):
        check_seats(seats(*[("a", "")] * 4), placement(2, 2), {})


def test_an_uneven_spread_is_refused() -> None:
    with pytest.raises(EnvironmentMissing, match="3 on a, 1 on b"):
        check_seats(seats(("a", ""), ("a", ""), ("a", ""), ("b", "")), placement(2, 2), {})


def test_two_ranks_on_one_gpu_are_refused() -> None:
    with pytest.raises(EnvironmentMissing, match=r"ranks \[0, 1\] share GPU GPU-1 of a"):
        check_seats(seats(("a", "GPU-1"), ("a", "GPU-1")), placement(1, 2, "cuda"), {})


def test_a_rank_without_gpu_is_refused() -> None:
    with pytest.raises(EnvironmentMissing, match=r"ranks \[1\] see none"):
        check_seats(seats(("a", "GPU-1"), ("a", "")), placement(1, 2, "cuda"), {})


def test_a_process_alone_takes_the_only_seat_and_is_refused_another() -> None:
    ranks = take_seats(MPI.COMM_SELF, placement(1, 1))
    assert (ranks.rank, ranks.num_ranks, ranks.device, len(ranks.hosts)) == (0, 1, "cpu", 1)
    with pytest.raises(EnvironmentMissing, match="alone in an MPI world of 1"):
        take_seats(MPI.COMM_SELF, placement(1, 2))
