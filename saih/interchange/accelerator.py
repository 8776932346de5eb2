"""Devices of public results with their makers' peaks."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """What does the arithmetic of a public result: a GPU, or a whole processor where there is none."""

    name: str
    kind: Literal["gpu", "cpu"]
    peak_flops_per_s: float
    """The maker's, dense, at ``precision``."""
    precision: str


def accelerator(name: str) -> Accelerator | None:
    """The known device whose name stands in ``name``, or None."""
    return next((known for known in accelerators() if known.name.casefold() in name.casefold()), None)


@cache
def accelerators() -> tuple[Accelerator, ...]:
    """All known devices."""
    text = resources.files("saih.interchange").joinpath("accelerators.toml").read_text(encoding="utf-8")
    return tuple(Accelerator(**entry) for entry in tomllib.loads(text)["device"])
