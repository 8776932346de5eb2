"""What copying and computing a layer take on this machine, measured before anything is planned."""

from collections.abc import Callable
from statistics import median

from workloads.energon.device_order import DeviceOrder, device_order
from workloads.energon.parking import Clock, Load, OpenMemory, filled_garage
from workloads.energon.parking_plan import LayerTimes
from workloads.transformer.layer_store import LayerWeights

_NUM_REPEATS = 5


def measured_times(
    load: Load,
    index: int,
    compute: Callable[[LayerWeights], object],
    memory_of: OpenMemory,
    clock: Clock,
) -> LayerTimes:
    """Times of one layer: medians over a few copies, and over a few calls of ``compute`` with its weights.

    A copy from a file is as fast as the page cache gives it when memory is plenty.

    Raises:
        ParkingError: when there is no room for it.
    """
    garage = filled_garage(load, [index], 0, memory_of)
    order = device_order(garage.buffers[0].device, 1)

    def copy() -> None:
        with order.filling(0):
            garage.memory.fetch(0, garage.buffers[0])
        order.before_use(0)

    weights = garage.record.views(garage.buffers[0])
    try:
        copy_ns = _median_ns(copy, order, clock)
        compute_ns = _median_ns(lambda: compute(weights), order, clock)
    finally:
        garage.memory.close()
    return LayerTimes(compute_ns=compute_ns, copy_ns=copy_ns)


def _median_ns(work: Callable[[], object], order: DeviceOrder, clock: Clock) -> float:
    durations_ns: list[int] = []
    for _ in range(1 + _NUM_REPEATS):
        begun_ns = clock()
        work()
        order.finish()
        durations_ns.append(clock() - begun_ns)
    return median(durations_ns[1:])  # the first call warms up
