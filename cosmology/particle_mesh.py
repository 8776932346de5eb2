"""Gravity on a mesh: FastPM's kick-drift-kick from a second-order start, with many outputs of one run."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from cosmology.background import Growth
from cosmology.perturbation import Displacements


class Kick(Protocol):
    """What pulls the particles."""

    def __call__(self, momentum: Tensor, place: Tensor, impulse: float, *, is_sharp: bool) -> None:
        """Add ``impulse`` times the force [Mpc/h] at the particles; see ``cosmology.sharpening``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """How finely to follow the particles."""

    start_scale_factor: float
    num_steps: int
    force_mesh_factor: int
    """Force-mesh cells per particle spacing, per axis."""
    sharp_from_growth: float = math.inf
    """Linear growth, 1 today, from which forces are sharp; see ``cosmology.sharpening``."""


def evolve(
    start: Displacements,
    growth_at: Callable[[float], Growth],
    outputs: tuple[float, ...],
    solver: Solver,
    kick: Kick,
) -> Iterator[Float[Tensor, "3 x n n"]]:
    """Displacements [Mpc/h] at each output scale factor, in growing order.

    Each is a view of the running state: use it before asking for the next. Kick and drift factors are
    those of Feng et al. 2016 (doi:10.1093/mnras/stw2123), with which Zel'dovich motion is exact for any
    number of steps. Momentum is only needed between outputs, so the last half kick of a step and the first
    of the next are one.
    """
    edges = step_edges(outputs, solver)
    now = growth_at(edges[0])
    momentum = (now.first_momentum * start.first).add_(start.second, alpha=now.second_momentum)
    place = (now.first * start.first).add_(start.second, alpha=now.second)
    del start  # 2 of 4 vector fields, where the caller holds none
    before = now.first_momentum
    for end in edges[1:]:
        middle, then = growth_at(math.sqrt(now.scale_factor * end)), growth_at(end)
        is_sharp = now.first >= solver.sharp_from_growth
        kick(momentum, place, (middle.first_momentum - before) / now.first, is_sharp=is_sharp)
        place.add_(momentum, alpha=(then.first - now.first) / middle.first_momentum)
        if end in outputs:
            yield place
        now, before = then, middle.first_momentum


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
