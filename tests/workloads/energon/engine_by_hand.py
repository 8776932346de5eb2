"""An engine without processes: it does passes by hand, one after the other, in a thread."""

import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import torch

from tests.workloads.energon.ranks_by_hand import VOCAB_SIZE, RanksByHand
from workloads.energon.assignment import Assignment
from workloads.energon.plan import plan_engine
from workloads.energon.request import Kept
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture

ARCHITECTURE = TransformerArchitecture(
    family=Family.GPT2,
    num_layers=2,
    hidden_size=8,
    num_heads=2,
    num_kv_heads=2,
    head_size=4,
    ffn_size=16,
    vocab_size=VOCAB_SIZE,
    max_length=200,
    activation=Activation.GELU_TANH,
    norm_epsilon=1e-5,
)
ASSIGNMENT = Assignment(
    rank=0,
    architecture=ARCHITECTURE,
    plan=plan_engine(ARCHITECTURE, pipeline_parallel=2),
    checkpoint="",
    seed=0,
    device="cpu",
    dtype="float32",
    num_threads=1,
    cache_bytes=1 << 20,
    folder=str(Path.cwd()),
)


class EngineByHand:
    """``gate`` closed: passes wait. ``error``: what every pass from now on ends by.

    ``passes_until_closed``: so many passes from now on the gate closes by itself.
    """

    def __init__(self, **assigned) -> None:
        self.assignment = replace(ASSIGNMENT, **assigned)
        self.keeper = threading.Lock()
        self.ranks = RanksByHand()
        self.gate = threading.Event()
        self.gate.set()
        self.error = None
        self.passes_until_closed = None
        self._asked = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, tokens, *, want, kept: Kept):
        if want != "next_tokens":
            raise ValueError(want)
        future = Future()
        self._asked.put((future, [list(part) for part in tokens], kept))
        return future

    def close(self) -> None:
        self.gate.set()
        self._asked.put(None)
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            future, tokens, kept = asked
            self.gate.wait()
            if self.passes_until_closed is not None:
                self.passes_until_closed -= 1
                if self.passes_until_closed == 0:
                    self.gate.clear()
            try:
                future.set_result(self._done(tokens, kept))
            except Exception as error:  # as an engine: whatever it is, the caller gets it
                future.set_exception(error)

    def _done(self, tokens, kept: Kept):
        if self.error is not None:
            raise self.error
        past = kept.past or (0,) * len(tokens)
        names = kept.ids or tuple(f"unkept {place}" for place in range(len(tokens)))
        made = self.ranks.do(names, past, tokens, kept.released)
        if not kept.ids:
            self.ranks.lose(names)
        return torch.tensor(made)
