"""What must agree among devices, so that all of them compute and write the same: versions, and models."""

import platform
import sys
from collections.abc import Mapping
from typing import Any  # whatever JSON holds

import torch

PROTOCOL = 2
"""Of the messages that devices and the coordinator of a service write."""


def own_versions() -> dict[str, str]:
    """Those of this process."""
    python = ".".join(platform.python_version_tuple()[:2])
    torch_version = torch.__version__.split("+")[0]
    return {"protocol": str(PROTOCOL), "python": python, "torch": torch_version, "byte order": sys.byteorder}


def disagreement(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """What of theirs differs from ours, in words; empty where nothing does."""
    return ", ".join(
        f"{name} {theirs.get(name, 'untold')} instead of {value}"
        for name, value in ours.items()
        if theirs.get(name) != value
    )
