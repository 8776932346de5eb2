"""Stages larger than their device: some layers are parked elsewhere and come shortly before their use."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from workloads.energon.device_order import device_order
from workloads.energon.host_heap import return_freed_memory
from workloads.energon.layer_record import LayerRecord, record_of
from workloads.energon.parked_memory import ParkedMemory, open_memory
from workloads.energon.parking_plan import num_buffers, parked_layers
from workloads.energon.plan import EnginePlan
from workloads.energon.prefetch_ring import PrefetchRing
from workloads.transformer.layer_store import LayerStore, LayerWeights, ResidentStore
from workloads.transformer.split import Span

Clock = Callable[[], int]
"""Any steady time [ns]."""
Load = Callable[[int], LayerWeights]
"""Loads the weights of a layer (its number in the model) to the device."""
OpenMemory = Callable[[torch.device, int, int], ParkedMemory]
"""Memory for a device's parked layers, so many places of so many bytes."""


def build_store(
    load: Load,
    layers: Span,
    plan: EnginePlan,
    *,
    folder: Path,
    clock: Clock,
    peer: torch.device | None = None,
) -> LayerStore:
    """A stage's layers, ``plan.num_parked`` of them parked; each is loaded once.

    A CPU parks them in a file without a name in ``folder`` (a folder in memory saves nothing), a GPU in
    pinned memory of the host, or in the memory of another GPU, ``peer``.

    Raises:
        ParkingError: when there is no room for them.
    """
    if plan.num_parked == 0:
        return ResidentStore({index: load(index) for index in layers})

    def memory_of(device: torch.device, num_places: int, place_bytes: int) -> ParkedMemory:
        return open_memory(device, num_places, place_bytes, folder=folder, peer=peer)

    parked = parked_layers(layers, plan.num_parked)
    garage = filled_garage(load, parked, plan.prefetch_distance, memory_of)
    try:
        resident: dict[int, LayerWeights] = {}
        for index in layers:
            if index not in parked:
                resident[index] = load(index)
                return_freed_memory()
    except BaseException:
        garage.memory.close()
        raise
    return ParkedStore(resident, garage, clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Garage:
    """Parked layers, and the buffers on the device through which they are used."""

    parked: tuple[int, ...]
    """Numbers of the layers in the model; each one's place is its rank here."""
    distance: int
    record: LayerRecord
    buffers: tuple[Tensor, ...]
    """uint8 [bytes of a layer] each, on the device."""
    memory: ParkedMemory


def filled_garage(load: Load, parked: Sequence[int], distance: int, memory_of: OpenMemory) -> Garage:
    """Park layers one by one: the device never holds more than the buffers and one layer besides.

    Raises:
        ParkingError: when there is no room for them.
    """
    weights = load(parked[0])
    record, device = record_of(weights), next(iter(weights.values())).device
    buffers = tuple(
        torch.empty(record.num_bytes, dtype=torch.uint8, device=device)
        for _ in range(num_buffers(len(parked), distance))
    )
    memory = memory_of(device, len(parked), record.num_bytes)
    try:
        for place, index in enumerate(parked):
            if place > 0:
                weights = load(index)
            record.write(weights, buffers[0])
            weights = {}  # before the next is loaded
            return_freed_memory()
            memory.write(place, buffers[0])
    except BaseException:
        memory.close()
        raise
    return Garage(parked=tuple(parked), distance=distance, record=record, buffers=buffers, memory=memory)


class ParkedStore:
    """Some layers stay on the device; the others lie in a garage, and a thread fetches the next ones.

    Weights are only read, so nothing is ever written back. Fetching goes on in the order of the layers, from
    the last of one pass to the first of the next: also before the first pass, and between two.
    """

    def __init__(self, resident: Mapping[int, LayerWeights], garage: Garage, clock: Clock) -> None:
        self._resident = resident
        self._memory = garage.memory
        self._weights = [garage.record.views(buffer) for buffer in garage.buffers]
        self._order = order = device_order(garage.buffers[0].device, len(garage.buffers))
        self._clock = clock
        self._waited_ns = 0
        places = {index: place for place, index in enumerate(garage.parked)}

        def fetch(index: int, slot: int) -> None:
            with order.filling(slot):
                garage.memory.fetch(places[index], garage.buffers[slot])

        self._ring = PrefetchRing(garage.parked, fetch, distance=garage.distance)

    @property
    def waited_ns(self) -> int:
        """How long users have waited for layers so far (on CUDA the host does not wait, its stream does)."""
        return self._waited_ns

    @contextmanager
    def layer(self, index: int) -> Iterator[LayerWeights]:
        """The weights of a layer.

        Raises:
            ParkingError: when a parked one could not be fetched; the next pass tries again.
        """
        if index in self._resident:
            yield self._resident[index]
            return
        begun_ns = self._clock()
        slot = self._ring.take(index)
        self._waited_ns += self._clock() - begun_ns
        self._order.before_use(slot)
        try:
            yield self._weights[slot]
        finally:
            self._order.after_use(slot)
            self._ring.give_back(slot)

    def close(self) -> None:
        """End the thread, then give the memory back."""
        self._ring.close()
        self._order.finish()
        self._memory.close()
