"""One rank of a peer of the engine; each line on its standard input is a turn, answered by its seconds.

``rpc``: an empty call of torch.distributed.rpc. ``autotp FOLDER LENGTH...`` and ``tp_plan FOLDER
LENGTH...``: the padded batch through DeepSpeed's AutoTP, and through the tensor parallelism of
transformers.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import distributed
from torch.distributed import rpc

from benchmarks.energon_models import padded_batch, random_prompts

Turn = Callable[[], float]


def main(words: Sequence[str]) -> int:
    """Answer turns until the standard input ends."""
    torch.set_num_threads(1)
    turns: dict[str, Callable[[Sequence[str]], Turn]] = {"rpc": _rpc, "autotp": _autotp, "tp_plan": _tp_plan}
    turn = turns[words[0]](words[1:])
    for _ in sys.stdin:
        begin_s = time.perf_counter()
        checksum = turn()
        answer = json.dumps([time.perf_counter() - begin_s, checksum])
        print(f"turn {answer}", flush=True)
    return 0


def _rpc(_: Sequence[str]) -> Turn:
    rank, num_ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    rpc.init_rpc(str(rank), rank=rank, world_size=num_ranks)  # type: ignore[no-untyped-call]  # as it is there
    if rank:
        return lambda: 0.0
    token = torch.ones(1)
    return lambda: float(rpc.rpc_sync("1", torch.neg, args=(token,)))


def _autotp(words: Sequence[str]) -> Turn:
    deepspeed = importlib.import_module("deepspeed")
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(words[0], dtype=torch.float32)
    size = int(os.environ["WORLD_SIZE"])
    engine = deepspeed.init_inference(
        model.eval(), tensor_parallel={"tp_size": size}, dtype=torch.float32, replace_with_kernel_inject=False
    )
    return _forward(engine.module, words)


def _tp_plan(words: Sequence[str]) -> Turn:
    distributed.init_process_group("gloo")
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(
        words[0], dtype=torch.float32, tp_plan="auto", device_map=None
    )
    return _forward(model.eval(), words)


def _forward(model: Any, words: Sequence[str]) -> Turn:  # Any: a model of transformers
    vocab_size = json.loads(Path(words[0], "config.json").read_text(encoding="utf-8"))["vocab_size"]
    prompts = random_prompts([int(word) for word in words[1:]], vocab_size)
    tokens, mask = padded_batch(prompts)
    last = torch.tensor([len(prompt) - 1 for prompt in prompts])

    @torch.inference_mode()
    def turn() -> float:
        states = model.base_model(tokens, attention_mask=mask).last_hidden_state
        logits = model.get_output_embeddings()(states[torch.arange(len(prompts)), last][None])
        return float(logits.double().abs().sum())

    return turn


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
