"""What keeps jobs from running is found before any is submitted, all of it at once."""

from dataclasses import replace
from pathlib import Path

import pytest
from slurm_cluster_fixture import SlurmCluster

from saih.domain.errors import UsageError
from saih.domain.point import Placement
from saih.domain.site import Site
from saih.launch import slurm
from saih.launch.preflight import check
from saih.launch.preflight_partition import partition_problems
from saih.launch.slurm_text import Node, Partition

SITE = Site(name="x", scheduler="slurm", partition="main", max_time_s=1800.0)


def node(number: int, **changes: object) -> Node:
    one = Node(name=f"n{number}", address=f"n{number}", cores=8, memory_bytes=2**34, gpus=2, state="idle")
    return replace(one, **changes)  # type: ignore[arg-type]


def partition(**changes: object) -> Partition:
    nodes = tuple(node(number) for number in range(4))
    one = Partition(name="main", is_default=True, is_up=True, max_time_s=3600.0, nodes=nodes)
    return replace(one, **changes)  # type: ignore[arg-type]


def problems(
    site: Site = SITE,
    placement: Placement | None = None,
    partitions: tuple[Partition, ...] = (partition(),),
    lost: tuple[str, ...] = (),
) -> list[str]:
    placement = placement or Placement()
    return list(partition_problems(site, [placement], partitions, lambda address: address not in lost))


def test_what_fits_has_no_problems() -> None:
    most = Placement(
        nodes=4, ranks_per_node=2, threads_per_rank=4, device="cuda", data_parallel=8, gpus_per_rank=1
    )
    assert problems(placement=most) == []
    assert problems(site=replace(SITE, partition="")) == []


@pytest.mark.parametrize(
    ("site", "placement", "partitions", "said"),
    [
        (replace(SITE, partition="mian"), Placement(), (partition(),), "no partition 'mian': valid are main"),
        (
            replace(SITE, partition=""),
            Placement(),
            (partition(is_default=False),),
            "no default partition",
        ),
        (SITE, Placement(), (partition(is_up=False),), "is down"),
        (SITE, Placement(), (partition(max_time_s=900.0),), "set `max_time_h: 0.25`"),
        (SITE, Placement(nodes=5, data_parallel=5), (partition(),), "more than the 4 nodes"),
        (replace(SITE, max_nodes=1), Placement(nodes=2, data_parallel=2), (partition(),), "max_nodes: 1"),
        (
            SITE,
            Placement(ranks_per_node=3, threads_per_rank=3, data_parallel=3),
            (partition(),),
            "3 ranks x 3 threads = 9 cores on each node, which have 8",
        ),
        (
            SITE,
            Placement(ranks_per_node=3, device="cuda", data_parallel=3),
            (partition(),),
            "3 ranks x 1 GPUs = 3 GPUs on each node, which have 2",
        ),
        (
            SITE,
            Placement(nodes=2, device="cuda", data_parallel=2),
            (partition(nodes=(node(1), node(2, gpus=0))),),
            "1 of the partition main have these",
        ),
        (SITE, Placement(), (), "valid are none"),
        (SITE, Placement(), (partition(nodes=()),), "more than the 0 nodes"),
    ],
)
def test_what_does_not_fit_is_told_with_the_numbers(
    site: Site, placement: Placement, partitions: tuple[Partition, ...], said: str
) -> None:
    (found,) = problems(site, placement, partitions)
    assert said in found


def test_nodes_without_an_address_matter_when_too_few_are_left() -> None:
    three = Placement(nodes=3, data_parallel=3)
    assert problems(placement=three, lost=("n0",)) == []
    (found,) = problems(placement=three, lost=("n0", "n3"))
    assert "n0 (n0), n3 (n3)" in found
    switched_off = partition(nodes=tuple(node(number, state="idle~") for number in range(4)))
    assert problems(placement=three, lost=("n0", "n1", "n2"), partitions=(switched_off,)) == []


def test_a_missing_name_service_is_not_asked_for_ever() -> None:
    asked: list[str] = []

    def never(address: str) -> bool:
        asked.append(address)
        return False

    large = partition(nodes=tuple(node(number) for number in range(5000)))
    assert len(list(partition_problems(SITE, [Placement(nodes=1)], [large], never))) == 1
    assert len(asked) < 20


def test_a_local_site_has_nothing_to_check() -> None:
    check(Site(), [Placement()])


def test_what_is_wrong_around_the_scheduler_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    site = Site(name="x", scheduler="pbs", modules=("mpi",), container=str(tmp_path / "none.sif"))
    with pytest.raises(UsageError) as caught:
        check(site, [], [tmp_path / "file" / "results", tmp_path / "new"], {"PBS_JOBID": "7.s"})
    text = str(caught.value)
    assert text.startswith("3 things keep")
    assert "PBS_JOBID=7.s" in text
    assert f"{tmp_path / 'file'} is not a folder" in text
    assert "none.sif" in text


@pytest.mark.slow
def test_a_real_cluster_is_checked_against_what_it_has(
    cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, cluster.environment[name])
    monkeypatch.setenv("SINFO_FORMAT", "%i")
    fitting = Placement(nodes=4, ranks_per_node=2, data_parallel=8)
    site = replace(SITE, starter="srun", srun_mpi="pmix")
    check(site, [fitting])
    names = ", ".join(sorted(one.name for one in slurm.partitions()))
    with pytest.raises(UsageError, match=f"valid are {names}"):
        check(replace(site, partition="nope"), [fitting])
    with pytest.raises(UsageError) as caught:
        check(replace(site, srun_mpi="pmi9"), [Placement(nodes=5, ranks_per_node=3, data_parallel=15)])
    text = str(caught.value)
    assert "no plugin 'pmi9'" in text
    assert "more than the 4 nodes" in text
