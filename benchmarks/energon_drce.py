"""What no work on padding gains, as a share of what the fewer FLOPs allow, and against transformers.

CPU time of one thread: the same batch with its padding, packed, and padded in transformers (the same
weights), in turns. A gain is the median of the ratios of neighbouring turns. Then the same batches through
engines of two ranks in a network of their own: the bytes on the wire, packed over padded, must be the share
of tokens.

    python -m benchmarks.energon_drce [--quick]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.bars import judge
from benchmarks.energon_mixes import MIXES, flop_limit, repadded_limit, valid_fraction
from benchmarks.energon_models import Sizes, padded_batch, random_prompts, reference_model, write_checkpoint
from benchmarks.energon_wire import wire_bytes
from saih.domain.interval import Interval, median_interval
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.exchange import Alone
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_stage
from workloads.transformer.place import Place
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want

LIMIT_SHARE = 0.95
WIRE_TOLERANCE = 0.03
"""Headers of messages and of packets, and the answers, are on the wire too."""
FAMILIES = (Family.BERT, Family.GPT2)
ROUNDS, QUICK_ROUNDS = 15, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Of packing one batch: over our padded form, and over that of transformers."""

    name: str
    limit: float
    own: Interval
    peer: Interval


def main(arguments: Sequence[str]) -> int:
    """Print the tables and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    is_quick = parser.parse_args(arguments).quick
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="saih-energon-") as name:
        gains = _processor_times(Path(name), QUICK_ROUNDS if is_quick else ROUNDS)
        deviations = _wire(Path(name))
    met = [
        judge(f"bytes, {name}", deviation, "off the share of tokens", "<=", WIRE_TOLERANCE)
        for name, deviation in deviations.items()
    ]
    for gain in gains:
        met.append(
            judge(f"drce {gain.name}", gain.own.value / gain.limit, "of the FLOP limit", ">=", LIMIT_SHARE)
        )
        peer = gain.peer.value / gain.limit
        met.append(judge(f"drce against transformers, {gain.name}", peer, "of the limit", ">=", LIMIT_SHARE))
    return 0 if all(met) else 1


def _processor_times(folder: Path, num_rounds: int) -> list[Gain]:
    print(
        "CPU time of one thread, 2 layers of 768, fp32; gains [95 %] of packed rows\n"
        f"{'batch':22} {'tokens':>7} {'limit':>6} {'re-padded':>9} {'over own padded':>22} {'share':>6} "
        f"{'over transformers':>22} {'share':>6}"
    )
    gains = []
    for family in FAMILIES:
        sizes = Sizes(
            family=family,
            num_layers=2,
            hidden_size=768,
            num_heads=12,
            num_kv_heads=12,
            ffn_size=3072,
            vocab_size=1000,
            max_length=512,
        )
        path = write_checkpoint(sizes, folder / family)
        for mix, lengths in MIXES.items():
            gains.append(_gain(path, family, mix, lengths, num_rounds))
    return gains


@torch.inference_mode()
def _gain(path: Path, family: Family, mix: str, lengths: Sequence[int], num_rounds: int) -> Gain:
    architecture, weights = open_checkpoint(path)
    layers, share = Span(0, architecture.num_layers), tensor_shares(architecture, 1)[0]
    place = Place(device=torch.device("cpu"), dtype=torch.float32)
    stage = load_stage(architecture, layers, share, weights, Alone(), place)
    prompts = random_prompts(lengths, architecture.vocab_size)
    peer = reference_model(path, family, torch.float32).base_model
    tokens, mask = padded_batch(prompts)
    times = _in_turns(
        (
            _forward(
                stage, Layout(lengths=tuple(lengths)), torch.cat([torch.tensor(one) for one in prompts])
            ),
            _forward(stage, Layout(lengths=tuple(lengths), padded_to=max(lengths)), tokens.flatten()),
            lambda: peer(tokens, attention_mask=mask),
        ),
        num_rounds,
    )
    gain = Gain(
        name=f"{family} {mix}",
        limit=flop_limit(architecture, lengths),
        own=median_interval([padded / packed for packed, padded, _ in times]),
        peer=median_interval([other / packed for packed, _, other in times]),
    )
    _print(gain, architecture, lengths)
    return gain


def _forward(stage: Stage, layout: Layout, tokens: torch.Tensor) -> Callable[[], object]:
    return lambda: stage.forward(tokens, layout, Want.LAST_ROWS)


def _in_turns(ways: Sequence[Callable[[], object]], num_rounds: int) -> list[list[float]]:
    """Seconds of CPU time of each way, in each round after one to warm up."""
    rounds = []
    for _ in range(num_rounds + 1):
        durations = []
        for way in ways:
            begin_s = time.process_time()
            way()
            durations.append(time.process_time() - begin_s)
        rounds.append(durations)
    return rounds[1:]


def _print(gain: Gain, architecture: TransformerArchitecture, lengths: Sequence[int]) -> None:
    own, peer = (
        f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}] {one.value / gain.limit:7.1%}"
        for one in (gain.own, gain.peer)
    )
    print(
        f"{gain.name:22} {valid_fraction(lengths):7.1%} {gain.limit:6.2f} "
        f"{repadded_limit(architecture, lengths):9.2f} {own:>29} {peer:>29}",
        flush=True,
    )


def _wire(folder: Path) -> dict[str, float]:
    """How far the bytes on the wire of two ranks are from the share of tokens, counted by the kernel."""
    print(
        f"\n{'two gloo ranks':22} {'batch':12} {'tokens':>7} {'padded [MB]':>12} {'packed [MB]':>12} "
        f"{'ratio':>7}"
    )
    deviations = {}
    for name, tensor_parallel, pipeline_parallel in (("tensor parallel", 2, 1), ("pipeline", 1, 2)):
        for mix in ("half of 128", "one long"):
            found = wire_bytes(folder / Family.GPT2, MIXES[mix], tensor_parallel, pipeline_parallel)
            valid, ratio = valid_fraction(MIXES[mix]), found.packed / found.padded
            print(
                f"{name:22} {mix:12} {valid:7.1%} {found.padded / 1e6:12.2f} {found.packed / 1e6:12.2f} "
                f"{ratio:7.1%}",
                flush=True,
            )
            deviations[f"{name}, {mix}"] = abs(ratio / valid - 1)
    return deviations


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
