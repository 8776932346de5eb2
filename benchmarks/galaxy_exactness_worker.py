"""One device of ``benchmarks.galaxy_exactness``: RANK and others in the environment."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, distributed

from workloads.galaxy.engine.arithmetic import RealArithmetic
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.greedy import generated
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, whole_share
from workloads.galaxy.undivided import Undivided, relative_error
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span, layer_stages, tensor_shares
from workloads.transformer.want import Want
from workloads.transport.meeting import meet

LENGTHS = (1, 5, 29)
TILES = (1, 3)
NUM_LAYERS, NUM_NEW = 8, 4
_PLACE = Place(device=torch.device("cpu"), dtype=torch.float64)


def main() -> None:
    """All cases; the first device prints what came of them as one line of JSON."""
    torch.set_num_threads(1)
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    distributed.init_process_group("gloo")
    group = distributed.group.WORLD
    if group is None:
        raise RuntimeError("torch.distributed made no default process group")
    ring = Ring(rank, meet(group, rank, callers=range(rank), called=range(rank + 1, count)))
    cases = []
    for epoch, (architecture, plan) in enumerate(_plans(count), start=1):
        cases += _cases(architecture, plan, rank, ring, epoch)
    ring.close()
    if rank == 0:
        print(json.dumps(cases), flush=True)
    distributed.destroy_process_group()


def architectures() -> Iterator[TransformerArchitecture]:
    """A small model of each family, of sizes that nothing divides evenly."""
    whole = TransformerArchitecture(
        family=Family.GPT2,
        num_layers=NUM_LAYERS,
        hidden_size=44,
        num_heads=11,
        num_kv_heads=11,
        head_size=4,
        ffn_size=101,
        vocab_size=59,
        max_length=64,
        activation=Activation.GELU_TANH,
        norm_epsilon=1e-5,
    )
    yield whole
    yield replace(whole, family=Family.OPT, activation=Activation.RELU)
    yield replace(whole, family=Family.BERT, activation=Activation.GELU, norm_epsilon=1e-12)
    yield replace(
        whole,
        family=Family.LLAMA,
        num_heads=22,
        head_size=2,
        activation=Activation.SILU,
        norm_epsilon=1e-6,
        is_head_tied=False,
    )


def _plans(count: int) -> Iterator[tuple[TransformerArchitecture, ParallelPlan]]:
    """Every kind of parallelism that so many devices can have; the first device has least."""
    speeds = [float(1 + place**2) for place in range(count)]
    strategies = [Strategy.LOCAL] if count == 1 else [each for each in Strategy if each is not Strategy.LOCAL]
    for architecture in architectures():
        for strategy in strategies:
            plan = _plan(architecture, strategy, speeds)
            yield architecture, plan
            if strategy is Strategy.HYBRID:
                yield architecture, replace(plan, num_tiles=TILES[1])
            if count > 1:
                for wire in (WireFormat.BFLOAT16, WireFormat.INT8):
                    yield architecture, replace(plan, wire=wire)


def _plan(architecture: TransformerArchitecture, strategy: Strategy, speeds: list[float]) -> ParallelPlan:
    shares = (whole_share(architecture),) * len(speeds)
    layers = (Span(0, architecture.num_layers),) * len(speeds)
    if strategy in (Strategy.HYBRID, Strategy.TENSOR):
        shares = tensor_shares(architecture, len(speeds), speeds)
    if strategy is Strategy.PIPELINE:
        layers = layer_stages([1.0] * architecture.num_layers, len(speeds))
    return ParallelPlan(
        strategy=strategy,
        parts=tuple(
            DevicePart(device=device, share=share, layers=span, row_weight=speed)
            for device, (share, span, speed) in enumerate(zip(shares, layers, speeds, strict=True))
        ),
    )


def _cases(
    architecture: TransformerArchitecture, plan: ParallelPlan, rank: int, ring: Ring, epoch: int
) -> list[dict[str, Any]]:
    weights = RandomWeights(architecture, 7)
    alone = Undivided(architecture=architecture, weights=weights, place=_PLACE)
    executor = Executor(
        architecture=architecture,
        plan=plan,
        device=rank,
        weights=weights,
        ring=ring,
        place=_PLACE,
        arithmetic=RealArithmetic(),
        epoch=epoch,
    )
    cases = []
    for length in LENGTHS:
        tokens = torch.arange(3, 3 + length) * 7 % architecture.vocab_size
        with torch.inference_mode():
            answer = executor.forward(tokens, Layout(lengths=(length,)), Want.LAST_ROWS)
        greedy = _greedy(executor, alone, tokens) if architecture.is_decoder else None
        if answer is not None:
            error = relative_error(answer, alone.answer(tokens.tolist()))
            told = {"strategy": plan.strategy, "wire": plan.wire, "error": error, "greedy": greedy}
            cases.append(told)
    return cases


def _greedy(executor: Executor, alone: Undivided, tokens: Tensor) -> bool:
    """Whether the tokens that follow are those that one device finds, each from the whole sequence anew."""
    with torch.inference_mode():
        made = generated(executor, tokens, [len(tokens)], NUM_NEW)
    if executor.plan.devices[0] != executor.device:
        return True
    sequence = tokens.tolist()
    for _ in range(NUM_NEW):
        sequence.append(int(alone.answer(sequence).argmax()))
    return made.reshape(-1).tolist() == sequence[len(tokens) :]


if __name__ == "__main__":
    main()
