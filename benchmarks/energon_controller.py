"""What the engine itself costs: a hop between its processes with a model that computes next to nothing.

One request at a time, so that nothing hides anything. A hop is a message from one process to the next:
controller to all ranks, stage to stage, last stage to controller. Its cost is a round trip, less the time
that the stages compute (measured alone, in the same turn), over the number of hops in a row. A round trip of
torch.distributed.rpc (what EnergonAI is built on) between two processes runs in turns with it. What else the
machine does is no cost of the engine: where this user may, all threads of both are let run before others.

    python -m benchmarks.energon_controller [--quick]
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence

import torch

from benchmarks.bars import judge
from benchmarks.energon_peers import PeerRanks, start_ranks
from benchmarks.energon_priority import run_first
from saih.domain.interval import Interval, median_interval
from workloads.energon.engine import Engine, launch
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.exchange import Alone
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_stage
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.want import Want

HOP_LIMIT_MS = 1.0
ROUNDS, QUICK_ROUNDS = 300, 100
WARM_UP = 20
PUBLISHED = (
    "EnergonAI (code 56b35f3, sleeps as written there): 10 ms in each worker and engine loop when idle, "
    "100 ms for a free place in a pipe and in wait(), 50 ms in get()"
)
STAGES = (1, 2, 3)


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    num_rounds = QUICK_ROUNDS if parser.parse_args(arguments).quick else ROUNDS
    torch.set_num_threads(1)
    print(f"{'':34} {'round trip [ms], median [95 %]':>38} {'hops':>5} {'a hop [ms]':>11}")
    hops = []
    for num_stages in STAGES:
        with (
            launch(_tiny(num_stages), pipeline_parallel=num_stages, threads_per_rank=1) as engine,
            start_ranks("rpc", 2, []) as peer,
        ):
            with run_first([os.getpid(), *engine.pids, *peer.pids]) as has_priority:
                hops.append(_measure(engine, num_stages, peer, num_rounds))
            if not has_priority:
                print("this user may not let threads run before others: other load is in these times")
    print(PUBLISHED)
    met = [
        judge(f"a hop, {num_stages} stages", hop, "ms", "<", HOP_LIMIT_MS)
        for num_stages, hop in zip(STAGES, hops, strict=True)
    ]
    return 0 if all(met) else 1


def _measure(engine: Engine, num_stages: int, peer: PeerRanks, num_rounds: int) -> float:
    """The cost of a hop [ms]; prints it beside a round trip of the peer."""
    compute = _compute(num_stages)
    rounds = []
    for _ in range(num_rounds + WARM_UP):
        trip_s = _seconds(lambda: engine.submit([[1]], want=Want.NEXT_TOKENS).result())
        rounds.append((trip_s, _seconds(compute), peer.turn()[0]))
    rounds = rounds[WARM_UP:]
    num_hops = num_stages + 1
    hop_ms = median_interval([1e3 * (trip - own) / num_hops for trip, own, _ in rounds]).value
    _print(
        f"engine, {num_stages} stages",
        median_interval([1e3 * trip for trip, _, _ in rounds]),
        num_hops,
        hop_ms,
    )
    rpc = median_interval([1e3 * other for _, _, other in rounds])
    _print("torch.distributed.rpc", rpc, 2, rpc.value / 2)
    return hop_ms


def _print(name: str, trip: Interval, num_hops: int, hop_ms: float) -> None:
    told = f"{trip.value:.3f} [{trip.low:.3f}, {trip.high:.3f}]"
    print(f"{name:34} {told:>38} {num_hops:5} {hop_ms:11.3f}", flush=True)


def _seconds(call: Callable[[], object]) -> float:
    begin_s = time.perf_counter()
    call()
    return time.perf_counter() - begin_s


@torch.inference_mode()
def _compute(num_stages: int) -> Callable[[], object]:
    """The same model in this process."""
    architecture = _tiny(num_stages)
    stage = load_stage(
        architecture,
        Span(0, num_stages),
        tensor_shares(architecture, 1)[0],
        RandomWeights(architecture, 0),
        Alone(),
        Place(device=torch.device("cpu"), dtype=torch.float32),
    )
    tokens, layout = torch.tensor([1]), Layout(lengths=(1,))
    return lambda: stage.forward(tokens, layout, Want.NEXT_TOKENS)


def _tiny(num_layers: int) -> TransformerArchitecture:
    return TransformerArchitecture(
        family=Family.GPT2,
        num_layers=num_layers,
        hidden_size=8,
        num_heads=1,
        num_kv_heads=1,
        head_size=8,
        ffn_size=8,
        vocab_size=16,
        max_length=16,
        activation=Activation.GELU_TANH,
        norm_epsilon=1e-5,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
