import pytest

from saih.harness.usage import Reading, cache_state, peak_memory_bytes, reset_peak_memory, summary


@pytest.mark.parametrize(
    ("asked", "storage", "state"),
    [(100, 0, "warm"), (100, 100, "cold"), (100, 50, "mixed"), (100, 400, "cold"), (0, 0, "nothing read")],
)
def test_the_state_of_the_cache_follows_from_what_came_from_storage(
    asked: int, storage: int, state: str
) -> None:
    assert cache_state(Reading(asked_bytes=asked, storage_bytes=storage)) == state


def test_what_the_kernel_does_not_tell_is_unknown() -> None:
    assert cache_state(None) == "unknown"


def test_the_peak_of_memory_sees_a_large_block_and_forgets_it_when_reset() -> None:
    reset_peak_memory("cpu")
    before = peak_memory_bytes()
    block = bytearray(b"x") * (64 * 2**20)
    during = peak_memory_bytes()
    assert during >= before + 60 * 2**20
    del block
    reset_peak_memory("cpu")
    assert peak_memory_bytes() < during


def test_ranks_are_summed_up_by_highest_peak_and_total_bytes() -> None:
    usages = [
        {"peak_memory_bytes": 10, "peak_device_bytes": 0, "asked_bytes": 100, "storage_bytes": 100},
        {"peak_memory_bytes": 30, "peak_device_bytes": 7, "asked_bytes": 300, "storage_bytes": 20},
    ]
    assert summary(usages) == {
        "peak_memory_bytes": "30",
        "peak_device_bytes": "7",
        "cache_state": "mixed",
        "bytes_asked": "400",
        "bytes_read": "120",
    }


def test_one_rank_without_counters_makes_the_sum_unknown() -> None:
    usages = [
        {"peak_memory_bytes": 10, "peak_device_bytes": 0, "asked_bytes": 100, "storage_bytes": 100},
        {"peak_memory_bytes": 10, "peak_device_bytes": 0, "asked_bytes": None, "storage_bytes": None},
    ]
    assert summary(usages) == {"peak_memory_bytes": "10", "cache_state": "unknown"}
