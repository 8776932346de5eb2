import itertools

import pytest
import torch

from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.profiler import profile_device
from workloads.protocol import ReadClock
from workloads.transformer.place import Place
from workloads.transformer.sized_model import sized

TICK_NS = 1_000_000


def profiled(clock: ReadClock) -> DeviceProfile:
    numbers = {"layers": 2, "hidden": 32, "heads": 4, "kv_heads": 0, "ffn": 0, "vocab": 0}
    return profile_device(
        sized("gpt2", numbers, 16),
        Place(device=torch.device("cpu"), dtype=torch.float32),
        clock,
        name="a board",
        memory_bytes=123,
        num_tokens=16,
    )


def ticking() -> ReadClock:
    """Every piece of work takes one tick of this clock."""
    ticks = itertools.count(step=TICK_NS)
    return lambda: next(ticks)


def with_a_quota(free: ReadClock, run_ns: int = 5 * TICK_NS, paused_ns: int = 5 * TICK_NS) -> ReadClock:
    """The same on a device that runs so long and then has to pause."""

    def clock() -> int:
        ran_ns = free()
        return ran_ns + ran_ns // run_ns * paused_ns

    return clock


def test_a_profile_says_what_the_clock_says() -> None:
    """Rates are amounts of work over ticks."""
    profile = profiled(ticking())
    assert (profile.name, profile.memory_bytes) == ("a board", 123)
    assert profile.call_ns == TICK_NS
    assert profile.tile_ns == TICK_NS / 2
    assert profile.product_rows == (1, 4, 16)
    # A tenth of the time is left where a call costs all of it.
    expected = [2 * rows * 32 * 32 / (TICK_NS / 10) * 1e9 for rows in profile.product_rows]
    assert profile.product_rates == pytest.approx(expected)
    assert profile.attention_rate == pytest.approx(4 * 16**2 * 32 / (TICK_NS / 10) * 1e9)
    assert profile.memory_rate == pytest.approx(5 * 16 * 32 * 4 / TICK_NS * 1e9)


@pytest.mark.parametrize("paused_ns", [5 * TICK_NS, 45 * TICK_NS])
def test_a_quota_slows_down_all_that_is_timed_by_as_much(paused_ns: int) -> None:
    """Most single pieces of work fall between two pauses and take a tick."""
    free = profiled(ticking())
    held = profiled(with_a_quota(ticking(), paused_ns=paused_ns))
    slower = 1 + paused_ns / (5 * TICK_NS)
    assert held.call_ns == pytest.approx(slower * free.call_ns, rel=0.01)
    assert held.tile_ns == pytest.approx(slower * free.tile_ns, rel=0.01)
    assert held.attention_rate == pytest.approx(free.attention_rate / slower, rel=0.01)
    assert held.memory_rate == pytest.approx(free.memory_rate / slower, rel=0.01)
    assert held.product_rates == pytest.approx([rate / slower for rate in free.product_rates], rel=0.01)
