"""Which layers are parked, how far ahead they are fetched, and what a pass then takes; arithmetic only."""

from collections import deque
from dataclasses import dataclass

from augment.problem import ProblemError
from workloads.transformer.split import Span

MOST_DISTANCE = 3
_GAIN_OF_A_BUFFER = 0.01
"""Least share of a pass that a farther distance must save to be worth its buffer."""
_NUM_PASSES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTimes:
    """Measured times of one layer [ns]."""

    compute_ns: float
    copy_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBytes:
    """What a stage keeps on its device when nothing is parked [bytes]."""

    num_layers: int
    layer_bytes: int
    other_bytes: int = 0
    """Embeddings, head, caches, activations."""

    def resident_bytes(self, num_parked: int, distance: int) -> int:
        """Bytes on the device with layers parked; their buffers are counted."""
        kept = self.num_layers - num_parked + num_buffers(num_parked, distance)
        return self.other_bytes + kept * self.layer_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkingPlan:
    """How a stage keeps to its budget, and what a pass is expected to take."""

    num_parked: int
    distance: int
    resident_bytes: int
    bound_ns: float
    first_pass_ns: float
    pass_ns: float


def plan_parking(budget_bytes: int, stage: StageBytes, times: LayerTimes) -> ParkingPlan:
    """The fastest way to keep to a budget: a buffer saves waiting, and costs a layer that could have stayed.

    Raises:
        ProblemError: when not even the buffers fit.
    """
    best = _plan(fewest_parked(budget_bytes, stage, 0), 0, stage, times)
    for distance in range(1, MOST_DISTANCE + 1):
        if stage.resident_bytes(stage.num_layers, distance) > budget_bytes:
            break
        plan = _plan(fewest_parked(budget_bytes, stage, distance), distance, stage, times)
        if plan.pass_ns < best.pass_ns * (1 - _GAIN_OF_A_BUFFER):
            best = plan
    return best


def fewest_parked(budget_bytes: int, stage: StageBytes, distance: int) -> int:
    """The least number of layers to park so that the rest and the buffers fit a budget.

    Raises:
        ProblemError: when all of them parked do not fit.
    """
    for num_parked in range(stage.num_layers + 1):
        if stage.resident_bytes(num_parked, distance) <= budget_bytes:
            return num_parked
    least_bytes = stage.resident_bytes(stage.num_layers, distance)
    raise ProblemError(
        f"a budget of {budget_bytes} bytes holds no stage of {stage.num_layers} layers: with all of them "
        f"parked it keeps {least_bytes} bytes on its device; give that much, or use more ranks."
    )


def best_distance(num_layers: int, num_parked: int, times: LayerTimes) -> int:
    """The least distance beyond which a pass gains nothing worth a buffer."""
    passes = [
        pass_times_ns(num_layers, num_parked, times, distance)[1] for distance in range(MOST_DISTANCE + 1)
    ]
    return next(
        distance
        for distance, pass_ns in enumerate(passes)
        if pass_ns * (1 - _GAIN_OF_A_BUFFER) <= min(passes)
    )


def parked_layers(layers: Span, num_parked: int) -> tuple[int, ...]:
    """The layers to park: the last of each of ``num_parked`` groups that are as equal as can be.

    Neighbours would stall: copies need the time of the layers between them. The last of a group leaves the
    first fetch the time of the group's others.
    """
    size = len(layers)
    return tuple(layers.begin + -(-(number + 1) * size // num_parked) - 1 for number in range(num_parked))


def num_buffers(num_parked: int, distance: int) -> int:
    """Buffers of a layer each: one in use, and ``distance`` ahead of it; at most as many as layers.

    Raises:
        ProblemError: for a distance below 0.
    """
    if distance < 0:
        raise ProblemError(f"prefetch_distance is {distance}; give 0 (on demand) or more.")
    return min(num_parked, distance + 1)


def bound_ns(num_layers: int, num_parked: int, times: LayerTimes) -> float:
    """No pass is faster: computing one layer after the other, and copying one after the other."""
    return max(num_layers * times.compute_ns, num_parked * times.copy_ns)


def pass_times_ns(num_layers: int, num_parked: int, times: LayerTimes, distance: int) -> tuple[float, float]:
    """Time of the first pass, whose first fetch begins with it, and of each of those that follow at once."""
    parked = frozenset(parked_layers(Span(0, num_layers), num_parked))
    freed_ns = deque([0.0] * num_buffers(num_parked, distance))
    now_ns = copied_ns = 0.0
    ends_ns: list[float] = []
    for layer in [*range(num_layers)] * _NUM_PASSES:
        if layer in parked:
            asked_ns = now_ns if distance == 0 else 0.0
            copied_ns = max(copied_ns, freed_ns.popleft(), asked_ns) + times.copy_ns
            now_ns = max(now_ns, copied_ns)
            freed_ns.append(now_ns + times.compute_ns)
        now_ns += times.compute_ns
        if layer == num_layers - 1:
            ends_ns.append(now_ns)
    half = _NUM_PASSES // 2
    return ends_ns[0], (ends_ns[-1] - ends_ns[half - 1]) / half


def _plan(num_parked: int, distance: int, stage: StageBytes, times: LayerTimes) -> ParkingPlan:
    first_pass_ns, pass_ns = pass_times_ns(stage.num_layers, num_parked, times, distance)
    return ParkingPlan(
        num_parked=num_parked,
        distance=distance,
        resident_bytes=stage.resident_bytes(num_parked, distance),
        bound_ns=bound_ns(stage.num_layers, num_parked, times),
        first_pass_ns=first_pass_ns,
        pass_ns=pass_ns,
    )
