import itertools

import pytest
import torch

from workloads.galaxy.profiler import profile_device
from workloads.transformer.place import Place
from workloads.transformer.sized_model import sized

TICK_NS = 1000


def test_a_profile_says_what_the_clock_says() -> None:
    """Every piece of work takes one tick of this clock: rates are amounts of work over ticks."""
    ticks = itertools.count(step=TICK_NS)
    numbers = {"layers": 2, "hidden": 32, "heads": 4, "kv_heads": 0, "ffn": 0, "vocab": 0}
    profile = profile_device(
        sized("gpt2", numbers, 16),
        Place(device=torch.device("cpu"), dtype=torch.float32),
        lambda: next(ticks),
        name="a board",
        memory_bytes=123,
        num_tokens=16,
    )
    assert (profile.name, profile.memory_bytes) == ("a board", 123)
    assert profile.call_ns == TICK_NS
    assert profile.tile_ns == TICK_NS / 2
    assert profile.product_rows == (1, 4, 16)
    # A tenth of the time is left where a call costs all of it.
    expected = [2 * rows * 32 * 32 / (TICK_NS / 10) * 1e9 for rows in profile.product_rows]
    assert profile.product_rates == pytest.approx(expected)
    assert profile.attention_rate == pytest.approx(4 * 16**2 * 32 / (TICK_NS / 10) * 1e9)
    assert profile.memory_rate == pytest.approx(5 * 16 * 32 * 4 / TICK_NS * 1e9)
