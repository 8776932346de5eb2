from pathlib import Path

from saih.machine.accelerators import find_accelerators


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_node_without_drivers_has_none(tmp_path: Path) -> None:
    found = find_accelerators(tmp_path)
    assert (found.text, found.driver) == ("none", "none")


def test_the_files_of_the_nvidia_driver_are_read_and_its_serial_numbers_are_not(tmp_path: Path) -> None:
    for bus in ("0000:1b:00.0", "0000:43:00.0"):
        write(
            tmp_path / "proc/driver/nvidia/gpus" / bus / "information",
            "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 16\nGPU UUID: \t GPU-1234\n",
        )
    write(
        tmp_path / "proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC version:  gcc 11.4.0\n",
    )
    found = find_accelerators(tmp_path)
    assert found.text == "2 x NVIDIA A100-SXM4-40GB"
    assert found.driver == "nvidia 535.104.05"


def test_the_nodes_of_the_amd_driver_with_vector_units_are_counted(tmp_path: Path) -> None:
    nodes = tmp_path / "sys/class/kfd/kfd/topology/nodes"
    write(nodes / "0" / "properties", "cpu_cores_count 64\nsimd_count 0\ngfx_target_version 0\n")
    write(nodes / "1" / "properties", "simd_count 440\ngfx_target_version 90010\n")
    write(nodes / "2" / "properties", "simd_count 440\ngfx_target_version 90010\n")
    write(tmp_path / "sys/module/amdgpu/version", "6.3.6\n")
    found = find_accelerators(tmp_path)
    assert (found.text, found.driver) == ("2 x AMD gfx90a", "amdgpu 6.3.6")
