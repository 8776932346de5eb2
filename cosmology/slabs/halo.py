"""Planes of a mesh that the particles of a slab reach beyond it, and their way to and from their owners."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosmology.slabs.crew import Crew, Message, exchange, gathered

_MARGIN = 1
"""Planes beyond those computed: products may be rounded otherwise here than where particles are painted."""


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive planes of a periodic mesh, beyond its last of which is its first."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Run:
    """Planes that stand together both in a window and with their owner."""

    in_window: int
    in_slab: int
    count: int


def windows_of(
    displacement: Float[Tensor, "3 rows n n"], side: int, box_mpc_per_h: float, crew: Crew
) -> list[Window]:
    """For each rank, the planes of a mesh of ``side`` planes that its particles and their clouds touch.

    A window that would pass the mesh is the whole mesh.
    """
    rows, per_axis = displacement.shape[1:3]
    homes = torch.arange(rows, device=displacement.device) + crew.rank * rows
    at_home = homes.to(torch.float32) * (side / per_axis)
    cells = side / box_mpc_per_h
    along_x = displacement[0].reshape(rows, -1)
    lowest = float((at_home + along_x.amin(dim=1) * cells).min())
    highest = float((at_home + along_x.amax(dim=1) * cells).max())
    if not math.isfinite(lowest) or not math.isfinite(highest):
        raise ValueError("particles are displaced by what is no number.")
    first = math.floor(lowest) - _MARGIN
    count = math.floor(highest) + 2 + _MARGIN - first
    found = gathered(crew, (first, count))
    return [Window(low % side, planes) if planes < side else Window(0, side) for low, planes in found]


def runs_of(window: Window, owner: int, slab: int, side: int) -> list[Run]:
    """Where the planes of a rank's slab stand in a window: at most twice, where it turns round the box."""
    found = []
    end = window.first + window.count
    for turn in (0, 1):
        home = owner * slab + turn * side
        low, high = max(window.first, home), min(end, home + slab)
        if low < high:
            found.append(Run(in_window=low - window.first, in_slab=low - home, count=high - low))
    return found


def summed_to_owners(
    deposit: Int[Tensor, "planes m m"], windows: Sequence[Window], crew: Crew
) -> Int[Tensor, "slab m m"]:
    """This rank's slab of the sum of what all ranks deposited in their windows."""
    side = deposit.shape[1]
    slab = side // crew.num_ranks
    sent = [
        Message(owner, deposit[run.in_window : run.in_window + run.count])
        for owner, runs in _others(windows[crew.rank], slab, side, crew)
        for run in runs
    ]
    places, received = [], []
    for sender, window in enumerate(windows):
        for run in runs_of(window, crew.rank, slab, side) if sender != crew.rank else ():
            places.append(run)
            received.append(Message(sender, deposit.new_empty((run.count, side, side))))
    exchange(crew, sent, received)
    total = deposit.new_zeros((slab, side, side))
    for run in runs_of(windows[crew.rank], crew.rank, slab, side):
        total[run.in_slab : run.in_slab + run.count] += deposit[run.in_window : run.in_window + run.count]
    for run, message in zip(places, received, strict=True):
        total[run.in_slab : run.in_slab + run.count] += message.tensor
    return total


def fetched_from_owners(
    field: Float[Tensor, "slab m m"], windows: Sequence[Window], crew: Crew
) -> Float[Tensor, "planes m m"]:
    """The planes of this rank's window, of a field of which each rank has its slab."""
    slab, side = field.shape[:2]
    window = windows[crew.rank]
    result = field.new_empty((window.count, side, side))
    sent = [
        Message(asker, field[run.in_slab : run.in_slab + run.count])
        for asker, asked in enumerate(windows)
        for run in (runs_of(asked, crew.rank, slab, side) if asker != crew.rank else ())
    ]
    received = [
        Message(owner, result[run.in_window : run.in_window + run.count])
        for owner, runs in _others(window, slab, side, crew)
        for run in runs
    ]
    for run in runs_of(window, crew.rank, slab, side):
        result[run.in_window : run.in_window + run.count] = field[run.in_slab : run.in_slab + run.count]
    exchange(crew, sent, received)
    return result


def _others(window: Window, slab: int, side: int, crew: Crew) -> list[tuple[int, list[Run]]]:
    """What each other rank owns of a window."""
    return [
        (owner, runs_of(window, owner, slab, side)) for owner in range(crew.num_ranks) if owner != crew.rank
    ]
