"""One rank of a pipeline: ``python -m tests.workloads.energon.pipeline_ranks RANK STORE SPECIFICATION``.

Runs what the specification (JSON) asks for and prints what this rank found as one line of JSON each.
"""

import hashlib
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from tests.workloads.energon.little_memory import little_memory
from tests.workloads.energon.pipeline_stage import TINY, AddingStage
from workloads.energon.command import Answer, Command
from workloads.energon.links import Links
from workloads.energon.plan import EnginePlan, plan_engine
from workloads.energon.ranks import open_ranks
from workloads.energon.runner import StageRunner
from workloads.energon.stage_message import Message
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want
from workloads.transport.link_error import LinkError

PATIENCE = timedelta(minutes=4)
LITTLE_BYTES = 1 << 25


def command(key: int, lengths: tuple[int, ...]) -> Command:
    """Tokens count up from the key."""
    layout = Layout(lengths=lengths)
    return Command(key=key, layout=layout, tokens=torch.arange(layout.num_rows) + key, want=Want.ALL_ROWS)


def found(answer: Answer) -> Mapping[str, Any]:
    rows = None if answer.rows is None else answer.rows.tolist()
    return {"key": answer.key, "rows": rows, "failure": answer.failure}


def serve(plan: EnginePlan, rank: int, asked: Mapping[str, Any]) -> Any:
    """Answers to commands of these lengths, some of which fail somewhere; and what the meter was told."""
    told: list[str] = []
    ranks = open_ranks(plan, rank, meter=told.append)
    stage = AddingStage(ranks)
    runner = StageRunner(stage, ranks)
    answers = []
    for key, lengths in enumerate(asked["lengths"]):
        where = asked.get("faults", {}).get(str(key), {})
        stage.fault = where.get(str(rank), "")
        asked_now = command(key, tuple(lengths))
        if stage.fault == "lost":
            asked_now = replace(asked_now, lost="nothing left at the lost")
            lose_next(ranks.links, asked_now.lost)
        is_poor = asked.get("poor", {}).get(str(key)) == rank
        with little_memory(LITTLE_BYTES) if is_poor else nullcontext():
            answer = runner.do(asked_now)
        answers += [] if answer is None else [found(answer)]
    runner.close()
    return {"answers": answers, "told": told}


def lose_next(links: Links, why: str) -> None:
    """Let what arrives next at this rank be lost here alone."""
    take = links.take

    def lost() -> Message:
        links.take = take  # type: ignore[method-assign]
        return replace(take(), rows=None, lost=why)

    links.take = lost  # type: ignore[method-assign]


def credit(plan: EnginePlan, rank: int, asked: Mapping[str, Any]) -> Any:
    """Whether the first stage is held back before the last one takes any message, and after it took one."""
    ranks = open_ranks(plan, rank)
    runner = StageRunner(AddingStage(ranks), ranks)
    store = distributed.distributed_c10d._get_default_store()
    commands = [command(key, (3,)) for key in range(plan.num_buffers + 2)]
    seen: list[bool] = []
    if rank == 0:
        waiting = Waiting(ranks.connections[0], lambda: store.set(f"held back {each.key}", "yes"))
        object.__setattr__(ranks.links._outlet._neighbour, "connection", waiting)
        for each in commands:
            runner.do(each)
            store.set(f"given {each.key}", "yes")
    else:
        for each in commands[:2]:
            key = plan.num_buffers + each.key
            store.wait([f"given {key - 1}", f"held back {key}"], PATIENCE)
            seen.append(not store.check([f"given {key}"]))
            runner.do(each)
        for each in commands[2:]:
            runner.do(each)
    runner.close()
    return seen


class Waiting:
    """A connection that tells when somebody begins to wait for what it brings."""

    def __init__(self, connection: socket.socket, tell: Callable[[], None]) -> None:
        self._connection = connection
        self._tell = tell

    def recv(self, num_bytes: int) -> bytes:
        self._tell()
        return self._connection.recv(num_bytes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def exchange(plan: EnginePlan, rank: int, asked: Mapping[str, Any]) -> Any:
    """Whether sums and gathers, small ones by sockets and large ones by gloo, are right; bits of sums."""
    ranks = open_ranks(plan, rank)
    width = plan.tensor_parallel
    first = plan.stage_of(rank) * width
    results = []
    for rows, columns, dtype in ((1, 7, torch.float32), (600, 200, torch.float64), (50, 90, torch.bfloat16)):
        generators = [torch.Generator().manual_seed(first + share) for share in range(width)]
        parts = [torch.randn(rows, columns, generator=each).to(dtype) for each in generators]
        whole = ranks.group.sum(parts[rank - first].clone())
        expected = torch.stack(parts).double().sum(0)
        tolerance = 4 * width * torch.finfo(dtype).eps
        is_right = bool((whole.double() - expected).abs().max() < tolerance * expected.abs().max())
        spans = [columns + 3 * share for share in range(width)]
        wide = [part.repeat(1, 2)[:, :span] for part, span in zip(parts, spans, strict=True)]
        beside = ranks.group.gather(wide[rank - first], spans)
        is_right &= torch.equal(beside, torch.cat(wide, dim=1))
        results.append([is_right, hashlib.sha256(whole.view(torch.uint8).numpy().data).hexdigest()])
    ranks.close()
    return results


def lose(plan: EnginePlan, rank: int, asked: Mapping[str, Any]) -> Any:
    """What the others find when a rank dies in the middle of a pass."""
    ranks = open_ranks(plan, rank)
    stage = AddingStage(ranks)
    runner = StageRunner(stage, ranks)
    runner.do(command(0, (2,)))
    if rank == asked["dead"]:
        stage._fail_at = lambda place: os._exit(0) if place == "middle" else None  # type: ignore[method-assign]
    try:
        while True:
            runner.do(command(1, (2,)))
    except LinkError as error:
        return f"LinkError: {error}"


def main() -> None:
    rank, store, asked = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    torch.set_num_threads(1)
    plan = plan_engine(
        TINY, tensor_parallel=asked["tensor_parallel"], pipeline_parallel=asked["pipeline_parallel"]
    )
    distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=plan.num_ranks
    )
    parts = {"serve": serve, "credit": credit, "exchange": exchange, "lose": lose}
    for part in asked["parts"]:
        settings = {name: part[name] for name in ("num_buffers", "is_blocking") if name in part}
        sys.stdout.write(json.dumps(parts[part["part"]](replace(plan, **settings), rank, part)) + "\n")
        sys.stdout.flush()
    if "lose" in (part["part"] for part in asked["parts"]):
        os._exit(0)  # nobody is left to part from
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
