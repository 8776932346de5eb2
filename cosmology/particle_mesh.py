"""Gravity on a mesh: FastPM's kick-drift-kick from a second-order start, with many outputs of one run."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cosmology.background import Growth
from cosmology.mesh import Mesh
from cosmology.painting import overdensity, sample_onto
from cosmology.perturbation import Displacements, gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """How finely to follow the particles."""

    start_scale_factor: float
    num_steps: int
    force_mesh_factor: int
    """Force-mesh cells per particle spacing, per axis."""


def evolve(
    lattice: Mesh,
    start: Displacements,
    growth_at: Callable[[float], Growth],
    outputs: tuple[float, ...],
    solver: Solver,
) -> Iterator[Float[Tensor, "3 n n n"]]:
    """Displacements [Mpc/h] at each output scale factor, in growing order.

    Each is a view of the running state: use it before asking for the next. Kick and drift factors are
    those of Feng et al. 2016 (doi:10.1093/mnras/stw2123), with which Zel'dovich motion is exact for any
    number of steps. The last half kick of a step and the first of the next share one force.
    """
    edges = step_edges(outputs, solver)
    mesh = Mesh(
        side=lattice.side * solver.force_mesh_factor,
        box_mpc_per_h=lattice.box_mpc_per_h,
        device=lattice.device,
    )
    now = growth_at(edges[0])
    place = now.first * start.first + now.second * start.second
    momentum = now.first_momentum * start.first + now.second_momentum * start.second
    force = torch.empty_like(place)
    pull(force, place, mesh)
    for end in edges[1:]:
        middle, then = growth_at(math.sqrt(now.scale_factor * end)), growth_at(end)
        momentum.add_(force, alpha=(middle.first_momentum - now.first_momentum) / now.first)
        place.add_(momentum, alpha=(then.first - now.first) / middle.first_momentum)
        if end in outputs:
            yield place
        if end == edges[-1]:
            return
        pull(force, place, mesh)
        momentum.add_(force, alpha=(then.first_momentum - middle.first_momentum) / then.first)
        now = then


def pull(force: Float[Tensor, "3 n n n"], place: Float[Tensor, "3 n n n"], mesh: Mesh) -> None:
    """Write into ``force`` -grad phi [Mpc/h] at the particles, where laplacian phi = overdensity."""
    potential = mesh.to_waves(overdensity(place, mesh)) * -mesh.inverse_laplacian()
    sample_onto(force, gradient(mesh, potential), place, mesh)


def step_edges(outputs: tuple[float, ...], solver: Solver) -> tuple[float, ...]:
    """Scale factors between steps: exactly ``num_steps`` steps, every output at the end of one.

    Each stretch between outputs gets steps in proportion to its length (largest remainder, at least
    one), of equal length in the scale factor.
    """
    if not outputs or list(outputs) != sorted(set(outputs)) or outputs[0] <= solver.start_scale_factor:
        raise ValueError(
            f"output scale factors {outputs} must grow from above the start at {solver.start_scale_factor}."
        )
    if solver.num_steps < len(outputs):
        raise ValueError(f"{solver.num_steps} steps cannot end at {len(outputs)} outputs; use more steps.")
    begins = (solver.start_scale_factor, *outputs[:-1])
    stretches = [end - begin for begin, end in zip(begins, outputs, strict=True)]
    edges = [begins[0]]
    for begin, end, steps in zip(begins, outputs, _shares(stretches, solver.num_steps), strict=True):
        edges += [begin + (end - begin) * step / steps for step in range(1, steps)]
        edges.append(end)
    return tuple(edges)


def _shares(stretches: list[float], num_steps: int) -> list[int]:
    """Whole steps for each stretch, at least one each, summing to ``num_steps``."""
    shares = [1] * len(stretches)
    for _ in range(num_steps - len(stretches)):
        longest = max(range(len(stretches)), key=lambda index: stretches[index] / shares[index])
        shares[longest] += 1
    return shares
