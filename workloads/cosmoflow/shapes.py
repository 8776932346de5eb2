"""A CosmoFlow problem in its own words: typed sizes instead of named ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from augment.model import residuals_per_stage, stage_channels
from augment.problem import Problem, ProblemError, Shape
from cosmology.architecture import Architecture, ArchitectureError, num_stages

DATA_SIZES: Mapping[str, str] = {
    "samples": "grids of the data set, at least one for each universe",
    "resolution": "side of a grid [voxels], a power of two of at least 8",
    "channels": "redshifts of a grid, 1 to 4",
    "universes": "independent simulations that the samples are taken from; one for each sample if not given",
}
MODEL_SIZES: Mapping[str, str] = {
    "depth": "convolutions of each stage; 1 is the reference",
    "width": "channels of the first stage; 32 is the reference",
}
MAX_CHANNELS = 4
_OPTIONAL = ("universes",)


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmoFlowShape:
    """The sizes of one problem, checked."""

    samples: int
    resolution: int
    channels: int
    universes: int
    depth: int
    width: int

    @staticmethod
    def from_problem(problem: Problem) -> "CosmoFlowShape":
        """The problem's sizes.

        Raises:
            ProblemError: when the problem cannot be built, with all that is wrong at once.
        """
        faults = [*_unknown("data", problem.data, DATA_SIZES), *_unknown("model", problem.model, MODEL_SIZES)]
        counts = {**_counts(problem.data, DATA_SIZES, faults), **_counts(problem.model, MODEL_SIZES, faults)}
        faults += _misfits(counts)
        if faults:
            raise ProblemError("\n".join(faults))
        counts.setdefault("universes", counts["samples"])
        return CosmoFlowShape(**counts)

    def architecture(self) -> Architecture:
        """The network that learns this problem."""
        return Architecture(
            resolution=self.resolution,
            channels=self.channels,
            stage_channels=stage_channels(self.width, num_stages(self.resolution)),
            residuals_per_stage=residuals_per_stage(self.depth),
        )


def _unknown(axis: str, shape: Shape, sizes: Mapping[str, str]) -> list[str]:
    return [
        f"the {axis} shape has no size {name!r}; its sizes are {', '.join(sizes)}."
        for name in shape
        if name not in sizes
    ]


def _counts(shape: Shape, sizes: Mapping[str, str], faults: list[str]) -> dict[str, int]:
    """The sizes that are whole and positive; every other one adds a fault."""
    counts: dict[str, int] = {}
    for name in sizes:
        if name in _OPTIONAL and name not in shape:
            continue
        try:
            counts[name] = shape.count(name)
        except ProblemError as error:
            faults.append(str(error))
    return counts


def _misfits(counts: Mapping[str, int]) -> list[str]:
    """What is wrong with sizes that are whole and positive."""
    faults = []
    if "resolution" in counts:
        try:
            num_stages(counts["resolution"])
        except ArchitectureError as error:
            faults.append(str(error))
    if counts.get("channels", 1) > MAX_CHANNELS:
        faults.append(f"channels is {counts['channels']}; a universe has 1 to {MAX_CHANNELS} redshifts.")
    universes = counts.get("universes", 1)
    if counts.get("samples", universes) < universes:
        faults.append(
            f"samples ({counts['samples']}) are fewer than universes ({universes}); "
            "give at least one sample for each universe, or fewer universes."
        )
    return faults
