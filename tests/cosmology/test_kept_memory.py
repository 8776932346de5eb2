"""Memory that stays with the process while a universe is made, and goes back when it is done."""

import resource
from pathlib import Path

import pytest
import torch

from cosmology.kept_memory import kept_memory

MIB = 2**20


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def touch_and_free(num_bytes: int) -> None:
    torch.ones(num_bytes // 4)


def test_freed_memory_stays_inside_and_goes_back_on_leaving() -> None:
    before = resident_bytes()
    with kept_memory():
        touch_and_free(256 * MIB)
        assert resident_bytes() - before > 150 * MIB
    assert resident_bytes() - before < 100 * MIB


def fail_inside() -> None:
    with kept_memory():
        touch_and_free(64 * MIB)
        raise KeyError("inside")


def test_contexts_may_follow_each_other_and_errors_pass_through() -> None:
    before = resident_bytes()
    for _ in range(3):
        with pytest.raises(KeyError, match="inside"):
            fail_inside()
    assert resident_bytes() - before < 100 * MIB
