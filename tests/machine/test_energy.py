"""RAPL from real files that advance, NVML from its real package without a GPU and from a stand-in for one."""

import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.domain.energy import EnergyPart
from saih.machine.energy import find_counters, num_cores
from saih.machine.energy_counter import Counter, Counters
from saih.machine.energy_nvml import find_nvml, num_countable
from saih.machine.energy_rapl import find_rapl
from tests.machine.powercap import ONE_SOCKET, RANGE_UJ, TWO_SOCKETS, PowerCap, closed_tree


def readings(counters: Counters) -> list[int]:
    return [counter.read_uj() for counter in counters.counters]


def names(counters: Counters, part: EnergyPart) -> list[str]:
    return [counter.name for counter in counters.counters if counter.part is part]


def test_packages_memory_and_platform_are_found_once_each_and_cores_are_not(tmp_path: Path) -> None:
    PowerCap(tmp_path, TWO_SOCKETS)
    found = find_rapl(tmp_path)
    assert names(found, EnergyPart.PACKAGES) == ["package-0 (intel-rapl:0)", "package-1 (intel-rapl:1)"]
    assert names(found, EnergyPart.MEMORY) == ["dram (intel-rapl:0:1)", "dram (intel-rapl:1:0)"]
    assert names(found, EnergyPart.PLATFORM) == ["psys (intel-rapl:2)"]
    assert found.reasons == {}


def test_a_counter_that_a_thread_advances_tells_what_was_used(tmp_path: Path) -> None:
    tree = PowerCap(tmp_path, ONE_SOCKET)
    (counter,) = find_rapl(tmp_path).counters
    before = counter.read_uj()
    thread = threading.Thread(target=lambda: [tree.advance("intel-rapl:0", 0.5) for _ in range(40)])
    thread.start()
    between = [counter.read_uj() for _ in range(200)]
    thread.join()
    assert between == sorted(between)
    assert counter.advance_uj(before, counter.read_uj()) == 20_000_000


@given(
    range_uj=st.integers(10**6, 2**60),
    start=st.floats(0, 1, exclude_max=True),
    used=st.floats(0, 1, exclude_max=True),
)
def test_a_total_that_begins_again_once_is_read_right(range_uj: int, start: float, used: float) -> None:
    earlier, grown = int(start * range_uj), int(used * range_uj)
    counter = Counter(
        part=EnergyPart.PACKAGES, name="p", read_uj=lambda: 0, range_uj=range_uj, shortest_s=0.1
    )
    assert counter.advance_uj(earlier, (earlier + grown) % range_uj) == grown


def test_a_real_file_that_begins_again_is_read_right(tmp_path: Path) -> None:
    tree = PowerCap(tmp_path, ONE_SOCKET, start_uj=RANGE_UJ - 3_000_000)
    (counter,) = find_rapl(tmp_path).counters
    before = counter.read_uj()
    tree.advance("intel-rapl:0", 5.0)
    assert counter.read_uj() < before
    assert counter.advance_uj(before, counter.read_uj()) == 5_000_000


def test_a_total_outside_its_range_is_refused(tmp_path: Path) -> None:
    PowerCap(tmp_path, ONE_SOCKET)
    (counter,) = find_rapl(tmp_path).counters
    with pytest.raises(ValueError, match="left its range"):
        counter.advance_uj(0, RANGE_UJ + 1)


def test_readings_may_be_as_far_apart_as_a_kilowatt_takes_to_fill_the_range(tmp_path: Path) -> None:
    PowerCap(tmp_path, ONE_SOCKET)
    (counter,) = find_rapl(tmp_path).counters
    assert counter.longest_s == pytest.approx(262.14, abs=0.01)


def test_a_machine_without_a_tree_says_so(tmp_path: Path) -> None:
    found = find_rapl(tmp_path)
    assert found.counters == ()
    assert "shows no RAPL counters" in found.reasons[EnergyPart.PACKAGES]


def test_a_tree_that_a_container_hides_is_called_hidden(tmp_path: Path) -> None:
    folder = tmp_path / "class/powercap"
    folder.mkdir(parents=True)
    (folder / "intel-rapl:0").symlink_to(tmp_path / "masked")
    assert "hidden" in find_rapl(tmp_path).reasons[EnergyPart.PACKAGES]


def test_a_socket_without_a_counter_makes_the_packages_absent(tmp_path: Path) -> None:
    PowerCap(tmp_path, ONE_SOCKET).with_cpus(sockets=2, cores_per_socket=4)
    found = find_rapl(tmp_path)
    assert not found.has(EnergyPart.PACKAGES)
    assert found.reasons[EnergyPart.PACKAGES] == "only 1 of 2 RAPL counters of its packages are there"


def test_dies_of_one_package_count_each(tmp_path: Path) -> None:
    zones = {"intel-rapl:0": "package-0-die-0", "intel-rapl:1": "package-0-die-1"}
    PowerCap(tmp_path, zones).with_cpus(sockets=1, cores_per_socket=4)
    assert len(names(find_rapl(tmp_path), EnergyPart.PACKAGES)) == 2


