"""Rates, times, sizes and speeds as people write them."""

import re
from collections.abc import Mapping

from tools.edge_testbed_parts.errors import MISUSED, TestbedError

_RATES = {"bit/s": 1.0, "kbit/s": 1e3, "mbit/s": 1e6, "gbit/s": 1e9, "bit": 1.0, "kbit": 1e3, "mbit": 1e6,
          "gbit": 1e9}  # fmt: skip
_TIMES = {"us": 1e3, "ms": 1e6, "s": 1e9}
_SIZES = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
_SPEEDS = {"mflop/s": 1e6, "gflop/s": 1e9, "tflop/s": 1e12}
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*(.*)")


def bit_per_s(text: str, name: str) -> float:
    """A rate: ``125 Mbit/s`` or ``125mbit``; 1 kbit/s to 100 Gbit/s."""
    return _measured(text, name, _RATES, (1e3, 1e11), "a rate from 1 kbit/s to 100 Gbit/s: 125 Mbit/s")


def delay_ns(text: str, name: str) -> float:
    """A time: ``5 ms``; 0 to 10 s."""
    return 0.0 if text == "0" else _measured(text, name, _TIMES, (0.0, 1e10), "a time up to 10 s: 5 ms")


def memory_bytes(text: str, name: str) -> int:
    """A size: ``600 MiB`` or ``1.5 GB``; 16 MiB to 64 TiB."""
    return round(_measured(text, name, _SIZES, (2.0**24, 2.0**46), "a size from 16 MiB on: 600 MiB, 1.5 GB"))


def flop_per_s(text: str, name: str) -> float:
    """A speed: ``20 GFLOP/s``; 1 MFLOP/s to 1000 TFLOP/s."""
    return _measured(text, name, _SPEEDS, (1e6, 1e15), "a speed from 1 MFLOP/s on: 20 GFLOP/s")


def cores_worth(text: str, name: str) -> float:
    """A part of processor time, in cores: ``0.25`` or ``25 %``; from 0.01 on."""
    return _measured(
        text, name, {"": 1.0, "%": 0.01}, (0.01, 4096.0), "a part of one core from 0.01 on: 0.25, 25 %"
    )


def rate_words(rate_bit_per_s: float) -> str:
    """``125 Mbit/s``."""
    for factor, unit in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if rate_bit_per_s >= factor:
            return f"{rate_bit_per_s / factor:.6g} {unit}"
    return f"{rate_bit_per_s:.6g} bit/s"


def time_words(time_ns: float) -> str:
    """``5 ms``."""
    return f"{time_ns / 1e6:.6g} ms"


def size_words(num_bytes: float) -> str:
    """``600 MiB``."""
    return f"{num_bytes / 2**20:.6g} MiB"


def _measured(
    text: str, name: str, units: Mapping[str, float], room: tuple[float, float], wanted: str
) -> float:
    match = _NUMBER.fullmatch(text.strip().lower())
    factor = units.get(match[2]) if match else None
    if match is None or factor is None:
        raise TestbedError(f"{name} is {text!r}", f"write {wanted}.", MISUSED)
    value = float(match[1]) * factor
    if not room[0] <= value <= room[1]:
        raise TestbedError(f"{name} is {text!r}, which is out of range", f"write {wanted}.", MISUSED)
    return value
