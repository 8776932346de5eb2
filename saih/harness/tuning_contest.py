"""Two executions against each other: windows of steps in turns until it is known which is faster."""

from saih.domain.interval import Interval, median
from saih.domain.point import Point
from saih.harness.tuning_bench import Bench
from saih.harness.tuning_decision import FEWEST_PAIRS, Pair, Shape, gain_of, shape_of, verdict_of
from workloads.execution import Execution
from workloads.tuning import NUM_COMPARED_LOSSES

_YARDSTICK_PAIRS, _LONG_YARDSTICK_PAIRS = 6, 3
_ONE_STEP = Shape(num_settling=0, num_timed=1)
_LONG_STEP_SHARE = 1 / 40
"""Of the budget: steps that take longer are not repeated to warm up, and one pair of them may decide."""
_CANDIDATE_SHARE = 0.2
"""Of the budget: longer than this no candidate is timed, once it has its fewest pairs."""


class Contest:
    """Times executions of one point on a bench, within a budget; the same on all ranks."""

    def __init__(self, bench: Bench, point: Point, budget_s: float) -> None:
        self._bench = bench
        self._budget_s = budget_s
        self._num_warmup = max(point.timing.warmup_steps, NUM_COMPARED_LOSSES)

    @property
    def is_spent(self) -> bool:
        """Whether the budget is; all ranks ask it together."""
        return self._bench.elapsed_s() >= self._budget_s

    def warm_up(self, execution: Execution) -> float:
        """Prepare an execution; gives about what its step takes [ns]. Long steps are not repeated.

        Raises:
            TrialFailed: when it cannot be prepared or stepped.
        """
        window = self._bench.window(execution, _ONE_STEP)
        if not self._is_long(window.step_ns):
            self._bench.num_warmup = self._num_warmup
            window = self._bench.window(execution, Shape(num_settling=self._num_warmup - 2, num_timed=1))
        return window.step_ns

    def gain(self, best: Execution, candidate: Execution, longest_ns: float) -> tuple[Interval, float]:
        """How many times as fast the candidate is, as soon as that is known, and its step [ns].

        Windows follow the longer of both steps by then, ``longest_ns`` at first.

        Raises:
            TrialFailed: when one of them cannot be stepped any more.
        """
        begin_s = self._bench.elapsed_s()
        pairs: list[Pair] = []
        while True:
            shape = shape_of(max(pairs[-1]) if pairs else longest_ns, self._budget_s)
            pairs.append(self._pair(best, candidate, shape, is_swapped=len(pairs) % 2 == 1))
            # By the pair itself: the first step of all is slow for reasons of its own.
            fewest = 1 if self._is_long(max(pairs[-1])) else FEWEST_PAIRS
            gain = gain_of(pairs)
            elapsed_s = self._bench.elapsed_s()
            is_over = elapsed_s >= min(self._budget_s, begin_s + _CANDIDATE_SHARE * self._budget_s)
            if verdict_of(gain, fewest) is not None or (is_over and gain.count >= fewest):
                return gain, median([after for _, after in pairs])

    def against(self, best: Execution, yardstick: Execution, step_ns: float) -> Interval:
        """Step of a yardstick over that of the best, which takes ``step_ns``.

        Raises:
            TrialFailed: when the yardstick cannot be prepared or stepped.
        """
        shape = shape_of(max(self.warm_up(yardstick), step_ns), self._budget_s)
        num_pairs = _LONG_YARDSTICK_PAIRS if self._is_long(step_ns) else _YARDSTICK_PAIRS
        swaps = [number % 2 == 1 for number in range(num_pairs)]
        return gain_of([self._pair(yardstick, best, shape, is_swapped=swap) for swap in swaps])

    def _pair(self, best: Execution, candidate: Execution, shape: Shape, *, is_swapped: bool) -> Pair:
        order = (candidate, best) if is_swapped else (best, candidate)
        steps = {one: self._bench.window(one, shape).step_ns for one in order}
        return steps[best], steps[candidate]

    def _is_long(self, step_ns: float) -> bool:
        return step_ns >= _LONG_STEP_SHARE * self._budget_s * 1e9
