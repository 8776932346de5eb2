import pytest

from saih.machine.accelerator_peak import accelerator_peak_flops_per_s
from saih.machine.processor import parse_cpuinfo
from saih.machine.vendor_peak import processor_peak_flops_per_s

X86 = "vendor_id : {vendor}\ncpu family : {family}\nmodel : {model}\nmodel name : {name}\nflags : {flags}\n"
ARM = "Features : fp asimd {flags}\nCPU implementer : {implementer}\nCPU part : {part}\n"


def x86(vendor: str, family: int, model: int, name: str, flags: str) -> str:
    return X86.format(vendor=vendor, family=family, model=model, name=name, flags=flags)


BROADWELL = x86("GenuineIntel", 6, 79, "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", "fma avx2")
SKYLAKE = x86("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8160 CPU", "fma avx2 avx512f")
SKYLAKE_SILVER = x86("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Silver 4110 CPU", "fma avx2 avx512f")
SKYLAKE_HIDDEN = x86("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8160 CPU", "fma avx2")
SAPPHIRE = x86("GenuineIntel", 6, 143, "Intel(R) Xeon(R) Platinum 8480+", "fma avx2 avx512f amx_bf16")
SAPPHIRE_HIDDEN = x86("GenuineIntel", 6, 143, "Intel(R) Xeon(R) Platinum 8480+", "fma avx2 avx512f")
ICE_LAKE = x86("GenuineIntel", 6, 106, "Intel(R) Xeon(R) Gold 5320 CPU", "fma avx2 avx512f")
NAPLES = x86("AuthenticAMD", 23, 1, "AMD EPYC 7601 32-Core Processor", "fma avx2")
ROME = x86("AuthenticAMD", 23, 49, "AMD EPYC 7742 64-Core Processor", "fma avx2")
MILAN = x86("AuthenticAMD", 25, 1, "AMD EPYC 7763 64-Core Processor", "fma avx2")
GENOA = x86("AuthenticAMD", 25, 17, "AMD EPYC 9654 96-Core Processor", "fma avx2 avx512f avx512_bf16")
TURIN = x86("AuthenticAMD", 26, 2, "AMD EPYC 9755 128-Core Processor", "fma avx2 avx512f avx512_bf16")
STRIX = x86("AuthenticAMD", 26, 36, "AMD Ryzen AI 9 HX 370", "fma avx2 avx512f avx512_bf16")
GRACE = ARM.format(flags="sve sve2 bf16", implementer="0x41", part="0xd4f")
GRAVITON_2 = ARM.format(flags="", implementer="0x41", part="0xd0c")
FUGAKU = ARM.format(flags="sve", implementer="0x46", part="0x001")
UNKNOWN_ARM = ARM.format(flags="", implementer="0x61", part="0x022")


def peaks(cpuinfo: str, clock_ghz: float = 1.0, num_cores: float = 1) -> dict[str, float]:
    processor = parse_cpuinfo(cpuinfo)
    assert processor is not None
    return processor_peak_flops_per_s(processor, clock_hz=clock_ghz * 1e9, num_cores=num_cores)


@pytest.mark.parametrize(
    ("cpuinfo", "single_per_cycle"),
    [
        (BROADWELL, 32), (SKYLAKE, 64), (SKYLAKE_HIDDEN, 32), (SAPPHIRE, 64), (ICE_LAKE, 64), (NAPLES, 16),
        (ROME, 32), (MILAN, 32), (GENOA, 32), (TURIN, 64), (GRACE, 32), (GRAVITON_2, 16), (FUGAKU, 64),
    ],
)  # fmt: skip
def test_known_designs_do_their_operations_per_cycle(cpuinfo: str, single_per_cycle: int) -> None:
    found = peaks(cpuinfo)
    assert found["float32"] == single_per_cycle * 1e9
    assert found["float64"] == found["float32"] / 2


def test_a_published_machine_peak_comes_out() -> None:
    # Fugaku's nodes: 48 cores at 2.2 GHz give 3.3792 TFLOP/s in float64 (Fujitsu, normal mode 2.0: 3.072).
    assert peaks(FUGAKU, 2.2, 48)["float64"] == pytest.approx(3.3792e12)
    assert peaks(FUGAKU, 2.0, 48)["float64"] == pytest.approx(3.072e12)


def test_matrix_units_count_only_where_they_are_seen() -> None:
    assert peaks(SAPPHIRE)["bfloat16"] == 1024e9
    assert "bfloat16" not in peaks(SAPPHIRE_HIDDEN)


@pytest.mark.parametrize("cpuinfo", [SKYLAKE_SILVER, STRIX, UNKNOWN_ARM])
def test_designs_whose_units_cannot_be_told_have_no_peak(cpuinfo: str) -> None:
    assert peaks(cpuinfo) == {}


@pytest.mark.parametrize(("vendor", "family", "model"), [("AuthenticAMD", 21, 2), ("GenuineIntel", 6, 1)])
def test_designs_outside_the_table_have_no_peak(vendor: str, family: int, model: int) -> None:
    assert peaks(x86(vendor, family, model, "some processor", "fma avx2")) == {}
    assert peaks(x86(vendor, family, model, "some processor", "sse2")) == {}


def test_peaks_grow_with_clock_and_cores() -> None:
    assert peaks(MILAN, 3.5, 64)["float32"] == pytest.approx(32 * 3.5e9 * 64)


@pytest.mark.parametrize(
    ("name", "half_tera"),
    [
        ("NVIDIA H200", 989.4),
        ("NVIDIA H100 NVL", 835.5),
        ("NVIDIA GH200 480GB", 989.4),
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-40GB", 312),
        ("Tesla V100-SXM2-16GB", 125),
        ("Tesla T4", 65),
        ("AMD Instinct MI300X", 1307.4),
    ],
)
def test_accelerators_are_found_by_the_name_that_their_driver_gives(name: str, half_tera: float) -> None:
    assert accelerator_peak_flops_per_s(name)["float16"] == pytest.approx(half_tera * 1e12)


@pytest.mark.parametrize(
    "name", ["NVIDIA RTX A3000", "NVIDIA H200 NVL", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "", "Radeon"]
)
def test_other_accelerators_and_slices_have_no_peak(name: str) -> None:
    assert accelerator_peak_flops_per_s(name) == {}
