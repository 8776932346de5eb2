"""What ``saih doctor`` says of energy, from trees of real files."""

from pathlib import Path

import pytest

from saih.commands.energy_examination import gpu_energy, processor_energy
from saih.commands.examination import finding
from saih.domain.errors import EnvironmentMissing
from tests.machine.powercap import TWO_SOCKETS, PowerCap, closed_tree


def test_counters_that_can_be_read_are_counted(tmp_path: Path) -> None:
    PowerCap(tmp_path, TWO_SOCKETS)
    said = processor_energy(tmp_path)
    assert said == "RAPL counts CPU package (2 counters), memory (2 counters), platform (1 counter)"


def test_a_counter_that_is_closed_says_how_it_is_opened() -> None:
    with closed_tree() as tree:
        found = finding("energy of CPUs", lambda: processor_energy(tree.system), is_needed=False)
    assert not found.is_fine
    assert not found.is_needed
    assert found.found.startswith("permission denied")
    assert 'SUBSYSTEM=="powercap"' in found.remedy
    assert "\n" not in found.remedy


def test_a_machine_without_counters_needs_nothing(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing) as caught:
        processor_energy(tmp_path)
    assert caught.value.remedy.startswith("nothing to do")


def test_gpus_are_asked_only_where_there_are_some(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing, match="no GPU"):
        gpu_energy(tmp_path)


def test_a_gpu_whose_driver_cannot_be_asked_says_why(tmp_path: Path) -> None:
    """The real package; a driver's files alone are no driver."""
    folder = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: NVIDIA H200\n")
    with pytest.raises(EnvironmentMissing, match="NVML"):
        gpu_energy(tmp_path)
