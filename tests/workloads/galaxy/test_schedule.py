"""Whatever arrives when, every piece of a pass is done once, when its inputs allow; none waits in vain."""

import heapq
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.galaxy.cluster_in_threads import plan_of
from tests.workloads.transformer.architectures import GPT2
from workloads.galaxy.plan import Strategy
from workloads.galaxy.schedule import Flow, Job, Progress, Work, schedule_of

NUM_HALVES = 6
FOUR_HEADS = GPT2


class Cluster:
    """All devices of a plan; messages and work take times by chance, and links keep no order at all."""

    def __init__(self, num_rows: int, num_places: int, num_tiles: int, flow: Flow, seed: int) -> None:
        plan = plan_of(FOUR_HEADS, Strategy.HYBRID, (1.0,) * num_places, num_tiles=num_tiles)
        self.chance = random.Random(seed)
        self.schedules = [schedule_of(plan, place, num_rows, flow) for place in range(num_places)]
        self.progress = [Progress(schedule, NUM_HALVES) for schedule in self.schedules]
        self.done: list[list[Job]] = [[] for _ in range(num_places)]
        self.sums: dict[tuple[int, int], list[int]] = {}
        self.events: list[tuple[float, int, str, int, int]] = []
        self.now = 0.0

    def run(self) -> None:
        idle = set(range(len(self.progress)))
        while idle or self.events:
            for place in sorted(idle):
                job = self.progress[place].take()
                if job is not None:
                    idle.remove(place)
                    self.later(place, "done", 0, 0, job)
            if not self.events:
                return
            self.now, place, what, half, tile, *job = heapq.heappop(self.events)
            if what == "done":
                self.finished(place, job[0])
                idle.add(place)
            elif what == "partial":
                self.progress[place].partial(half, tile)
            else:
                self.gathered(place, half, tile)

    def later(self, place: int, what: str, half: int, tile: int, *job: Job) -> None:
        heapq.heappush(self.events, (self.now + self.chance.random(), place, what, half, tile, *job))

    def finished(self, place: int, job: Job) -> None:
        self.done[place].append(job)
        schedule, following = self.schedules[place], (place + 1) % len(self.schedules)
        if job.work is Work.FINISH:
            self.sums.setdefault((job.half, job.tile), []).append(place)
            if not schedule.is_own(job.tile):
                self.later(following, "partial", job.half, job.tile)
            elif job.half + 1 < NUM_HALVES:
                self.progress[place].gathered(job.half + 1, job.tile)
                if len(self.schedules) > 1:
                    self.later(following, "gathered", job.half + 1, job.tile)
        self.progress[place].done(job)

    def gathered(self, place: int, half: int, tile: int) -> None:
        self.progress[place].gathered(half, tile)
        if self.schedules[place].passes_on(tile):
            self.later((place + 1) % len(self.schedules), "gathered", half, tile)


@given(
    st.integers(1, 20), st.integers(1, 4), st.integers(1, 5), st.sampled_from(list(Flow)), st.integers(0, 99)
)
def test_every_piece_is_done_once_and_sums_follow_the_ring(
    num_rows: int, num_places: int, num_tiles: int, flow: Flow, seed: int
) -> None:
    cluster = Cluster(num_rows, num_places, num_tiles, flow, seed)
    cluster.run()
    num = len(cluster.schedules[0].tiles)
    for place, done in enumerate(cluster.done):
        assert cluster.progress[place].num_left == 0
        counts = Counter((job.half, job.work) for job in done)
        assert len(done) == len(set(done))
        for half in range(NUM_HALVES):
            is_attention = half % 2 == 0
            assert counts[half, Work.FINISH] == counts[half, Work.EXIT] == num
            assert counts[half, Work.ENTER] == (num if is_attention else 0)
            assert counts[half, Work.ATTEND] == (is_attention and flow is Flow.WHOLE)
    for (_, tile), places in cluster.sums.items():
        owner = cluster.schedules[0].tiles[tile].owner
        assert places == [(owner + distance) % num_places for distance in range(1, num_places + 1)]


@given(st.integers(1, 20), st.integers(1, 4), st.integers(1, 5), st.integers(0, 99))
def test_rows_of_a_decoder_attend_when_those_before_them_have_entered(
    num_rows: int, num_places: int, num_tiles: int, seed: int
) -> None:
    for flow in (Flow.CAUSAL, Flow.FULL, Flow.WHOLE):
        cluster = Cluster(num_rows, num_places, num_tiles, flow, seed)
        cluster.run()
        num = len(cluster.schedules[0].tiles)
        for done in cluster.done:
            entered: Counter[tuple[int, int]] = Counter()
            for job in done:
                if job.work is Work.ENTER:
                    entered[job.half, job.tile] += 1
                if job.work is Work.EXIT and job.half % 2 == 0:
                    seen = range(job.tile + 1 if flow is Flow.CAUSAL else num)
                    assert all(entered[job.half, tile] for tile in seen)


def test_what_others_wait_for_comes_first() -> None:
    plan = plan_of(FOUR_HEADS, Strategy.HYBRID, (1.0,) * 3)
    progress = Progress(schedule_of(plan, 1, 9, Flow.FULL), 2)
    taken = []
    while (job := progress.take()) is not None:
        taken.append((job.work.name, job.tile))
        progress.done(job)
    # Own rows enter first; those of the device before leave first, and nothing of them has to be waited for.
    assert taken == [
        ("ENTER", 1), ("ENTER", 0), ("ENTER", 2), ("EXIT", 0), ("FINISH", 0), ("EXIT", 2), ("EXIT", 1)
    ]  # fmt: skip
    progress.partial(0, 2)
    job = progress.take()
    assert job is not None
    assert (job.work, job.tile, job.half) == (Work.FINISH, 2, 0)
