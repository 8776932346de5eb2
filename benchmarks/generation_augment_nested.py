"""One universe simulated again with more particles: its large scales stay, small ones are added."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from cosmology.definition import UniverseDefinition
from cosmology.gravity import Gravity
from cosmology.mesh import Mesh
from cosmology.modes import white_waves
from cosmology.painting import overdensity
from cosmology.universe import origin_of, snapshots

_SEED, _NUMBER = 5, 0
_BASE_BOX_MPC_PER_H = 288.0
_SHARE_OF_NYQUIST = 0.25
_CELLS_PER_PARTICLE = 2
"""Of the mesh on which both are compared, per axis: cells of the coarser side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A universe and its refinement at one redshift, over the waves that both resolve."""

    coarse: int
    fine: int
    redshift: float
    least_ratio: float
    """Of powers, finer to coarser, over shells of k."""
    largest_ratio: float
    least_correlation: float
    """Over shells of k."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """All pairs of neighbouring sides."""

    box_mpc_per_h: float
    share_of_nyquist: float
    num_changed_waves: int
    """Initial waves of a coarser mesh that differ in a finer one."""
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Displacements of one universe's particles [Mpc/h] at each redshift."""

    mesh: Mesh
    places: dict[float, torch.Tensor]


def nested_universes(sides: Sequence[int]) -> Nested:
    """Simulate one universe at all sides and compare neighbours."""
    runs = [_run(side) for side in sides]
    return Nested(
        box_mpc_per_h=runs[0].mesh.box_mpc_per_h,
        share_of_nyquist=_SHARE_OF_NYQUIST,
        num_changed_waves=sum(_changed_waves(coarse.mesh, fine.mesh) for coarse, fine in pairwise(runs)),
        pairs=tuple(_pair(*runs, redshift) for runs in pairwise(runs) for redshift in runs[0].places),
    )


def _run(side: int) -> _Run:
    definition = UniverseDefinition(seed=_SEED, side=side, base_box_mpc_per_h=_BASE_BOX_MPC_PER_H)
    origin = origin_of(definition, _NUMBER)
    lattice = Mesh(side=side, box_mpc_per_h=origin.box_mpc_per_h, device=torch.device("cpu"))
    kick = Gravity(lattice.refined(definition.force_mesh_factor)).kick
    run = snapshots(definition, origin.parameters, origin.seed, lattice, kick)
    places = {definition.redshifts[channel]: place.clone() for channel, place in run}
    return _Run(mesh=lattice, places={redshift: places[redshift] for redshift in definition.redshifts})


def _changed_waves(coarse: Mesh, fine: Mesh) -> int:
    one, other = (_shared(white_waves(mesh, 7).numpy(), coarse.side) for mesh in (coarse, fine))
    return int((one != other).sum())


def _shared(waves: NDArray[np.complex128], side: int) -> NDArray[np.complex128]:
    """The waves below the Nyquist wave of a mesh of ``side``, from those of a finer one."""
    below = side // 2
    rows = [*range(below), *range(waves.shape[0] - below + 1, waves.shape[0])]
    return waves[rows][:, rows][:, :, :below]


def _pair(coarse: _Run, fine: _Run, redshift: float) -> Pair:
    side, most = coarse.mesh.side, int(_SHARE_OF_NYQUIST * coarse.mesh.side / 2)
    mesh = coarse.mesh.refined(_CELLS_PER_PARTICLE)
    one, other = (
        _shared(np.fft.rfftn(overdensity(run.places[redshift], mesh).double().numpy()), side)
        for run in (coarse, fine)
    )
    shell = _shells(side)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(shell.reshape(-1), values.reshape(-1))
        return sums[1 : most + 1].astype(np.float64)

    first, second = total(np.abs(one) ** 2), total(np.abs(other) ** 2)
    correlation = total((one * other.conj()).real) / np.sqrt(first * second)
    ratio = second / first
    return Pair(
        coarse=side,
        fine=fine.mesh.side,
        redshift=redshift,
        least_ratio=float(ratio.min()),
        largest_ratio=float(ratio.max()),
        least_correlation=float(correlation.min()),
    )


def _shells(side: int) -> NDArray[np.int64]:
    """The shell of each shared wave, one fundamental wave number wide."""
    below = side // 2
    index = np.array([*range(below), *range(-below + 1, 0)])
    squared = index[:, None, None] ** 2 + index[None, :, None] ** 2 + np.arange(below)[None, None, :] ** 2
    return np.floor(np.sqrt(squared) + 0.5).astype(np.int64)
