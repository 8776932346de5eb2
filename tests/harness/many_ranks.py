"""What thousands of ranks do together, on as many as are started: ``python many_ranks.py [stay-away]``.

Every rank works on numbers that follow from its own, so that rank 0 can tell what must come out.
"""

import json
import math
import sys
import time

import numpy as np
import pytest
from mpi4py import MPI

from saih.domain.errors import EnvironmentMissing
from saih.domain.point import Placement, Timing
from saih.domain.record import Outcome, Phase, Steps
from saih.harness import rank_rows
from saih.harness.agreement import agree
from saih.harness.ending import COMPLETED, Ending
from saih.harness.hosts import common_environment
from saih.harness.measure import Ledger, Losses, check
from saih.harness.phases import COLUMNS, step_ns
from saih.harness.ranks import take_seats
from saih.machine.messages import broadcast, first, gather, gather_all

NUM_STEPS, WARMUP = 7, 2


def rows_of(rank: int) -> rank_rows.Rows:
    generator = np.random.default_rng(rank)
    return generator.integers(1, 10**9, (NUM_STEPS, len(COLUMNS)))


def losses_of(rank: int) -> Losses:
    return 1.0 / (1 + rank + np.arange(NUM_STEPS))


def measured(comm: MPI.Intracomm) -> Steps | None:
    """What a ledger makes of the rows of all ranks, handed over in chunks."""
    ledger = Ledger(WARMUP)
    rows, losses = rows_of(comm.rank), losses_of(comm.rank)
    for part in (slice(0, WARMUP), slice(WARMUP, 5), slice(5, NUM_STEPS)):
        ending, _ = check(ledger, (rows[part], losses[part]), Timing(), comm)
        assert ending == COMPLETED
    return ledger.steps(comm)


def check_steps(comm: MPI.Intracomm) -> None:
    steps = measured(comm)
    assert (steps is None) is (comm.rank != 0)
    if steps is None:
        return
    everything = np.stack([rows_of(rank) for rank in range(comm.size)])[:, WARMUP:]
    whole = step_ns(everything)
    assert steps.slowest_ns == tuple(whole.max(axis=0).tolist())
    np.testing.assert_allclose(steps.losses, np.mean([losses_of(rank) for rank in range(comm.size)], axis=0))
    assert (steps.num_ranks, steps.warmup_steps) == (comm.size, WARMUP)
    kept = range(comm.size) if steps.summary is None else steps.summary.kept
    for row, rank in enumerate(kept):
        assert steps.step_ns[row] == tuple(whole[rank].tolist())
        for column, phase in enumerate(COLUMNS):
            assert steps.duration_ns[phase][row] == tuple(everything[rank, :, column].tolist())
    if steps.summary is not None:
        medians = np.median(whole, axis=1)
        assert steps.summary.median_step_ns == tuple(np.rint(medians).astype(int).tolist())
        assert steps.summary.median_ns[Phase.FORWARD] == tuple(
            np.rint(np.median(everything[:, :, 1], axis=1)).astype(int).tolist()
        )
        assert (kept[0], kept[2]) == (int(medians.argmax()), int(medians.argmin()))


def check_bad_losses(comm: MPI.Intracomm) -> None:
    """The first in time counts; among ranks that fail in one step, the lowest."""
    last = comm.size - 1
    for bad_value in (math.nan, math.inf, -math.inf):
        ledger = Ledger(0)
        losses = losses_of(comm.rank)
        if comm.rank == 0:
            losses[6] = -math.inf
        if comm.rank in (last, last - 1):
            losses[4] = bad_value
        check(ledger, (rows_of(comm.rank)[:3], losses[:3]), Timing(), comm)
        ending, decision = check(ledger, (rows_of(comm.rank)[3:], losses[3:]), Timing(), comm)
        assert ending.outcome is Outcome.DIVERGED
        assert decision.num_steps == 0
        assert f"the loss is {bad_value} at step 5 on rank {last - 1}." in ending.reason


def check_messages(comm: MPI.Intracomm) -> None:
    own = {"rank": comm.rank, "text": "ä" * comm.rank}
    expected = tuple({"rank": rank, "text": "ä" * rank} for rank in range(comm.size))
    assert gather_all(comm, own) == expected
    assert gather(comm, own) == (expected if comm.rank == 0 else None)
    assert broadcast(comm, own, root=1) == expected[1]
    assert first(comm, None) is None
    assert first(comm, own if comm.rank else None) == expected[1]


def check_seats(comm: MPI.Intracomm) -> None:
    ranks = take_seats(comm, Placement(ranks_per_node=comm.size, data_parallel=comm.size))
    assert (ranks.first_ranks, len(ranks.hosts)) == ((0,), 1)
    environment = common_environment(ranks)
    assert (
        gather_all(comm, {"id": environment.environment_id})
        == ({"id": environment.environment_id},) * comm.size
    )
    with pytest.raises(EnvironmentMissing, match=f"ranks, but the MPI world has {comm.size}"):
        take_seats(comm, Placement(ranks_per_node=comm.size + 1, data_parallel=comm.size + 1))


def check_agreement(comm: MPI.Intracomm) -> None:
    """Every rank learns of the same ending, whoever has it."""
    waits: list[str] = []
    assert agree(comm, COMPLETED, 30, waits.append) == COMPLETED
    failed = Ending(outcome=Outcome.FAILED, reason=f"rank {comm.rank} raised \U0001f600")
    echo = Ending(outcome=Outcome.FAILED, reason="echo", is_echo=True)
    memory = Ending(outcome=Outcome.OUT_OF_MEMORY, reason=f"rank {comm.rank} ran out of memory")
    own = failed if comm.rank == comm.size - 1 else echo
    found = agree(comm, own, 30, waits.append)
    assert found is not None
    assert found.reason == f"rank {comm.size - 1} raised \U0001f600"
    found = agree(comm, memory if comm.rank == 1 else failed, 30, waits.append)
    assert found is not None
    assert found.reason == "rank 1 ran out of memory"


def check_absence(comm: MPI.Intracomm) -> None:
    """A rank that stays away leaves the others in doubt, in their patience and not later."""
    if comm.rank == comm.size - 1:
        time.sleep(3)
    else:
        waits: list[str] = []
        begun_s = time.monotonic()
        assert agree(comm, COMPLETED, 1.0, waits.append) is None
        assert time.monotonic() - begun_s < 2.5
        assert set(waits) == {"waiting for the other ranks to end"}
    print(json.dumps({"rank": comm.rank, "ok": True}), flush=True)  # noqa: T201
    comm.Abort(7)


if __name__ == "__main__":
    world = MPI.COMM_WORLD
    if sys.argv[1:] == ["stay-away"]:
        check_absence(world)
    for most_whole in (64, 1):
        rank_rows.MAX_WHOLE = most_whole
        if world.size >= 3 or most_whole > 1:
            check_steps(world)
    check_bad_losses(world)
    check_messages(world)
    check_seats(world)
    check_agreement(world)
    if world.rank == 0:
        print("all hold")  # noqa: T201
