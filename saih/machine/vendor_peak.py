"""Peak arithmetic rates by the makers' numbers, where they are honestly known; nothing otherwise.

A processor peak is clock x cores x operations per cycle. Flags alone do not give the last factor (some
cores with AVX-512 have one unit for it, some run it in two halves), so it comes from a table of designs.
A multiply-add counts as 2.
"""

from collections.abc import Mapping

from saih.machine.processor import Processor

_OpsPerCycle = Mapping[str, int]

# Two 256-bit multiply-add units. Intel Optimization Reference Manual, Haswell to Skylake client;
# AMD Software Optimization Guides for families 17h (models 30h and up) and 19h.
_AVX2: _OpsPerCycle = {"float32": 32, "float64": 16}
# Two 128-bit multiply-add units: AMD Software Optimization Guide for family 17h, models 00h to 2Fh.
_ZEN_1: _OpsPerCycle = {"float32": 16, "float64": 8}
# Zen 4 runs 512-bit operations in two halves; vdpbf16ps does two products per lane (57647, family 19h).
_ZEN_4: _OpsPerCycle = {"float32": 32, "float64": 16, "bfloat16": 64}
# Two full 512-bit units (AMD 58455, family 1Ah, server models).
_ZEN_5: _OpsPerCycle = {"float32": 64, "float64": 32, "bfloat16": 128}
# Two full 512-bit units: Skylake-SP Gold 6 and Platinum, all of Ice Lake-SP.
_AVX512: _OpsPerCycle = {"float32": 64, "float64": 32}
# Sapphire Rapids and later: AMX does 1024 bfloat16 operations per cycle (Intel Optimization Manual, ch. 20).
_AMX: _OpsPerCycle = {"float32": 64, "float64": 32, "bfloat16": 1024}
# Arm Neoverse Software Optimization Guides: two 128-bit, two 256-bit, four 128-bit pipes.
_NEON_2: _OpsPerCycle = {"float32": 16, "float64": 8, "float16": 32}
_SVE_512_BITS: _OpsPerCycle = {"float32": 32, "float64": 16, "float16": 64}
# Two 512-bit pipes: Fujitsu, A64FX Microarchitecture Manual.
_A64FX: _OpsPerCycle = {"float32": 64, "float64": 32, "float16": 128}

_INTEL_AVX2 = {60, 61, 63, 69, 70, 71, 78, 79, 86, 94, 142, 158, 165, 166}
_INTEL_ICE_LAKE_SERVER = {106, 108}
_INTEL_AMX_SERVER = {143, 207, 173}
_INTEL_SKYLAKE_SERVER = 85
_ARM: Mapping[tuple[str, ...], _OpsPerCycle] = {
    ("0x41", "0xd0c"): _NEON_2,
    ("0x41", "0xd49"): _NEON_2,
    ("0x41", "0xd40"): _SVE_512_BITS,
    ("0x41", "0xd4f"): _SVE_512_BITS,
    ("0x46", "0x001"): _A64FX,
}


def processor_peak_flops_per_s(
    processor: Processor, *, clock_hz: float, num_cores: float
) -> dict[str, float]:
    """Peak by precision of ``num_cores`` cores at their highest clock [FLOP/s]; empty for unknown designs."""
    return {
        precision: clock_hz * num_cores * operations
        for precision, operations in operations_per_cycle(processor).items()
    }


def operations_per_cycle(processor: Processor) -> _OpsPerCycle:
    """Arithmetic operations of one core in one cycle by precision; empty for unknown designs."""
    match processor.design:
        case ("AuthenticAMD", family, model) if family.isdigit() and model.isdigit():
            return _amd(int(family), int(model), processor.features)
        case ("GenuineIntel", "6", model) if model.isdigit():
            return _intel(int(model), processor)
        case design:
            return _ARM.get(design, {})


def _amd(family: int, model: int, features: frozenset[str]) -> _OpsPerCycle:
    has_avx512 = "avx512f" in features
    if "fma" not in features or family not in (23, 25, 26):
        return {}
    if family == 23:
        return _ZEN_1 if model < 0x30 else _AVX2
    if family == 26:
        # Mobile models of this family halve the width; only the server ones are told apart safely.
        return (_ZEN_5 if has_avx512 else _AVX2) if model < 0x20 else {}
    return _ZEN_4 if "avx512_bf16" in features else _AVX2


def _intel(model: int, processor: Processor) -> _OpsPerCycle:
    if "fma" not in processor.features:
        return {}
    if "avx512f" not in processor.features:
        # A hypervisor or the firmware may hide AVX-512 of a server core.
        known = _INTEL_AVX2 | _INTEL_ICE_LAKE_SERVER | _INTEL_AMX_SERVER | {_INTEL_SKYLAKE_SERVER}
        return _AVX2 if model in known else {}
    if model in _INTEL_AMX_SERVER:
        return _AMX if "amx_bf16" in processor.features else _AVX512
    if model in _INTEL_ICE_LAKE_SERVER:
        return _AVX512
    has_two_units = any(word in processor.name for word in ("Platinum", "Gold 6"))
    return _AVX512 if model == _INTEL_SKYLAKE_SERVER and has_two_units else {}
