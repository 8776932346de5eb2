"""Memory that stays with the process while a universe is made, and goes back when it is done."""

import json
import subprocess
import sys

import pytest

# In processes of their own: what earlier tests have freed would be taken again.
BEGIN = """
import contextlib, json, resource
from pathlib import Path
import torch
from cosmology.kept_memory import kept_memory

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

def touch_and_free(num_mib):
    torch.ones(num_mib << 18)

touch_and_free(1)
before = resident_mib()
"""


def grown_mib(program: str) -> list[float]:
    """What the program prints: growth of its resident memory."""
    done = subprocess.run([sys.executable, "-c", BEGIN + program], capture_output=True, text=True, check=True)
    return [float(value) for value in json.loads(done.stdout)]


@pytest.mark.slow
def test_freed_memory_stays_inside_and_goes_back_on_leaving() -> None:
    inside, outside = grown_mib("""
with kept_memory():
    touch_and_free(256)
    inside = resident_mib() - before
print(json.dumps([inside, resident_mib() - before]))
""")
    assert inside > 150
    assert outside < 100


@pytest.mark.slow
def test_contexts_may_follow_each_other_and_errors_pass_through() -> None:
    (grown, caught) = grown_mib("""
caught = 0
for _ in range(3):
    try:
        with kept_memory():
            touch_and_free(64)
            raise KeyError("inside")
    except KeyError:
        caught += 1
print(json.dumps([resident_mib() - before, caught]))
""")
    assert caught == 3
    assert grown < 100