def test_memory_behind_one_of_two_packages_is_absent_and_the_packages_stay(tmp_path: Path) -> None:
    PowerCap(tmp_path, {name: zone for name, zone in TWO_SOCKETS.items() if name != "intel-rapl:1:0"})
    found = find_rapl(tmp_path)
    assert found.has(EnergyPart.PACKAGES)
    assert found.reasons[EnergyPart.MEMORY] == "only 1 of 2 RAPL counters of its memory are there"


@pytest.mark.parametrize("content", ["", "many", "-"])
def test_a_file_without_a_number_makes_the_part_absent(tmp_path: Path, content: str) -> None:
    PowerCap(tmp_path, ONE_SOCKET).file("intel-rapl:0").write_text(content)
    assert not find_rapl(tmp_path).has(EnergyPart.PACKAGES)


def test_a_counter_for_root_only_is_absent_with_that_reason() -> None:
    with closed_tree() as tree:
        found = find_rapl(tree.system)
    assert found.counters == ()
    assert found.reasons[EnergyPart.PACKAGES].startswith("permission denied: RAPL's package-0")


def test_only_the_first_rank_of_a_node_reads_its_packages(tmp_path: Path) -> None:
    PowerCap(tmp_path, TWO_SOCKETS)
    assert find_counters(is_first_on_node=False, device_uuid=None, system=tmp_path).counters == ()
    first = find_counters(is_first_on_node=True, device_uuid=None, system=tmp_path)
    assert len(readings(first)) == 5


def test_cores_are_counted_from_the_same_tree(tmp_path: Path) -> None:
    PowerCap(tmp_path, ONE_SOCKET).with_cpus(sockets=2, cores_per_socket=4)
    assert num_cores(tmp_path) == 8


def test_nvml_without_a_driver_says_so_and_nothing_fails() -> None:
    """The real package: this machine has no driver of NVIDIA's, or no such GPU."""
    found = find_nvml("00000000-0000-0000-0000-000000000000")
    assert found.counters == ()
    assert found.reasons[EnergyPart.GPUS].startswith("NVML")


class FakeNvml(ModuleType):
    """Stands in for pynvml with a GPU; only because none is here."""

    class NVMLError(Exception):
        pass

    def __init__(self, kinds: dict[str, str]) -> None:
        super().__init__("pynvml")
        self.kinds = kinds
        self.total_mj = 5_000

    def nvmlInit(self) -> None:  # noqa: N802
        """Begin."""

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.kinds)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return list(self.kinds)[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid not in self.kinds:
            raise self.NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetMigMode(self, handle: str) -> tuple[int, int]:  # noqa: N802
        if self.kinds[handle] == "old":
            raise self.NVMLError("Not Supported")
        return (1, 1) if self.kinds[handle] == "divided" else (0, 0)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
        if self.kinds[handle] == "silent":
            raise self.NVMLError("Not Supported")
        return self.total_mj


def with_gpus(monkeypatch: pytest.MonkeyPatch, kinds: dict[str, str]) -> FakeNvml:
    fake = FakeNvml(kinds)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


@pytest.mark.parametrize("uuid", ["a-b", "GPU-a-b"])
def test_a_gpu_is_read_in_microjoules_by_its_uuid(monkeypatch: pytest.MonkeyPatch, uuid: str) -> None:
    fake = with_gpus(monkeypatch, {"GPU-a-b": "whole", "GPU-c": "whole"})
    (counter,) = find_nvml(uuid).counters
    before = counter.read_uj()
    fake.total_mj += 250
    assert counter.advance_uj(before, counter.read_uj()) == 250_000
    fake.total_mj = 0
    with pytest.raises(ValueError, match="went back"):
        counter.advance_uj(before, counter.read_uj())


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        ({"GPU-a": "divided"}, "counter is of the whole GPU"),
        ({"MIG-a": "part"}, "counter is of the whole GPU"),
        ({"GPU-a": "silent"}, "Not Supported"),
        ({"GPU-b": "whole"}, "NVML does not know GPU-a: Not Found"),
    ],
)
def test_a_gpu_that_cannot_be_counted_is_absent_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, kinds: dict[str, str], reason: str
) -> None:
    with_gpus(monkeypatch, kinds)
    found = find_nvml("a")
    assert found.counters == ()
    assert reason in found.reasons[EnergyPart.GPUS]


def test_gpus_that_can_be_counted_are_told_from_those_that_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpus(monkeypatch, {"GPU-a": "whole", "GPU-b": "divided", "GPU-c": "old", "GPU-d": "silent"})
    assert num_countable() == 2


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert (
        find_nvml("a").reasons[EnergyPart.GPUS] == "nvidia-ml-py is not installed: pip install nvidia-ml-py"
    )
