"""The forecast of a hybrid plan with its slopes: how it grows with each head and column of each device."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workloads.galaxy.forecasting.hybrid_schedule import attention_half, hybrid_layer, mlp_half
from workloads.galaxy.forecasting.pass_times import PlanTimes
from workloads.galaxy.forecasting.ring_clock import Tiles
from workloads.galaxy.forecasting.ring_work import PerTile, RingWork, ring_tiles, ring_work
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.profile import NS_PER_S
from workloads.galaxy.wire_format import WireFormat

Slopes = NDArray[np.float64]
"""Of all heads, then of all columns."""


class Moment:
    """A time, and how it grows with each head and column."""

    __slots__ = ("slopes", "value")

    def __init__(self, value: float, slopes: Slopes) -> None:
        self.value = value
        self.slopes = slopes

    def plus(self, other: "Moment") -> "Moment":
        """Both one after the other."""
        return Moment(self.value + other.value, self.slopes + other.slopes)

    def later(self, nanoseconds: float) -> "Moment":
        """So long behind it."""
        return Moment(self.value + nanoseconds, self.slopes)


class SlopeClock:
    """As ``RingClock``, with slopes."""

    def __init__(self, times: PlanTimes, none: Slopes) -> None:
        self.free = [Moment(0.0, none) for _ in times.ring]
        self._link_free = [Moment(0.0, none) for _ in times.ring]
        self._ring = times.ring

    def wait(self, place: int, ready: Moment) -> None:
        """A device does nothing before ``ready``."""
        if ready.value > self.free[place].value:
            self.free[place] = ready

    def work(self, place: int, duration: Moment) -> Moment:
        """When a device has done what it does next."""
        self.free[place] = self.free[place].plus(duration)
        return self.free[place]

    def joined(self, place: int, end: Moment, arrival: Moment, duration: Moment) -> Moment:
        """When what was made and what arrived are added."""
        self.work(place, duration)
        return (end if end.value > arrival.value else arrival).plus(duration)

    def send(self, place: int, ready: Moment, num_bytes: int) -> Moment:
        """When a message is at the next device."""
        link, free = self._ring[place], self._link_free[place]
        end = (free if free.value > ready.value else ready).later(
            link.message_ns + num_bytes / link.rate * NS_PER_S
        )
        self._link_free[place] = end
        return end.later(link.delay_ns)


class SlopedRing:
    """The forecast of a ring's prompt as a function of heads and columns."""

    def __init__(self, problem: PlanProblem, plan: ParallelPlan) -> None:
        self._problem, self._num = problem, len(plan.parts)
        self._times = PlanTimes.of(problem.architecture, plan, problem.cluster, problem.load.itemsize)
        self._tiles = ring_tiles(plan, problem.load.num_tokens)
        self._one, self._two = (
            ring_work([self._works(device, size, plan.wire) for device in plan.devices], self._tiles)
            for size in (1, 2)
        )

    def latency(self, sizes: Slopes) -> Moment:
        """The forecast with so many heads and columns (all heads first)."""
        problem, num = self._problem, self._num
        none = np.zeros(2 * num)
        clock = SlopeClock(self._times, none)
        rows = problem.load.num_tokens
        for place, times in enumerate(self._times.works):
            clock.work(place, Moment(times.embedding_ns(rows) + times.norm_ns(rows), none))
        work = self._work(sizes)
        there: Tiles[Moment] = [[Moment(0.0, none)] * len(spans) for spans in self._tiles]
        arrivals = [[there[(place - step) % num] for place in range(num)] for step in range(num)]
        ready = mlp_half(clock, work, attention_half(clock, work, arrivals))
        for _ in range(problem.architecture.num_layers - 1):
            ready = hybrid_layer(clock, work, ready)
        told = max(link.time_ns(rows * 8) for link in self._times.links[0][1:])
        return self._answered(clock, ready, sizes).later(told)

    def _answered(self, clock: SlopeClock, ready: Tiles[Moment], sizes: Slopes) -> Moment:
        """When the logits are there; each device has words in proportion to its columns."""
        architecture, times, num = self._problem.architecture, self._times, self._num
        if not architecture.is_decoder:
            clock.wait(0, ready[0][-1])
            return clock.free[0]
        owner = max(place for place, tiles in enumerate(ready) if tiles)
        size = architecture.hidden_size * self._problem.load.itemsize
        latest, ends = ready[owner][-1], []
        for place, work in enumerate(times.works):
            clock.wait(
                place, latest if place == owner else latest.later(times.links[owner][place].time_ns(size))
            )
            words = architecture.vocab_size / architecture.ffn_size
            whole, none = replace(work, num_words=10**6).head_ns(1), replace(work, num_words=0).head_ns(1)
            each = (whole - none) / 1e6 * words
            link = times.links[place][0]
            told = 0.0 if place == 0 else words * work.itemsize / link.rate * NS_PER_S
            slopes = np.zeros(2 * num)
            slopes[num + place] = each + told
            fixed = none + (0.0 if place == 0 else link.time_ns(0))
            ends.append(clock.free[place].plus(Moment(fixed + sizes[num + place] * (each + told), slopes)))
        return max(ends, key=lambda end: end.value)

    def _works(self, device: int, size: int, wire: WireFormat) -> WorkTimes:
        return WorkTimes(
            architecture=self._problem.architecture,
            device=self._problem.cluster.devices[device],
            num_kv_heads=size,
            num_columns=size,
            num_words=1,
            itemsize=self._problem.load.itemsize,
            wire=wire,
        )

    def _work(self, sizes: Slopes) -> RingWork[Moment]:
        none, num, one, two = np.zeros(2 * self._num), self._num, self._one, self._two

        def grown(place: int, index: int, least: float, more: float) -> Moment:
            slopes = none.copy()
            slopes[index] = more - least
            return Moment(least + (sizes[index] - 1) * (more - least), slopes)

        def lines(first: PerTile[float], second: PerTile[float], offset: int) -> list[list[list[Moment]]]:
            return [
                [
                    [grown(place, offset + place, low, high) for low, high in zip(a, b, strict=True)]
                    for a, b in zip(own, more, strict=True)
                ]
                for place, (own, more) in enumerate(zip(first, second, strict=True))
            ]

        return RingWork(
            entry=lines(one.entry, two.entry, 0),
            attended=lines(one.attended, two.attended, 0),
            mlp=lines(one.mlp, two.mlp, num),
            added=[[[Moment(time, none) for time in chunk] for chunk in place] for place in one.added],
            finished=[[Moment(time, none) for time in place] for place in one.finished],
            num_bytes=one.num_bytes,
            is_causal=one.is_causal,
        )
