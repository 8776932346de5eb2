from pathlib import Path

import pytest

from saih.machine.processor import max_clock_hz, online_cpus, parse_cpu_list, parse_cpuinfo, read_topology

SKYLAKE_SERVER = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Intel(R) Xeon(R) Platinum 8160 CPU @ 2.10GHz
flags\t\t: fpu sse4_2 fma avx avx2 avx512f avx512dq

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: another name
"""
A64FX = """\
processor\t: 0
BogoMIPS\t: 200.00
Features\t: fp asimd sve
CPU implementer\t: 0x46
CPU architecture: 8
CPU part\t: 0x001
"""


def make_topology(folder: Path, *, sockets: int, cores: int, threads: int) -> Path:
    num_cpus = sockets * cores * threads
    (folder / "online").write_text(f"0-{num_cpus - 1}\n")
    for cpu in range(num_cpus):
        core = cpu % (sockets * cores)
        topology = folder / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text(f"{core // cores}\n")
        siblings = ",".join(str(core + thread * sockets * cores) for thread in range(threads))
        (topology / "thread_siblings_list").write_text(f"{siblings}\n")
    return folder


def test_the_first_processor_of_an_x86_cpuinfo_is_read() -> None:
    processor = parse_cpuinfo(SKYLAKE_SERVER)
    assert processor is not None
    assert processor.name == "Intel(R) Xeon(R) Platinum 8160 CPU @ 2.10GHz"
    assert processor.design == ("GenuineIntel", "6", "85")
    assert {"avx2", "avx512f"} <= processor.features


def test_an_arm_processor_is_named_by_its_implementer_and_part() -> None:
    known = parse_cpuinfo(A64FX)
    other = parse_cpuinfo(A64FX.replace("0x001", "0x999"))
    assert known is not None
    assert known.name == "Fujitsu A64FX"
    assert "sve" in known.features
    assert other is not None
    assert other.name == "Arm implementer 0x46 part 0x999"


def test_a_power_processor_has_a_name_and_no_design() -> None:
    processor = parse_cpuinfo("processor : 0\ncpu : POWER9, altivec supported\nclock : 3800.000000MHz\n")
    assert processor is not None
    assert (processor.name, processor.design) == ("POWER9, altivec supported", ())


def test_a_text_that_names_no_processor_gives_none() -> None:
    assert parse_cpuinfo("") is None
    assert parse_cpuinfo("processor : 0\n") is None


def test_sockets_cores_and_threads_are_counted_once_each(tmp_path: Path) -> None:
    folder = make_topology(tmp_path, sockets=2, cores=3, threads=2)
    topology = read_topology(online_cpus(folder), folder)
    assert topology is not None
    assert (topology.num_sockets, topology.num_cores, topology.num_threads) == (2, 6, 12)


def test_two_hardware_threads_of_one_core_are_one_core(tmp_path: Path) -> None:
    folder = make_topology(tmp_path, sockets=2, cores=3, threads=2)
    topology = read_topology({0, 6}, folder)
    assert topology is not None
    assert (topology.num_sockets, topology.num_cores, topology.num_threads) == (1, 1, 2)


def test_a_kernel_without_topology_gives_none(tmp_path: Path) -> None:
    assert online_cpus(tmp_path) == frozenset()
    assert read_topology({0}, tmp_path) is None
    assert read_topology((), tmp_path) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("0-3,8\n", {0, 1, 2, 3, 8}), ("5", {5}), ("", set()), ("0 2", {0, 2})]
)
def test_cpu_lists_are_read(text: str, expected: set[int]) -> None:
    assert parse_cpu_list(text) == expected


def test_the_clock_is_known_only_when_the_kernel_states_it_for_every_core(tmp_path: Path) -> None:
    for cpu, khz in ((0, 3_400_000), (1, 3_700_000)):
        (tmp_path / f"cpu{cpu}" / "cpufreq").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}" / "cpufreq" / "cpuinfo_max_freq").write_text(f"{khz}\n")
    assert max_clock_hz({0, 1}, tmp_path) == 3.7e9
    assert max_clock_hz({0, 1, 2}, tmp_path) is None
    assert max_clock_hz((), tmp_path) is None
