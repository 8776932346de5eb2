"""Engines whose ranks are stand-ins that misbehave on demand."""

import math
import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from workloads.energon.assignment import Assignment
from workloads.energon.engine import Engine, start
from workloads.energon.plan import plan_engine
from workloads.energon.ranks import Carrier
from workloads.energon.starting import Patience
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture

PATIENCE_S = 120.0
GATE = "STAND_INS_GATE"
PROGRAM = Path(__file__).with_name("stand_in_worker.py")
TINY = TransformerArchitecture(
    family=Family.GPT2,
    num_layers=2,
    hidden_size=8,
    num_heads=2,
    num_kv_heads=2,
    head_size=4,
    ffn_size=8,
    vocab_size=200,
    max_length=64,
    activation=Activation.GELU,
    norm_epsilon=1e-5,
)


class Start(IntEnum):
    """How a stand-in comes up; given as the seed of the weights."""

    WELL = 0
    BAD_WEIGHTS = 1
    """The last rank finds them."""
    WITHOUT_A_WORD = 2
    """Rank 0 ends."""
    NEVER = 3


class Ask(IntEnum):
    """What the first token of a request does; the second names the rank that it concerns."""

    FAIL = 101
    """The request fails."""
    HANG = 102
    """That rank never comes back, and the others wait for it."""
    CRASH = 103
    """It ends by an exception."""
    ABORT = 104
    """It ends by a signal."""
    WIDE = 105
    """The answer has 32 MiB."""
    WAIT = 106
    """It waits for a byte from the pipe that is named by the environment (GATE)."""


def stand_ins(
    *,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    seed: Start = Start.WELL,
    max_queued: int = 64,
    start_timeout_s: float = 300.0,
    request_limit_s: float = math.inf,
) -> Engine:
    """An engine of stand-ins."""
    plan = plan_engine(TINY, tensor_parallel=tensor_parallel, pipeline_parallel=pipeline_parallel)
    assignment = Assignment(
        rank=0,
        architecture=TINY,
        plan=plan,
        checkpoint="",
        seed=seed,
        device="cpu",
        dtype="float32",
        carrier=Carrier.HOST,
        num_threads=1,
        cache_bytes=0,
        folder="",
    )
    return start(
        assignment,
        max_queued=max_queued,
        patience=Patience(start_s=start_timeout_s, request_s=request_limit_s),
        program=[str(PROGRAM)],
    )


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that must happen, however slow the machine is."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
