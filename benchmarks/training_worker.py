"""One contestant of the training step, in turns: ``python -m benchmarks.training_worker KIND JSON``."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.convolution_list import Timer, works_of
from benchmarks.plain_loop import PlainLoop
from benchmarks.training_contest import BOTH, CONVOLUTIONS, PLAIN_LOOP, PRODUCTS, SESSION, Member
from benchmarks.turn_takers import answer_turns
from benchmarks.turns_of_two import TURN_S
from saih.domain.interval import median
from saih.harness.exchange import NoExchange
from saih.machine.arithmetic import product_rungs
from workloads.cosmoflow.training import CosmoFlowJob
from workloads.execution import Execution, settled
from workloads.protocol import Surroundings

NUM_BATCHES = 4
WARMUP_STEPS = 3
PRODUCT_SIDES = (1024, 2048, 4096)
"""Where the rate of products is highest, on all processors that were looked at."""
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
Asked = dict[str, Any]
Answer = Callable[[int], object]


def main(arguments: Sequence[str]) -> int:
    """Prepare, warm up, and answer until nobody asks."""
    kind, text = arguments
    asked: Asked = json.loads(text)
    member = Member(**asked["member"])
    torch.set_num_threads(member.threads)
    answer_turns(_KINDS[kind](member, asked))
    return 0


def _plain(member: Member, _asked: Asked) -> Answer:
    generator = torch.Generator().manual_seed(1)
    shape = (member.batch, member.architecture.channels, *[member.resolution] * 3)
    batches = [
        (torch.randn(shape, generator=generator), torch.rand((member.batch, 4), generator=generator))
        for _ in range(NUM_BATCHES)
    ]
    return _timed(PlainLoop(member.architecture, batches, member.device).train)


def _session(member: Member, asked: Asked) -> Answer:
    execution = settled(Execution(**asked["execution"]), "float32")
    device = "cuda:0" if member.device == "cuda" else "cpu"
    surroundings = Surroundings(
        rank=0,
        num_ranks=1,
        device=device,
        precision=execution.precision,
        batch_per_rank=member.batch,
        seed=1,
        data_folder=Path(tempfile.gettempdir()),
        exchange=NoExchange(),
        execution=execution,
        input="synthetic",
    )
    session = CosmoFlowJob().prepare(member.problem, surroundings)
    batches = [session.produce(step) for step in range(NUM_BATCHES)]

    def train(num_steps: int) -> float:
        return sum(float(session.step(batches[step % NUM_BATCHES], _no_mark)) for step in range(num_steps))

    return _timed(train)


def _both(member: Member, asked: Asked) -> Answer:
    """The plain loop for a number of steps above 0, and the session below: on the same pages of memory."""
    plain, ours = _plain(member, asked), _session(member, asked)
    return lambda number: plain(number) if number > 0 else ours(-number)


def _convolutions(member: Member, asked: Asked) -> Answer:
    works = works_of(member.architecture, member.batch)
    timer = Timer(works, _DTYPES[asked["precision"]], torch.device(member.device))
    return lambda _number: timer.turn()


def _products(member: Member, asked: Asked) -> Answer:
    rungs = product_rungs(torch.device(member.device), _DTYPES[asked["precision"]])
    calls = [(rung.ways[0]().call, rung.work) for rung in rungs if rung.size in PRODUCT_SIDES]

    def rate(call: Callable[[], object], flops: float) -> float:
        durations_s = []
        end_s = time.perf_counter() + TURN_S / len(calls)
        while time.perf_counter() < end_s:
            begin_s = time.perf_counter()
            call()
            if member.device != "cpu":
                torch.cuda.synchronize()
            durations_s.append(time.perf_counter() - begin_s)
        return flops / median(durations_s)

    return lambda _number: max(rate(call, flops) for call, flops in calls)


def _timed(train: Callable[[int], float]) -> Answer:
    train(WARMUP_STEPS)

    def answer(num_steps: int) -> float:
        begin_s = time.perf_counter()
        train(num_steps)
        return (time.perf_counter() - begin_s) / num_steps

    return answer


def _no_mark(_phase: str) -> None:
    """Nobody measures phases here."""


_KINDS: dict[str, Callable[[Member, Asked], Answer]] = {
    PLAIN_LOOP: _plain,
    SESSION: _session,
    BOTH: _both,
    CONVOLUTIONS: _convolutions,
    PRODUCTS: _products,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
