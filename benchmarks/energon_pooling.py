"""Layers parked beside the device: what a pass takes against the slower of computing and copying.

    python -m benchmarks.energon_pooling [--quick] [--device cuda:0]

The model is twice its budget; the budget holds the resident layers, the buffers and the ends. In each round
a pass with everything resident, all fetches of a pass alone, and parked passes that begin with nothing
fetched follow each other; a figure is the least of all rounds. "paced": on a CPU layers come from a file,
which the page cache makes faster than any computing, so each fetch reads its real bytes and then pauses
until a link of the rate given would have brought them; and layers pause for their time in place of
computing, which other processes would slow down unevenly. Two tables compute in earnest. Then the same
model in a process that the kernel allows no more memory than the budget, from the disk; and the same
weights in accelerate, over the same link, in turns with ours. On a GPU nothing is paced: layers come from
pinned memory of the host.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.bars import judge
from benchmarks.energon_pooling_limit import limited_run
from benchmarks.energon_pooling_model import Model, gpt2
from benchmarks.energon_pooling_peer import against_accelerate
from benchmarks.energon_pooling_rig import Rig, RigGarage, Work, least
from workloads.energon.parking_plan import LayerTimes, pass_times_ns, plan_parking
from workloads.transformer.random_weights import RandomWeights

OF_BOUND = 0.93
DISTANCES = (0, 1, 2, 3)
SEED = 7
PACED_LAYER_S = 0.05
"""About what a core that others use too takes for a layer here; threads need some 0.1 ms to wake up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Sizes of a GPT-2, tokens of its one sequence, rounds, and copying over computing of each link."""

    sizes: dict[str, int]
    num_tokens: int
    num_rounds: int
    num_passes: int
    links: tuple[float, ...]


def main(arguments: Sequence[str]) -> int:
    """Print the tables and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds and links")
    parser.add_argument("--device", default="cpu", help="where to compute (default: cpu)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    device = torch.device(options.device)
    size = _size(device, is_quick=options.quick)
    with tempfile.TemporaryDirectory(prefix="saih-pooling-") as name:
        met = _depths(size, device, Path(name))
        if device.type == "cpu":
            met += limited_run(size.sizes, _tokens(size), SEED, Path(name))
            met += against_accelerate(size.sizes, _tokens(size), size.num_rounds, Path(name))
    return 0 if all(met) else 1


def _size(device: torch.device, *, is_quick: bool) -> Size:
    if device.type == "cpu":
        sizes = {"num_layers": 16, "hidden_size": 768, "vocab_size": 1000, "max_length": 256}
        heads, num_tokens = 12, 128
    else:  # 12 GB of bfloat16, and enough tokens to hide a part of its copies
        sizes = {"num_layers": 30, "hidden_size": 4096, "vocab_size": 1000, "max_length": 16384}
        heads, num_tokens = 32, 16384
    more = {"num_heads": heads, "num_kv_heads": heads, "ffn_size": 4 * sizes["hidden_size"]}
    return Size(
        sizes=sizes | more,
        num_tokens=num_tokens,
        num_rounds=2 if is_quick else 3,
        num_passes=3 if is_quick else 4,
        links=(1.0,) if is_quick else (0.7, 1.0, 1.4),
    )


def _tokens(size: Size) -> list[int]:
    generator = torch.Generator().manual_seed(SEED)
    return torch.randint(0, size.sizes["vocab_size"], (size.num_tokens,), generator=generator).tolist()


def _depths(size: Size, device: torch.device, folder: Path) -> list[bool]:
    """A table of distances for each link; the planned distance is judged."""
    architecture = gpt2(size.sizes)
    rig = Rig(Model(architecture, RandomWeights(architecture, SEED), device, _tokens(size)), folder)
    budget_bytes = rig.model_bytes // 2
    print(
        f"model of {rig.model_bytes / 1e6:.0f} MB, budget {budget_bytes / 1e6:.0f} MB, {size.num_tokens} "
        f"tokens; seconds of a pass, of {size.num_passes} with the first fill, and of the first by itself"
    )
    with contextlib.ExitStack() as stack:
        garages = [stack.enter_context(rig.garage(budget_bytes, distance)) for distance in DISTANCES]
        differing = [garage.distance for garage in garages if not garage.is_exact()]
        met = [judge("pooling distances with other numbers than resident", len(differing), "", "<=", 0)]
        if device.type == "cuda":
            return [*met, _judged("pinned memory", _table(rig, garages, rig.model.forward, size))]
        paced_s = PACED_LAYER_S * len(rig.layers)
        for link in size.links:
            rate = _pace(garages, rig, link * paced_s)
            name = f"paced, {rate / 1e6:.0f} MB/s, copy/compute {link:g}"
            print(f"\n{name}")
            met.append(_judged(name, _table(rig, garages, rig.paced(paced_s), size)))
        compute_s = min(garages[0].compute_s(rig.model.forward) for _ in range(5))
        rate = _pace(garages, rig, compute_s)
        print(f"\ncomputing in earnest, copies paced at {rate / 1e6:.0f} MB/s (least of all rounds)")
        _table(rig, garages, rig.model.forward, size)
        _pace(garages, rig, 0.0)
        print("\ncomputing in earnest, copies as fast as the page cache gives them (least of all rounds)")
        _table(rig, garages, rig.model.forward, size)
    return met


def _judged(name: str, of_bound: float) -> bool:
    return judge(f"pooling {name}", of_bound, "of max(compute, copy)", ">=", OF_BOUND)


def _pace(garages: Sequence[RigGarage], rig: Rig, copy_s: float) -> float:
    """A link for all distances [bytes/s]: at distance 1 a pass copies for so long; 0 is no pause."""
    copied_bytes = garages[1].num_parked * rig.bytes.layer_bytes
    rate = copied_bytes / copy_s if copy_s else float("inf")
    for garage in garages:
        garage.pace(rate)
    return rate


def _table(rig: Rig, garages: Sequence[RigGarage], work: Work, size: Size) -> float:
    """Print a line for each distance; gives the share of the bound at the planned one."""
    rounds = [[garage.round(work, size.num_passes) for garage in garages] for _ in range(size.num_rounds)]
    columns = [least(column) for column in zip(*rounds, strict=True)]
    times = LayerTimes(
        compute_ns=min(column.compute_s for column in columns) * 1e9 / rig.bytes.num_layers,
        copy_ns=columns[1].copy_s * 1e9 / garages[1].num_parked,
    )
    planned = plan_parking(rig.model_bytes // 2, rig.bytes, times)
    print(
        f"{'distance':>8} {'parked':>7} {'compute':>8} {'copy':>7} {'sum':>7} {'pass':>7} {'predicted':>9} "
        f"{'first':>7} {'of bound':>8}"
    )
    for garage, column in zip(garages, columns, strict=True):
        predicted_ns = pass_times_ns(rig.bytes.num_layers, garage.num_parked, times, garage.distance)[1]
        print(
            f"{garage.distance:8} {garage.num_parked:7} {column.compute_s:8.3f} {column.copy_s:7.3f} "
            f"{column.compute_s + column.copy_s:7.3f} {column.parked_s:7.3f} {predicted_ns / 1e9:9.3f} "
            f"{column.first_s:7.3f} {column.of_bound:8.3f}"
        )
    print(f"planned distance: {planned.distance}")
    return columns[planned.distance].of_bound


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
