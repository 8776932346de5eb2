"""An engine under load, to be killed: told what to do by lines on the standard input, answers in JSON lines.

``load TENSOR PIPELINE SEED``: launch an engine, tell its processes, and submit without end until it is
dead; then tell what became of every request. ``flood TENSOR PIPELINE COUNT``: submit so many, cancel some
at random, tell the memory of all processes after a fifth and at the end. ``two``: two engines at once, one
of them loses a worker.
"""

import concurrent.futures
import json
import os
import random
import signal
import sys
import time
from collections import Counter, deque
from concurrent.futures import Future
from pathlib import Path

import torch
from torch import Tensor

from workloads.energon.engine import Engine, launch
from workloads.energon.errors import EngineError
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.want import Want

VOCAB_SIZE, MAX_LENGTH = 31, 24
PATIENCE_S = 240.0
"""Far more than any request may take: what is unanswered then is never answered."""


def main() -> int:
    torch.set_num_threads(1)
    actions = {"load": load, "flood": flood, "two": two}
    tell({"pid": os.getpid()})
    for line in sys.stdin:
        name, *numbers = line.split()
        actions[name](*map(int, numbers))
    return 0


def load(tensor_parallel: int, pipeline_parallel: int, seed: int) -> None:
    chance = random.Random(seed)
    with tiny_engine(tensor_parallel, pipeline_parallel) as engine:
        futures = [engine.submit(prompts(chance), want=Want.ALL_ROWS)]
        futures[0].result()
        tell({"pids": list(engine.pids)})
        try:
            while True:
                futures.append(engine.submit(prompts(chance), want=chance.choice(list(Want))))
        except EngineError as error:
            refusal = f"{type(error).__name__}: {error}"
        counts = outcomes(futures)
    tell({"counts": counts, "refusal": refusal})


def flood(tensor_parallel: int, pipeline_parallel: int, count: int) -> None:
    chance = random.Random(1)
    waiting: deque[Future[Tensor]] = deque()
    counts: Counter[str] = Counter()
    begin_bytes = 0
    with tiny_engine(tensor_parallel, pipeline_parallel) as engine:
        pids = [os.getpid(), *engine.pids]
        for number in range(count):
            if number == count // 5:
                begin_bytes = resident_bytes(pids)
            waiting.append(engine.submit(prompts(chance), want=chance.choice(list(Want))))
            if chance.random() < 0.3:
                chance.choice(waiting).cancel()
            while len(waiting) > 100:
                counts[outcome(waiting.popleft())] += 1
        while waiting:
            counts[outcome(waiting.popleft())] += 1
        end_bytes = resident_bytes(pids)
    tell({"counts": counts, "begin_bytes": begin_bytes, "end_bytes": end_bytes})


def two() -> None:
    asked = [[1, 2, 3]]
    with tiny_engine(1, 2) as first, tiny_engine(2, 1) as second:
        expected = first.submit(asked).result()
        is_same = torch.allclose(expected, second.submit(asked).result(), rtol=0, atol=1e-5)
        pids = [*first.pids, *second.pids]
        os.kill(first.pids[0], signal.SIGKILL)
        lost = dead(first, asked)
        later = torch.equal(second.submit(asked).result(), second.submit(asked).result())
    tell({"is_same": is_same, "lost": lost, "lives": later, "pids": pids})


def dead(engine: Engine, asked: list[list[int]]) -> str:
    """How an engine that lost a worker answers in the end."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        try:
            found = outcome(engine.submit(asked))
        except EngineError as error:
            return type(error).__name__
        if found != "answered":
            return found
    return "answered"


def tiny_engine(tensor_parallel: int, pipeline_parallel: int) -> Engine:
    architecture = TransformerArchitecture(
        family=Family.GPT2,
        num_layers=2,
        hidden_size=16,
        num_heads=2,
        num_kv_heads=2,
        head_size=8,
        ffn_size=24,
        vocab_size=VOCAB_SIZE,
        max_length=MAX_LENGTH,
        activation=Activation.GELU_TANH,
        norm_epsilon=1e-5,
    )
    return launch(
        architecture,
        tensor_parallel=tensor_parallel,
        pipeline_parallel=pipeline_parallel,
        threads_per_rank=1,
        max_queued=64,
    )


def prompts(chance: random.Random) -> list[list[int]]:
    return [
        [chance.randrange(VOCAB_SIZE) for _ in range(chance.randint(1, MAX_LENGTH))]
        for _ in range(chance.randint(1, 4))
    ]


def outcomes(futures: list[Future[Tensor]]) -> Counter[str]:
    """What became of each request."""
    concurrent.futures.wait(futures, timeout=PATIENCE_S)
    return Counter(outcome(future) if future.done() else "unanswered" for future in futures)


def outcome(future: Future[Tensor]) -> str:
    if future.cancelled():
        return "cancelled"
    try:
        error = future.exception(timeout=PATIENCE_S)
    except concurrent.futures.CancelledError:
        return "cancelled"
    except concurrent.futures.TimeoutError:
        return "unanswered"
    return "answered" if error is None else type(error).__name__


def resident_bytes(pids: list[int]) -> int:
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def tell(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
