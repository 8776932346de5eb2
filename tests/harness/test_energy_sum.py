from dataclasses import replace
from typing import Any

import pytest

from saih.domain.energy import CountedEnergy, EnergyPart
from saih.harness.energy_sum import Crew, together

CREW = Crew(first_ranks=(0, 2), has_gpus=False, num_cores_used=2, is_alone=True)
MEMORY_LACKS = {"memory": "this machine has no RAPL counter of its memory"}


def node(machine: str, **blocks_uj: list[int]) -> dict[str, Any]:
    return {
        "blocks_uj": blocks_uj,
        "block_steps": [5, 3],
        "reasons": {} if blocks_uj else {"packages": "permission denied", "memory": "permission denied"},
        "machine": machine,
        "num_cores": 64,
    }


def counted(reports: list[dict[str, Any]], crew: Crew = CREW) -> CountedEnergy:
    found = together(reports, crew)
    assert isinstance(found, CountedEnergy), found
    return found


def test_packages_and_memory_of_all_nodes_are_added_and_the_platform_is_kept_beside() -> None:
    one = node(
        "a", packages=[2_000_000, 1_000_000], memory=[500_000, 500_000], platform=[9_000_000, 9_000_000]
    )
    other = node("b", packages=[3_000_000, 1_000_000], memory=[500_000, 500_000], platform=[1_000_000, 0])
    found = counted([one, {}, other, {}])
    assert found.joules_of == {EnergyPart.PACKAGES: 7.0, EnergyPart.MEMORY: 2.0, EnergyPart.PLATFORM: 19.0}
    assert found.joules == 9.0
    assert found.block_joules == (6.0, 3.0)
    assert found.block_steps == (5, 3)
    assert found.source == "rapl"
    assert found.coverage == (
        "CPU packages of 2 of 2 nodes; memory of 2 of 2 nodes; GPUs 0; no network, storage, fans, power "
        "supplies; ranks compute on 2 of 64 cores of a node, all are counted"
    )


def test_half_of_the_nodes_is_no_energy() -> None:
    found = together([node("a", packages=[1, 1]), {}, node("b"), {}], CREW)
    assert found == "only 1 of 2 nodes could read the packages: permission denied"


def test_memory_of_half_of_the_nodes_is_left_out_and_said_to_be() -> None:
    one, other = node("a", packages=[10, 10], memory=[5, 5]), node("b", packages=[10, 10])
    found = counted([one, {}, other, {}])
    assert set(found.joules_of) == {EnergyPart.PACKAGES}
    assert "no memory, network" in found.coverage


def test_nodes_emulated_on_one_machine_count_its_packages_once() -> None:
    twins = [node("a", packages=[4_000_000, 2_000_000]), {}, node("a", packages=[4_000_000, 2_000_000]), {}]
    found = counted(twins)
    assert found.joules == 6.0
    assert "2 of 2 nodes (they are 1 machine, counted once)" in found.coverage


def test_nodes_that_do_not_tell_their_machine_are_each_one() -> None:
    assert (
        counted([node("", packages=[10**6, 10**6]), {}, node("", packages=[10**6, 10**6]), {}]).joules == 4.0
    )


def test_nodes_that_others_may_use_are_said_to_be_shared() -> None:
    reports = [node("a", packages=[10, 10]), {}, node("b", packages=[10, 10]), {}]
    found = counted(reports, replace(CREW, is_alone=False, num_cores_used=64))
    assert "not reserved whole, so other programs on them are counted too" in found.coverage
    assert "ranks compute on" not in found.coverage


GPU_CREW = replace(CREW, first_ranks=(0,), has_gpus=True)


def gpu(*blocks_uj: int, reason: str = "") -> dict[str, Any]:
    return {
        "blocks_uj": {"gpus": list(blocks_uj)} if blocks_uj else {},
        "block_steps": [5, 3],
        "reasons": {"gpus": reason} if reason else {},
    }


def test_gpus_of_all_ranks_and_packages_are_added() -> None:
    first = {**node("a", packages=[1_000_000, 1_000_000]), "reasons": MEMORY_LACKS}
    first["blocks_uj"]["gpus"] = [2_000_000, 2_000_000]
    found = counted([first, gpu(3_000_000, 1_000_000)], GPU_CREW)
    assert found.joules_of == {EnergyPart.PACKAGES: 2.0, EnergyPart.GPUS: 8.0}
    assert found.source == "nvml_counter+rapl"
    assert "GPUs 2 of the 2 in use; no memory, network" in found.coverage


def test_gpus_alone_are_an_energy_that_says_what_it_lacks() -> None:
    first = {**gpu(2_000_000, 2_000_000, reason=""), "machine": "a", "num_cores": 64}
    found = counted([first, gpu(1_000_000, 1_000_000)], GPU_CREW)
    assert found.source == "nvml_counter"
    assert found.coverage == (
        "GPUs 2 of the 2 in use; no CPU packages, memory, network, storage, fans, power supplies"
    )


def test_packages_without_the_gpus_that_compute_are_no_energy() -> None:
    first = node("a", packages=[10, 10])
    first["reasons"] = {"gpus": "the GPU is divided (MIG), and its counter is of the whole GPU"}
    assert together([first], GPU_CREW) == "the GPU is divided (MIG), and its counter is of the whole GPU"


def test_one_gpu_that_cannot_be_read_takes_all_away() -> None:
    first = {**gpu(1, 1), "machine": "a", "num_cores": None}
    assert together([first, gpu(reason="Not Supported")], GPU_CREW) == (
        "only 1 of 2 ranks could read the GPUs: Not Supported"
    )


def test_counters_that_tell_nonsense_give_a_reason_and_never_end_the_point() -> None:
    found = together([node("a", packages=[10**22, 10**22]), {}, node("b", packages=[1, 1]), {}], CREW)
    assert str(found).startswith("what the counters told makes no sense")


@pytest.mark.parametrize("crew", [CREW, GPU_CREW])
def test_nobody_who_reads_is_a_reason_too(crew: Crew) -> None:
    bare = {"machine": "a", "num_cores": None}
    assert together([bare, {}, bare, {}], crew) == "nobody read it"
