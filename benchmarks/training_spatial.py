"""Samples that ranks share: memory of a rank, what it sends, how long a step takes, and whether it is right.

Ranks are processes of one thread on this machine, joined by gloo; each holds a slab of the sample. Memory is
the peak of all tensors that torch makes in a step, less the gradients of weights, which every rank has whole:
what the network holds of samples. Bytes are counted as they are sent. Steps average gradients by
DistributedDataParallel. Deviations are the largest of outputs, loss and gradients from those of one rank that
has all, in float64.

    python -m benchmarks.training_spatial [--quick]
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import judge
from benchmarks.forked_ranks import on_ranks
from benchmarks.training_spatial_ranks import BATCH, WIDTH, Trained, deviation, member, peak_bytes, trained
from cosmology.architecture import Architecture
from cosmology.division import SampleDivision
from saih.domain.interval import Interval, median, median_interval
from workloads.cosmoflow.exchanges import step_exchanges
from workloads.cosmoflow.memory import FLOAT_BYTES, StepMemory
from workloads.precision import Precision

SIZES = (1, 2, 4)
RESOLUTION, QUICK_RESOLUTION = 128, 64
STEPS, QUICK_STEPS = 4, 6
TURNS, QUICK_TURNS = 5, 3
LEAST_SPEED_UP = 1.5
MOST_MEMORY = 1.15
_NUM_BATCHES = 2
"""On a device: in work, and ahead."""
_STATES_BYTES = 3 * FLOAT_BYTES
"""Of each parameter: weight, gradient and momentum."""


def main(arguments: Sequence[str]) -> int:
    """Print the tables and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller sample, fewer turns")
    is_quick = parser.parse_args(arguments).quick
    architecture = member(QUICK_RESOLUTION if is_quick else RESOLUTION)
    num_steps = QUICK_STEPS if is_quick else STEPS
    with tempfile.TemporaryDirectory(prefix="saih-spatial-") as name:
        folder = Path(name)
        turns = [
            {
                size: on_ranks(size, folder / f"{turn}-{size}", trained, architecture, num_steps)
                for size in SIZES
            }
            for turn in range(QUICK_TURNS if is_quick else TURNS)
        ]
        peaks = {
            size: max(on_ranks(size, folder / f"peak-{size}", peak_bytes, architecture)) for size in SIZES
        }
        exact = {size: on_ranks(size, folder / f"exact-{size}", deviation) for size in SIZES[1:]}
    _print_table(architecture, turns, peaks)
    return 0 if all((*_memory_bars(architecture, peaks), *_bars(architecture, turns, exact))) else 1


Turn = dict[int, list[Trained]]
"""What the ranks say, for each number of them."""


def _print_table(architecture: Architecture, turns: list[Turn], peaks: dict[int, int]) -> None:
    print(
        f"{architecture.resolution}^3 x {architecture.channels}, width {WIDTH}, batch {BATCH}, float32, one "
        f"thread a rank, {len(turns)} turns; {architecture.num_parameters / 1e6:.1f} M parameters"
    )
    print(
        f"{'ranks':>5}{'ms a step':>11}{'speed-up':>22}{'waiting ms':>12}{'work of all':>13}{'MB a rank':>11}"
        f"{'formula':>9}{'kB sent':>9}{'formula':>9}"
    )
    for size in SIZES:
        speed = _speed_up(turns, size)
        seconds = median([max(rank.step_s for rank in turn[size]) for turn in turns])
        wait_s = median([max(rank.wait_s for rank in turn[size]) for turn in turns])
        held = _sample_bytes(architecture, peaks, size)
        planned = _formula_bytes(architecture, size)
        print(
            f"{size:5d}{1e3 * seconds:11.1f}{_words(speed):>22}{1e3 * wait_s:12.1f}"
            f"{1e3 * _work_s(turns, size):13.1f}{held / 1e6:11.1f}{planned / 1e6:9.1f}"
            f"{_sent_bytes(turns, size) / 1e3:9.0f}{_due_bytes(architecture, size) / 1e3:9.0f}"
        )


def _memory_bars(architecture: Architecture, peaks: dict[int, int]) -> list[bool]:
    one = _sample_bytes(architecture, peaks, 1)
    return [
        judge(
            f"memory of a rank of {size} over 1/{size} of one's",
            size * _sample_bytes(architecture, peaks, size) / one,
            "x",
            "<=",
            MOST_MEMORY,
        )
        for size in SIZES[1:]
    ]


def _bars(architecture: Architecture, turns: list[Turn], exact: dict[int, list[Any]]) -> list[bool]:
    off_bytes = max(
        abs(_sent_bytes(turns, size) / _due_bytes(architecture, size) - 1) for size in SIZES if size > 1
    )
    found = [
        judge(f"deviation of {size} ranks from one, x 1e-10", _worst(ranks) / 1e-10, "", "<=", 1)
        for size, ranks in exact.items()
    ]
    return [
        *found,
        judge("bytes sent off the formula", 100 * off_bytes, "%", "<=", 0.1),
        judge(
            "speed-up of 2 ranks of one thread on one sample",
            _speed_up(turns, 2).value,
            "x",
            ">=",
            LEAST_SPEED_UP,
        ),
    ]


def _worst(ranks: list[Any]) -> float:
    """The largest deviation; no number where a rank raised."""
    return max(ranks) if all(isinstance(one, float) for one in ranks) else float("nan")


def _speed_up(turns: list[Turn], size: int) -> Interval:
    return median_interval(
        [max(one.step_s for one in turn[1]) / max(one.step_s for one in turn[size]) for turn in turns]
    )


def _work_s(turns: list[Turn], size: int) -> float:
    """Of one step, by all ranks."""
    return median([sum(rank.work_s for rank in turn[size]) for turn in turns])


def _sample_bytes(architecture: Architecture, peaks: dict[int, int], size: int) -> float:
    """The peak without what every rank has whole."""
    return peaks[size] - FLOAT_BYTES * architecture.num_parameters


def _formula_bytes(architecture: Architecture, size: int) -> float:
    """As planning says it, less the same, and less batches in work and ahead, which are made before."""
    division = SampleDivision(architecture=architecture, num_ranks=size)
    memory = StepMemory(division=division, batch=BATCH, precision=Precision.FLOAT32)
    batch_bytes = FLOAT_BYTES * BATCH * architecture.channels * architecture.resolution**3 // size
    states_bytes = _STATES_BYTES * architecture.num_parameters
    return memory.peak_bytes - memory.host_bytes - _NUM_BATCHES * batch_bytes - states_bytes


def _sent_bytes(turns: list[Turn], size: int) -> float:
    """Of the mean rank."""
    return sum(rank.sent_bytes for rank in turns[0][size]) / size


def _due_bytes(architecture: Architecture, size: int) -> int:
    division = SampleDivision(architecture=architecture, num_ranks=size)
    return step_exchanges(division, BATCH, Precision.FLOAT32).num_bytes


def _words(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
