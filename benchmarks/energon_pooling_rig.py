"""One model on one device, with all layers resident or some of them parked, and what its passes take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from benchmarks.energon_pooling_model import Model
from workloads.energon.device_order import device_order
from workloads.energon.layer_record import held_bytes, record_of
from workloads.energon.parked_memory import ParkedMemory, open_memory
from workloads.energon.parking import ParkedStore, filled_garage
from workloads.energon.parking_plan import StageBytes, fewest_parked, parked_layers
from workloads.transformer.layer_store import LayerStore, ResidentStore

Work = Callable[[LayerStore], object]
"""A pass through all layers of a store."""


class PacedMemory:
    """Parked layers that come no faster than over a link of a given rate; real bytes, then a pause.

    Infinity is no pause. Closing is left to who made the memory within: several stores use it in turn.
    """

    def __init__(self, within: ParkedMemory) -> None:
        self._within = within
        self.bytes_per_s = float("inf")

    def write(self, place: int, piece: Tensor) -> None:
        """Unpaced."""
        self._within.write(place, piece)

    def fetch(self, place: int, piece: Tensor) -> None:
        """Fetch, and be as slow as the link."""
        due_s = time.perf_counter() + piece.numel() / self.bytes_per_s
        self._within.fetch(place, piece)
        time.sleep(max(0.0, due_s - time.perf_counter()))

    def close(self) -> None:
        """Keep it for the next store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """Seconds of a round: a pass with everything resident, all fetches of a pass alone, and a parked pass."""

    compute_s: float
    copy_s: float
    parked_s: float
    """Of several parked passes, the first fill included, one's part."""
    first_s: float
    """A parked pass by itself."""

    @property
    def of_bound(self) -> float:
        """What the slower of computing and copying alone takes, as a share of a parked pass."""
        return max(self.compute_s, self.copy_s) / self.parked_s


def least(rounds: Sequence[Passes]) -> Passes:
    """The least of each: what other processes on the machine add is no part of it."""
    return Passes(
        compute_s=min(each.compute_s for each in rounds),
        copy_s=min(each.copy_s for each in rounds),
        parked_s=min(each.parked_s for each in rounds),
        first_s=min(each.first_s for each in rounds),
    )


class Rig:
    """The model, loaded resident, and garages for some of its layers."""

    def __init__(self, model: Model, folder: Path) -> None:
        self.model = model
        self.folder = folder
        self.layers = {index: model.load(index) for index in model.layers}
        self.bytes = StageBytes(
            num_layers=len(self.layers),
            layer_bytes=record_of(self.layers[0]).num_bytes,
            other_bytes=held_bytes(model.ends()),
        )

    @property
    def model_bytes(self) -> int:
        """All weights."""
        return self.bytes.resident_bytes(0, 0)

    def garage(self, budget_bytes: int, distance: int) -> "RigGarage":
        """As many layers parked as a budget asks for."""
        return RigGarage(self, fewest_parked(budget_bytes, self.bytes, distance), distance)

    def resident(self) -> LayerStore:
        """Every layer on the device."""
        return ResidentStore(self.layers)

    def paced(self, pass_s: float) -> "Work":
        """Passes that pause for each layer in place of computing: no other process can slow them down."""

        def work(store: LayerStore) -> None:
            for index in self.layers:
                with store.layer(index):
                    time.sleep(pass_s / len(self.layers))

        return work


class RigGarage:
    """Layers of a rig parked for one distance."""

    def __init__(self, rig: Rig, num_parked: int, distance: int) -> None:
        self._rig = rig
        self.num_parked, self.distance = num_parked, distance
        self._memory: list[ParkedMemory] = []
        self._paced: list[PacedMemory] = []
        parked = parked_layers(rig.model.layers, num_parked)
        self._garage = filled_garage(rig.layers.__getitem__, parked, distance, self._open)
        self._kept = {index: layer for index, layer in rig.layers.items() if index not in parked}

    @property
    def is_on_host(self) -> bool:
        """Whether the device is a CPU."""
        return self._garage.buffers[0].device.type == "cpu"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for memory in self._memory:
            memory.close()

    def pace(self, bytes_per_s: float) -> None:
        """Let layers come no faster."""
        for memory in self._paced:
            memory.bytes_per_s = bytes_per_s

    def round(self, work: Work, num_passes: int) -> Passes:
        """Each thing once, one after the other; parked passes begin with nothing fetched."""
        return Passes(
            compute_s=self.compute_s(work),
            copy_s=self.copy_s(),
            parked_s=self.parked_s(work, num_passes),
            first_s=self.parked_s(work, 1),
        )

    def compute_s(self, work: Work) -> float:
        """A pass with every layer resident."""
        begun_s = time.perf_counter()
        work(self._rig.resident())
        return time.perf_counter() - begun_s

    def copy_s(self) -> float:
        """All fetches of a pass, one after the other, with nobody computing."""
        buffers = self._garage.buffers
        order = device_order(buffers[0].device, len(buffers))
        begun_s = time.perf_counter()
        for place in range(self.num_parked):
            slot = place % len(buffers)
            with order.filling(slot):
                self._garage.memory.fetch(place, buffers[slot])
        order.finish()
        return time.perf_counter() - begun_s

    def parked_s(self, work: Work, num_passes: int) -> float:
        """Seconds of a pass out of so many, the first fill included."""
        begun_s = time.perf_counter()
        store = ParkedStore(self._kept, self._garage, time.perf_counter_ns)
        try:
            for _ in range(num_passes):
                work(store)
            return (time.perf_counter() - begun_s) / num_passes
        finally:
            store.close()

    def is_exact(self) -> bool:
        """Whether parked layers give the very numbers of resident ones."""
        store = ParkedStore(self._kept, self._garage, time.perf_counter_ns)
        try:
            parked = [self._rig.model.forward(store) for _ in range(2)]
        finally:
            store.close()
        resident = self._rig.model.forward(self._rig.resident())
        return all(torch.equal(each, resident) for each in parked)

    def _open(self, device: torch.device, num_places: int, place_bytes: int) -> ParkedMemory:
        memory = open_memory(device, num_places, place_bytes, folder=self._rig.folder, peer=None)
        self._memory.append(memory)
        self._paced.append(PacedMemory(memory))
        return self._paced[0]
