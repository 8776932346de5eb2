"""What a search chooses from: members of the family that cost about the same, and how they may learn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from augment.problem import Problem, Shape
from cosmology.architecture import Architecture
from workloads.cosmoflow.members import Options, members_within, training_flops
from workloads.cosmoflow.shapes import CosmoFlowShape

TOLERANCE = 0.15
"""A member may cost this share more or less than what is asked for."""
MOST_DEPTH = 8
LEAST_WIDTH = 4
"""Narrower members are not tried: each of their convolutions loses too much."""
LEAST_RATE_FACTOR, MOST_RATE_FACTOR = 0.25, 4.0
"""Bounds of the learning rate, in multiples of the recipe's."""
_CHOSEN = ("depth", "width", "flops_per_sample")
"""Sizes of the model shape that the search decides; it keeps the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One member that meets the cost."""

    depth: int
    width: int
    flops_per_sample: float
    architecture: Architecture

    @property
    def model(self) -> dict[str, int]:
        """Its sizes."""
        return {"depth": self.depth, "width": self.width}

    @property
    def label(self) -> str:
        """Its name for readers."""
        return f"width {self.width}, depth {self.depth}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one trial tries."""

    candidate: Candidate
    rate_factor: float
    """Of the recipe's learning rate."""
    is_grown: bool
    """Whether it begins as the network of the rung below, where it can."""


def cost_of(problem: Problem) -> float:
    """FLOPs of training for one sample, as of the model that the problem names."""
    return float(training_flops(CosmoFlowShape.from_problem(problem).architecture()))


def candidates(problem: Problem) -> Mapping[int, Candidate]:
    """For each depth the member that costs most nearly what the problem's own model does.

    Always holds the problem's own model, whatever its depth.

    Raises:
        ProblemError: when the problem cannot be built.
    """
    shape = CosmoFlowShape.from_problem(problem)
    architecture = shape.architecture()
    near = members_within(
        cost_of(problem),
        TOLERANCE,
        resolution=shape.resolution,
        channels=shape.channels,
        most_depth=MOST_DEPTH,
        options=Options(normalisation=architecture.normalisation, checkpointing=architecture.checkpointing),
    )
    own = _candidate(problem, shape.depth, shape.width)
    found = {
        member.depth: _candidate(problem, member.depth, member.width)
        for member in near
        if member.width >= LEAST_WIDTH
    }
    return dict(sorted({own.depth: own, **found}.items()))


def _candidate(problem: Problem, depth: int, width: int) -> Candidate:
    kept = {name: value for name, value in problem.model.items() if name not in _CHOSEN}
    sized = replace(problem, model=Shape.of(kept, depth=depth, width=width))
    architecture = CosmoFlowShape.from_problem(sized).architecture()
    return Candidate(
        depth=depth,
        width=width,
        flops_per_sample=float(training_flops(architecture)),
        architecture=architecture,
    )
