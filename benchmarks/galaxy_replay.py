"""A hybrid pass in the order of the devices themselves, which the fixed order of forecasts stands for."""

from collections.abc import Callable
from dataclasses import replace
from heapq import heappop, heappush
from statistics import mean

from benchmarks.bars import judge
from benchmarks.galaxy_clusters import random_problem, seeded
from workloads.galaxy.forecasting.pass_times import PlanTimes
from workloads.galaxy.forecasting.ring_work import HEADER_BYTES, tile_pairs
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.plan_error import PlanError
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.planner import Planned
from workloads.galaxy.profile import NS_PER_S
from workloads.galaxy.schedule import Flow, Job, Progress, Work, schedule_of
from workloads.galaxy.wire_format import wire_bytes

_GATHERED, _PARTIAL, _DONE = range(3)


def fixed_order(seed: int, num_plans: int, plan: Callable[[PlanProblem], Planned]) -> bool:
    """The fixed order of the forecast against the order in which devices work, for random plans."""
    random = seeded(seed)
    ratios: list[float] = []
    while len(ratios) < num_plans:
        problem = random_problem(random, random.choice((2, 3, 4)))
        problem = replace(
            problem, load=replace(problem.load, num_new_tokens=0), strategies=(Strategy.HYBRID,)
        )
        try:
            chosen = plan(problem).plan
        except PlanError:
            continue
        times = PlanTimes.of(problem.architecture, chosen, problem.cluster, problem.load.itemsize)
        if problem.load.num_tokens < 2 * len(chosen.parts):
            continue
        rows = problem.load.num_tokens
        ratios.append(times.passed(rows, rows).latency_ns / Replay(times, rows).run())
    print(f"forecast over replay: least {min(ratios):.3f}, mean {mean(ratios):.3f}, most {max(ratios):.3f}")
    errors = [abs(ratio - 1.0) for ratio in ratios]
    return judge("galaxy-fixed-order-error", mean(errors), "share", "<=", 0.05)


class Replay:
    """All devices of a plan during one pass."""

    def __init__(self, times: PlanTimes, num_rows: int) -> None:
        self._times, self._num_rows = times, num_rows
        flow = Flow.CAUSAL if times.architecture.is_decoder else Flow.FULL
        places = range(len(times.works))
        self._num_halves = 2 * times.architecture.num_layers
        self._schedules = [schedule_of(times.plan, place, num_rows, flow) for place in places]
        self._progress = [Progress(schedule, self._num_halves) for schedule in self._schedules]
        self._link_free = [0.0 for _ in places]
        self._running: list[Job | None] = [None for _ in places]
        self._events: list[tuple[float, int, int, int, int, int]] = []
        self._count = 0
        self.finished: dict[tuple[int, int], float] = {}
        """When each own tile of each half was done: by half and tile."""

    def run(self) -> float:
        """When the last tile of the last half is done [ns]."""
        for place, work in enumerate(self._times.works):
            begin = work.embedding_ns(self._num_rows) + work.norm_ns(self._num_rows)
            self._note(begin, place, _DONE, -1, 0)
        while self._events:
            now, _, place, kind, half, tile = heappop(self._events)
            self._happens(now, place, kind, half, tile)
            if self._running[place] is None and not (kind != _DONE and now < self._begin(place)):
                self._start(now, place)
        return max(time for (half, _), time in self.finished.items() if half == self._num_halves - 1)

    def _begin(self, place: int) -> float:
        work = self._times.works[place]
        return work.embedding_ns(self._num_rows) + work.norm_ns(self._num_rows)

    def _happens(self, now: float, place: int, kind: int, half: int, tile: int) -> None:
        schedule, progress = self._schedules[place], self._progress[place]
        if kind == _GATHERED:
            progress.gathered(half, tile)
            if schedule.passes_on(tile):
                self._send(now, place, _GATHERED, half, tile)
        elif kind == _PARTIAL:
            progress.partial(half, tile)
        elif half >= 0:
            job = self._running[place]
            assert job is not None  # noqa: S101  # a device ends what it began
            self._running[place] = None
            progress.done(job)
            if job.work is Work.FINISH:
                self._finish(now, place, job)

    def _finish(self, now: float, place: int, job: Job) -> None:
        if not self._schedules[place].is_own(job.tile):
            self._send(now, place, _PARTIAL, job.half, job.tile)
            return
        self.finished[job.half, job.tile] = now
        if job.half + 1 < self._num_halves:
            self._progress[place].gathered(job.half + 1, job.tile)
            self._send(now, place, _GATHERED, job.half + 1, job.tile)

    def _start(self, now: float, place: int) -> None:
        job = self._progress[place].take()
        if job is not None:
            self._running[place] = job
            self._note(now + self._duration(place, job), place, _DONE, job.half, job.tile)

    def _duration(self, place: int, job: Job) -> float:
        schedule, work = self._schedules[place], self._times.works[place]
        tile = schedule.tiles[job.tile]
        rows, coding = len(tile.rows), work.coding_ns(len(tile.rows))
        if job.work is Work.FINISH:
            added = 0.0 if schedule.begins(job.tile) else work.sum_ns(rows) + coding
            own = work.connective_ns(rows) if schedule.is_own(job.tile) else 0.0
            return added + own + coding
        foreign = 0.0 if schedule.is_own(job.tile) else coding
        if job.work is Work.ENTER:
            return work.entry_ns(rows) + foreign + work.tile_ns()
        if job.half % 2:
            return work.mlp_ns(rows) + foreign + work.tile_ns()
        pairs = tile_pairs(tile.rows, self._num_rows, is_causal=schedule.flow is Flow.CAUSAL)
        return work.attention_ns(pairs) + work.output_ns(rows) + work.tile_ns()

    def _send(self, now: float, place: int, kind: int, half: int, tile: int) -> None:
        times, rows = self._times, len(self._schedules[place].tiles[tile].rows)
        link = times.ring[place]
        size = wire_bytes(times.plan.wire, rows, times.architecture.hidden_size, times.works[0].itemsize)
        end = max(now, self._link_free[place]) + link.message_ns
        end += (size + HEADER_BYTES) / link.rate * NS_PER_S
        self._link_free[place] = end
        self._note(end + link.delay_ns, (place + 1) % len(times.works), kind, half, tile)

    def _note(self, time: float, place: int, kind: int, half: int, tile: int) -> None:
        self._count += 1
        heappush(self._events, (time, self._count, place, kind, half, tile))
