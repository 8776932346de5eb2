"""The training step against a plain loop, and against what the convolutions alone reach.

Four contestants train the same layers in turns, each in a process of its own: the plain loop as ``python
loop.py`` starts it, the same with the allocator settings of SAIH's ranks, the reference execution, and
the tuned one, whose settings are searched beforehand (``saih tune``). A fifth does nothing but the
convolutions of the same step, each in its faster layout and the number format of the tuned execution:
their rate is the ceiling of that list of shapes. Ratios are taken turn by turn; intervals are of their
medians. What is judged by a few percent gets turns of two alone: the tuned step beside the convolutions, and
the reference beside the plain loop, these in one process: which pages of memory a process happens to get
makes the same loop up to a tenth faster or slower, run after run.

What the harness adds to a step is measured by ``python -m benchmarks.overhead``.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from benchmarks.bars import judge
from benchmarks.convolution_list import Best, best_of, ceiling_flops_per_s, works_of
from benchmarks.training_contest import (
    Member,
    convolutions,
    own_threads,
    plain_and_session,
    plain_loop,
    session,
)
from benchmarks.tuned_execution import QUICK_SEARCH_S, SEARCH_S, found_execution
from benchmarks.turn_takers import TurnTaker, all_ready
from benchmarks.turns_of_two import TURN_S, quotient, steps_of
from saih.domain.interval import Interval, median, median_interval
from saih.domain.point import Device
from workloads.execution import REFERENCE, Execution

AS_STARTED, PLAIN, OURS, TUNED = "plain loop", "plain loop, allocator of ranks", "reference", "tuned"
SIZES = ((32, 32, 4), (64, 32, 4), (64, 64, 4), (128, 32, 2))
QUICK_SIZES = ((64, 32, 4),)
"""Resolution [voxels], width and batch."""
JUDGED = (64, 32)
WIDE = 64
"""From this width on the share of the convolutions' rate is judged."""
ROUNDS, QUICK_ROUNDS = 15, 5
LONGEST_S = 90.0
"""Of the turns at one size, where steps are long."""
PAIRS_S, QUICK_PAIRS_S = 150.0, 40.0
"""At most, of turns of two contestants alone: what they differ by is small."""
_CONVOLUTIONS_EVERY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What was found at one size."""

    member: Member
    execution: Execution
    """The tuned one."""
    steps_s: Mapping[str, Sequence[float]]
    """Seconds of a step, turn by turn, of each contestant."""
    best: tuple[Best, ...]
    reference_over_plain: Interval
    """Step over step, of turns of these two alone in one process."""
    share_of_convolutions: Interval
    """Rate of the tuned step over the ceiling of its list of shapes, of turns of these two alone."""

    def ratio(self, slow: str, fast: str) -> Interval:
        """Step of one over step of the other."""
        pairs = zip(self.steps_s[slow], self.steps_s[fast], strict=True)
        return median_interval([one / other for one, other in pairs])

    @property
    def flops(self) -> float:
        """Of the convolutions of one step."""
        return sum(one.work.flops for one in self.best)


def main(arguments: Sequence[str]) -> int:
    """Print a table for each size, and the bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one size, fewer turns")
    options = parser.parse_args(arguments)
    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    num_rounds = QUICK_ROUNDS if options.quick else ROUNDS
    met = []
    for resolution, width, batch in QUICK_SIZES if options.quick else SIZES:
        member = Member(resolution=resolution, width=width, batch=batch, threads=own_threads(), device=device)
        limits_s = (QUICK_SEARCH_S, QUICK_PAIRS_S) if options.quick else (SEARCH_S, PAIRS_S)
        contest = compete(member, num_rounds, *limits_s)
        show(contest)
        met += judged(contest)
    return 0 if all(met) else 1


