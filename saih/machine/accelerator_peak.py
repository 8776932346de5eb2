"""Dense peak rates of accelerators by name, from their makers' data sheets; nothing for other names.

Figures with sparsity are twice these and are never used. ``float64`` and ``float32`` include the matrix
units where the maker's libraries use them by themselves; ``tf32`` are products of float32 that are rounded.
"""

import re
from collections.abc import Mapping

_TERA = 1e12

# (words that the name must hold, peaks [TFLOP/s]); the first match counts, so the special come first.
_TABLE: tuple[tuple[tuple[str, ...], Mapping[str, float]], ...] = (
    # The NVL card is slower than the module of the same name; its figures were not found confirmed.
    (("H200", "NVL"), {}),
    # NVIDIA H100 Tensor Core GPU Architecture white paper (2022), SXM5 and PCIe; product page for NVL.
    (("H100", "PCIe"), {"float64": 51.2, "float32": 51.2, "tf32": 378, "bfloat16": 756, "float16": 756}),
    (("H100", "NVL"), {"float64": 60, "float32": 60, "tf32": 417.5, "bfloat16": 835.5, "float16": 835.5}),
    (("H200",), {"float64": 66.9, "float32": 66.9, "tf32": 494.7, "bfloat16": 989.4, "float16": 989.4}),
    (("GH200",), {"float64": 66.9, "float32": 66.9, "tf32": 494.7, "bfloat16": 989.4, "float16": 989.4}),
    (("H100",), {"float64": 66.9, "float32": 66.9, "tf32": 494.7, "bfloat16": 989.4, "float16": 989.4}),
    # NVIDIA A100 white paper (2020); SXM4 and PCIe state the same peaks.
    (("A100",), {"float64": 19.5, "float32": 19.5, "tf32": 156, "bfloat16": 312, "float16": 312}),
    # NVIDIA V100 data sheet (2020).
    (("V100", "SXM2"), {"float64": 7.8, "float32": 15.7, "float16": 125}),
    (("V100", "PCIE"), {"float64": 7.0, "float32": 14.0, "float16": 112}),
    # NVIDIA A30, A40 (2021), L40S (2023) and T4 (2018) data sheets.
    (("A30",), {"float64": 10.3, "float32": 10.3, "tf32": 82, "bfloat16": 165, "float16": 165}),
    (("A40",), {"float32": 37.4, "tf32": 74.8, "bfloat16": 149.7, "float16": 149.7}),
    (("L40S",), {"float32": 91.6, "tf32": 183, "bfloat16": 362.05, "float16": 362.05}),
    (("T4",), {"float32": 8.1, "float16": 65}),
    # AMD Instinct MI300X and MI250X data sheets (2023, 2021): 304 and 2 x 110 units at 2.1 and 1.7 GHz,
    # each with 256 matrix operations per cycle in float64 and float32. One device is one die of an MI250X.
    (("MI300X",), {"float64": 163.4, "float32": 163.4, "tf32": 653.7, "bfloat16": 1307.4, "float16": 1307.4}),
    (("MI250X",), {"float64": 47.85, "float32": 47.85, "bfloat16": 191.5, "float16": 191.5}),
)  # fmt: skip


def accelerator_peak_flops_per_s(name: str) -> dict[str, float]:
    """Dense peak by precision of one whole device of this name [FLOP/s]; empty where unknown."""
    parts = re.split(r"[\s\-_]+", name)
    if "MIG" in parts:
        return {}
    for words, peaks in _TABLE:
        if all(word in parts for word in words):
            return {precision: tera * _TERA for precision, tera in peaks.items()}
    return {}
