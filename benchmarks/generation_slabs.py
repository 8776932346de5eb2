"""One universe by 1, 2 and 4 ranks: the same bits, in less time and memory; and universes in parallel.

Ranks are processes of one thread on this machine, joined by gloo. A speed-up is the median of the ratios of
one rank over two in the same turn. Memory is the peak of a rank over what it held before it began, by the
kernel, of the rank that took most; the formula is that by which generation chooses how many ranks share a
universe.

    python -m benchmarks.generation_slabs [--quick]
"""

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.anonymous_memory import status_bytes
from benchmarks.bars import judge
from benchmarks.forked_ranks import on_ranks
from cosmology.slabs.crew import Crew
from cosmology.slabs.making import Leader, follow
from cosmology.slabs.memory import rank_memory_bytes
from cosmology.universe import make_universe
from cosmology.universe_definition import UniverseDefinition
from saih.domain.interval import Interval, median, median_interval

SIZES = (1, 2, 4)
SIDE = 128
"""Fields of this size are given back to the system when they are done with; smaller ones are not."""
NUM_STEPS, QUICK_NUM_STEPS = 10, 4
TURNS, QUICK_TURNS = 7, 2
LEAST_SPEED_UP_TOGETHER = 1.3
"""What the ranks send each other is copied on the same two cores."""
LEAST_SPEED_UP_APART = 1.5
MOST_MEMORY_SHARE = {2: 0.6, 4: 0.4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What one rank says of a universe."""

    duration_s: float
    processor_s: float
    peak_bytes: int
    digest: str
    """Of all counts, on the rank that has them."""


def main(arguments: Sequence[str]) -> int:
    """Print the tables and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps, fewer turns")
    is_quick = parser.parse_args(arguments).quick
    definition = UniverseDefinition(
        seed=0, side=SIDE, num_steps=QUICK_NUM_STEPS if is_quick else NUM_STEPS, force_mesh_factor=2
    )
    with tempfile.TemporaryDirectory(prefix="saih-slabs-") as name:
        turns = [
            _turn(definition, Path(name) / f"{number}")
            for number in range(QUICK_TURNS if is_quick else TURNS)
        ]
    _print_table(definition, turns)
    return 0 if all((*_speed_bars(turns), *_memory_bars(definition, turns))) else 1


Turn = dict[str, list[Made]]
"""What the ranks of each case say."""


def _turn(definition: UniverseDefinition, folder: Path) -> Turn:
    alone = {"alone": on_ranks(1, folder / "alone", undivided, definition)}
    slabs = {f"{size}": on_ranks(size, folder / f"{size}", divided, definition) for size in SIZES}
    return {**alone, **slabs, "parallel": on_ranks(2, folder / "parallel", undivided, definition)}


def undivided(crew: Crew, definition: UniverseDefinition) -> Made:
    """A universe of each rank's own, by the solver of one rank."""
    begin = _Begin(status_bytes("VmRSS"), time.perf_counter(), time.process_time())
    counts = make_universe(definition, 0).counts
    return _made(begin, hashlib.sha256(counts.tobytes()).hexdigest())


def divided(crew: Crew, definition: UniverseDefinition) -> Made:
    """One universe by all ranks of the crew."""
    begin = _Begin(status_bytes("VmRSS"), time.perf_counter(), time.process_time())
    digest = hashlib.sha256()
    if crew.rank > 0:
        follow(crew, definition, _silent)
        return _made(begin, "")
    blocks: dict[int, list[bytes]] = {}
    with Leader(crew, definition, _silent) as leader:
        for channel, block in leader.make(0):
            blocks.setdefault(channel, []).append(block.tobytes())
    for channel in sorted(blocks):
        for block_bytes in blocks[channel]:
            digest.update(block_bytes)
    return _made(begin, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class _Begin:
    resident_bytes: int
    moment_s: float
    processor_s: float


def _made(begin: _Begin, digest: str) -> Made:
    return Made(
        duration_s=time.perf_counter() - begin.moment_s,
        processor_s=time.process_time() - begin.processor_s,
        peak_bytes=status_bytes("VmHWM") - begin.resident_bytes,
        digest=digest,
    )


def _silent(_: str) -> None:
    """Progress for nobody."""


_WORDS = {
    "alone": "one rank",
    "1": "slabs of 1 rank",
    "2": "slabs of 2 ranks",
    "4": "slabs of 4 ranks",
    "parallel": "2 universes, one a rank",
}


def _print_table(definition: UniverseDefinition, turns: list[Turn]) -> None:
    steps = definition.side**3 * definition.num_steps
    print(
        f"{definition.side}^3 particles, force mesh {definition.side * definition.force_mesh_factor}^3, "
        f"{definition.num_steps} steps, 4 redshifts; {len(turns)} turns, the fastest of each"
    )
    print(
        f"{'case':<25}{'s':>7}{'cores s':>9}{'M particle-steps/s':>20}{'MB a rank':>11}{'formula':>9}"
        "  SHA-256 of the counts"
    )
    for case, words in _WORDS.items():
        seconds = min(_duration_s(turn[case]) for turn in turns)
        cores_s = min(sum(made.processor_s for made in turn[case]) for turn in turns)
        rate = (2 if case == "parallel" else 1) * steps / seconds / 1e6
        print(
            f"{words:<25}{seconds:7.2f}{cores_s:9.2f}{rate:20.2f}{_peak_bytes(turns, case) / 1e6:11.0f}"
            f"{_formula_bytes(definition, case) / 1e6:9.0f}  {turns[0][case][0].digest[:16]}"
        )


def _speed_bars(turns: list[Turn]) -> list[bool]:
    digests = {made.digest for turn in turns for case in turn for made in turn[case] if made.digest}
    together, apart = _speed_up(turns, "2", 1), _speed_up(turns, "parallel", 2)
    print(f"speed-up of 2 ranks on one universe {_words(together)}; on a universe each {_words(apart)}")
    return [
        judge("different universes of 1, 2 and 4 ranks", len(digests) - 1, "", "<=", 0),
        judge("speed-up of 2 ranks on one universe", together.value, "x", ">=", LEAST_SPEED_UP_TOGETHER),
        judge("speed-up of 2 ranks on a universe each", apart.value, "x", ">=", LEAST_SPEED_UP_APART),
    ]


def _memory_bars(definition: UniverseDefinition, turns: list[Turn]) -> list[bool]:
    found = []
    for size, most in MOST_MEMORY_SHARE.items():
        # Of usual turns: what the libraries keep differs by a quarter from turn to turn; the worst is below.
        share = median([_peak_bytes([turn], f"{size}") / _peak_bytes([turn], "alone") for turn in turns])
        found.append(judge(f"memory of a rank of {size} over that of one", share, "x", "<=", most))
    used = ("alone", "2", "4", "parallel")  # one rank does without slabs
    worst = max(_peak_bytes(turns, case) / _formula_bytes(definition, case) for case in used)
    return [*found, judge("memory over the formula at worst", worst, "x", "<=", 1.0)]


def _speed_up(turns: list[Turn], case: str, num_universes: int) -> Interval:
    return median_interval(
        [num_universes * _duration_s(turn["alone"]) / _duration_s(turn[case]) for turn in turns]
    )


def _words(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _duration_s(ranks: list[Made]) -> float:
    return max(made.duration_s for made in ranks)


def _peak_bytes(turns: list[Turn], case: str) -> int:
    return max(made.peak_bytes for turn in turns for made in turn[case])


def _formula_bytes(definition: UniverseDefinition, case: str) -> int:
    return rank_memory_bytes(definition, int(case) if case.isdigit() else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