def compete(member: Member, num_rounds: int, search_s: float, pairs_s: float) -> Contest:
    """All contestants at one size, in turns; the one that begins changes from round to round."""
    tuned = found_execution(member, search_s)
    makers = (
        partial(plain_loop, member, name=AS_STARTED, as_started=True),
        partial(plain_loop, member, name=PLAIN),
        partial(session, OURS, member, REFERENCE),
        partial(session, TUNED, member, tuned),
        partial(convolutions, member, tuned.precision),
    )
    with all_ready(make() for make in makers) as (*takers, bare):
        steps_s, turns = _turns(takers, bare, num_rounds)
        works = works_of(member.architecture, member.batch)
        best = best_of(works, turns)
        places = [works.index(one.work) for one in best]
        share_s = pairs_s if member.width >= WIDE else min(pairs_s, QUICK_PAIRS_S)
        share = quotient(partial(_convolving, bare, places), steps_of(takers[-1]), share_s)
    with all_ready([plain_and_session(member, REFERENCE)]) as (both,):
        excess = quotient(steps_of(both, -1), steps_of(both), pairs_s)
    return Contest(
        member=member,
        execution=tuned,
        steps_s=steps_s,
        best=best,
        reference_over_plain=excess,
        share_of_convolutions=share,
    )


def _convolving(bare: TurnTaker, places: Sequence[int]) -> float:
    """One turn of all convolutions; seconds of those in these places of its answer."""
    seconds = bare.turn()
    return sum(float(seconds[place]) for place in places)


def _turns(
    takers: Sequence[TurnTaker], bare: TurnTaker, num_rounds: int
) -> tuple[dict[str, list[float]], list[list[float]]]:
    firsts = [float(taker.turn()) for taker in takers]
    num_steps = [max(1, round(TURN_S / first)) for first in firsts]
    round_s = sum(number * first for number, first in zip(num_steps, firsts, strict=True))
    steps_s: dict[str, list[float]] = {taker.name: [] for taker in takers}
    turns: list[list[float]] = []
    for number in range(max(3, min(num_rounds, int(LONGEST_S / round_s)))):
        order = [(place + number) % len(takers) for place in range(len(takers))]
        for place in order:
            steps_s[takers[place].name].append(float(takers[place].turn(str(num_steps[place]))))
        if number % _CONVOLUTIONS_EVERY == 0:
            turns.append(bare.turn())
    return steps_s, turns


def show(contest: Contest) -> None:
    """Print what was found at one size."""
    print(f"\n{contest.member.name}, {contest.member.threads} threads ({contest.member.device})")
    print(f"  tuned: {contest.execution.words or 'as plain'}, {contest.execution.precision}")
    for name, seconds in contest.steps_s.items():
        step_s = median(seconds)
        rate = contest.flops / step_s / 1e9
        gain = contest.ratio(PLAIN, name)
        print(
            f"  {name:<34} {1e3 * step_s:>9.1f} ms {contest.member.batch / step_s:>9.2f} samples/s "
            f"{rate:>8.1f} GFLOP/s {words(gain):>22} x"
        )
    ceiling = ceiling_flops_per_s(contest.best) / 1e9
    print(f"  {'convolutions alone':<34} {'':>23} {'':>9} {ceiling:>8.1f} GFLOP/s")
    for one in contest.best:
        layer = one.work.layer
        shape = f"{layer.side}^3, {layer.in_channels} to {layer.out_channels}, {one.work.direction}"
        rate = one.work.flops / one.duration_s / 1e9
        print(f"    {shape:<32} {1e3 * one.duration_s:>9.1f} ms {rate:>8.1f} GFLOP/s  {one.work.layout}")


def judged(contest: Contest) -> list[bool]:
    """Print the bars that this size decides."""
    member, met = contest.member, []
    if (member.resolution, member.width) == JUDGED:
        met.append(
            judge(
                f"tuned over plain loop, {member.name}", contest.ratio(PLAIN, TUNED).value, "times", ">=", 3
            )
        )
    known = contest.reference_over_plain
    print(f"  reference over plain loop, {known.count} pairs of turns: {words(known)}")
    met.append(judge(f"reference over plain loop, {member.name}", 100 * (known.value - 1), "%", "<=", 2))
    share = contest.share_of_convolutions
    print(f"  tuned, of the convolutions' rate, {share.count} pairs of turns: {words(share)}")
    if member.width >= WIDE:
        met.append(
            judge(f"tuned, of the convolutions' rate, {member.name}", 100 * share.value, "%", ">=", 70)
        )
    return met


def words(interval: Interval) -> str:
    """Such as ``2.41 [2.38, 2.45]``."""
    return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
