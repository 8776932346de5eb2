"""Versions that must agree among devices, so that all of them compute and write the same."""

import platform
import sys
from collections.abc import Mapping

import torch

PROTOCOL = 2
"""Of the messages between the coordinator and its devices."""


def own_versions() -> dict[str, str]:
    """Those of this process."""
    python = ".".join(platform.python_version_tuple()[:2])
    torch_version = torch.__version__.split("+")[0]
    return {"protocol": str(PROTOCOL), "python": python, "torch": torch_version, "byte order": sys.byteorder}


def disagreement(theirs: Mapping[str, str]) -> str:
    """What differs from this process's, in words; empty where nothing does."""
    ours = own_versions()
    return ", ".join(
        f"{name} {theirs.get(name, 'untold')} instead of {version}"
        for name, version in ours.items()
        if theirs.get(name) != version
    )
