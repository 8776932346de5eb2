"""What rank 0 does for a job of thousands of ranks, on what those ranks would have sent it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from saih.domain.point import Placement
from saih.domain.record import STEP_PHASES, Steps
from saih.harness.phases import COLUMNS, step_ns
from saih.harness.places import places_in_words
from saih.harness.rank_rows import kept_ranks, medians, rank_summary
from saih.harness.ranks import Seat, check_seats
from saih.harness.usage import summary
from saih.machine.messages import decode, encode
from saih.store.steps_file import decode_steps, encode_steps

_RANKS_PER_NODE = 64
_NUM_STEPS = 2000


def work_of_rank_0(num_ranks: int) -> Iterator[tuple[str, float]]:
    """Each piece of work in words, and how long it took [s]."""
    placement = Placement(
        nodes=num_ranks // _RANKS_PER_NODE, ranks_per_node=_RANKS_PER_NODE, data_parallel=num_ranks
    )
    seats = [
        encode({"size": num_ranks, "host": f"n{rank // _RANKS_PER_NODE}", "process": rank, "device_id": ""})
        for rank in range(num_ranks)
    ]
    usages = [
        encode({"peak_memory_bytes": 10**9, "peak_device_bytes": 0, "asked_bytes": 1, "storage_bytes": 0})
    ] * num_ranks
    yield (
        "reading and checking the seats of all",
        _seconds(lambda: check_seats([Seat(**decode(seat)) for seat in seats], placement, {})),
    )
    yield "adding up what all used", _seconds(lambda: summary([decode(usage) for usage in usages]))
    places = dict.fromkeys(range(1, num_ranks), "after step 4")
    yield "saying where all are", _seconds(lambda: places_in_words(places, num_ranks))
    yield from _steps_work(num_ranks)


def _steps_work(num_ranks: int) -> Iterator[tuple[str, float]]:
    generator = np.random.default_rng(1)
    rows_RSP = generator.integers(1, 10**9, (3, _NUM_STEPS, len(COLUMNS)))
    medians_RM = generator.integers(1, 10**9, (num_ranks, 1 + len(COLUMNS)))
    slowest_ns = [int(len(STEP_PHASES) * 10**9)] * _NUM_STEPS
    steps: list[Steps] = []

    def summarise() -> None:
        whole = step_ns(rows_RSP).tolist()
        steps.append(
            Steps(
                duration_ns={
                    phase: tuple(map(tuple, rows_RSP[:, :, column].tolist()))
                    for column, phase in enumerate(COLUMNS)
                },
                step_ns=tuple(map(tuple, whole)),
                losses=(0.5,) * _NUM_STEPS,
                warmup_steps=0,
                summary=rank_summary(medians_RM, kept_ranks(medians_RM[:, 0]), slowest_ns),
            )
        )

    yield "(on every rank: medians of its own rows)", _seconds(lambda: medians(rows_RSP[0]))
    yield "summing up the steps of all", _seconds(summarise)
    files: list[bytes] = []
    yield "writing them as a file", _seconds(lambda: files.append(encode_steps(steps[0])))
    yield (
        f"reading that file ({len(files[0]) / 1e6:.1f} MB)",
        _seconds(lambda: decode_steps(files[0], Path("made-up"))),
    )


def _seconds(work: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    work()
    return time.perf_counter() - begun_s
