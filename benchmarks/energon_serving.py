"""How many tokens a server of energon gives, and how long clients wait for them.

``python -m benchmarks.energon_serving [--quick] [--url http://HOST:PORT]``. Starts
``python -m workloads.energon.serve`` with a random GPT-2 of 124 million weights (quick: of 7 million), or
asks a server that runs. First closed loops: some clients that each ask for the next as soon as they have
their answer. Then Poisson arrivals, at half and at 0.8 of the requests per second of the busiest closed loop.
Lengths are those of ``benchmarks.energon_serving_load``. At last transformers generates as many tokens for
the same prompts with the same weights, in padded batches.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

import httpx
import numpy as np

from benchmarks.bars import judge
from benchmarks.energon_serving_load import ALPACA, LoadResult, closed_loop, poisson
from benchmarks.energon_serving_peer import PaddedBatches, wasted_by_padding

_MOST_CLIENTS = 16
_START_S = 300.0
_SEED = 1
_TURNS = 3


def main(arguments: Sequence[str]) -> int:
    """Print a table and bars; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller model and fewer requests")
    parser.add_argument("--url", help="of a server that runs already")
    parser.add_argument("--vocab-size", type=int, default=50257, help="of the model of that server")
    parser.add_argument("--tensor-parallel", default="1", help="of a server that is started")
    parser.add_argument("--pipeline-parallel", default="1")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="of each rank, and of transformers"
    )
    options = parser.parse_args(arguments)
    if options.url:
        return _measure(options.url, options.vocab_size, None, is_quick=options.quick)
    words = [
        f"--tensor-parallel={options.tensor_parallel}",
        f"--pipeline-parallel={options.pipeline_parallel}",
        f"--threads-per-rank={options.threads}",
    ]
    with TemporaryDirectory() as folder:
        peer = PaddedBatches(Path(folder), options.threads, is_small=options.quick)
        with _server([f"--model={folder}", *words]) as url:
            return _measure(url, peer.vocab_size, peer, is_quick=options.quick)


def _measure(url: str, vocab_size: int, peer: PaddedBatches | None, *, is_quick: bool) -> int:
    count = 24 if is_quick else 96
    mix = replace(ALPACA, longest=64) if is_quick else ALPACA
    asked = mix.draw(count, vocab_size, _SEED)
    asyncio.run(closed_loop(url, asked[:2], 1))  # not measured: first passes take memory
    print(f"{count} requests: {sum(len(one.prompt) for one in asked)} tokens of prompts, ", end="")
    print(f"{sum(one.max_new_tokens for one in asked)} to generate; times [ms] p50 / p90 / p99")
    print(
        f"{'load':22s} {'tokens/s':>9s} {'requests/s':>10s} {'first':>22s} {'each next':>22s} {'last':>22s}"
    )
    loads = []
    gains, overs = [], []
    for _ in range(_TURNS):  # in turns, because other programs come and go
        alone = _shown("1 client", asyncio.run(closed_loop(url, asked[: count // 4], 1)))
        many = _shown(f"{_MOST_CLIENTS} clients", asyncio.run(closed_loop(url, asked, _MOST_CLIENTS)))
        loads += [alone, many]
        gains.append(many.tokens_per_s / alone.tokens_per_s)
        if peer is not None:
            padded_per_s = peer.tokens_per_s(asked, _MOST_CLIENTS)
            print(f"{'transformers':22s} {padded_per_s:9.1f}   padded batches of {_MOST_CLIENTS}", flush=True)
            overs.append(many.tokens_per_s / padded_per_s)
    rate_per_s = statistics.median(len(load.seen) / load.duration_s for load in loads[1::2])
    for share in (0.5, 0.8):
        load = asyncio.run(poisson(url, asked, share * rate_per_s, _SEED))
        loads.append(_shown(f"Poisson {share * rate_per_s:.2f}/s", load))
    return _judged(loads, gains, overs, wasted_by_padding(asked, _MOST_CLIENTS))


def _judged(loads: Sequence[LoadResult], gains: Sequence[float], overs: Sequence[float], limit: float) -> int:
    num_asked = sum(len(load.seen) for load in loads)
    num_good = sum(seen.is_good for load in loads for seen in load.seen)
    gain = statistics.median(gains)
    passed = [
        judge("requests answered whole", num_good / num_asked, "of all", ">=", 1.0),
        judge(f"tokens/s of {_MOST_CLIENTS} clients over 1, median of turns", gain, "x", ">=", 2.0),
    ]
    if overs:
        print(f"padded batches make {limit:.2f} times the tokens asked for: so much is to gain, where passes")
        print("of both take as long and nothing but that differs")
        over = statistics.median(overs)
        passed.append(judge("tokens/s over transformers in padded batches", over, "x", ">=", 1.2))
    return 0 if all(passed) else 1


def _shown(name: str, load: LoadResult) -> LoadResult:
    good = [seen for seen in load.seen if seen.is_good]
    columns = [
        _percentiles([seen.first_token_s for seen in good]),
        _percentiles([seen.per_token_s for seen in good if seen.num_tokens > 1]),
        _percentiles([seen.last_token_s for seen in good]),
    ]
    rates = f"{load.tokens_per_s:9.1f} {len(good) / load.duration_s:10.2f}"
    print(f"{name:22s} {rates} " + " ".join(f"{column:>22s}" for column in columns), flush=True)
    return load


def _percentiles(times_s: Sequence[float]) -> str:
    if not times_s:
        return "none"
    return " / ".join(f"{1e3 * np.percentile(times_s, share):.1f}" for share in (50, 90, 99))


@contextmanager
def _server(words: Sequence[str]) -> Iterator[str]:
    """The address of a server on a free port, once it answers."""
    command = [sys.executable, "-m", "workloads.energon.serve", "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    found = re.search(r"http://\S+", process.stdout.readline() if process.stdout else "")
    if found is None:
        raise SystemExit("the server did not start; what it said is above.")
    deadline_s = perf_counter() + _START_S
    while perf_counter() < deadline_s and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{found.group()}/health").status_code == 200:
                return found.group()
        sleep(0.1)
    raise SystemExit("the server does not answer; what it said is above.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
