"""A CosmoFlow problem in its own words: typed sizes instead of named ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from augment.data import DataShape
from augment.problem import Problem, ProblemError, Shape
from cosmology.architecture import Architecture, ArchitectureError, num_stages
from cosmology.definition import NUM_SYMMETRIES, REDSHIFT_ORDER, DatasetDefinition, DatasetError, Reuse
from workloads.cosmoflow.members import PLAIN, Options, member
from workloads.cosmoflow.model_shape import ModelShape

DATA_SIZES: Mapping[str, str] = {
    "samples": "grids of the data set, at least one for each universe",
    "resolution": "side of a grid [voxels], a power of two of at least 8",
    "channels": f"redshifts of a grid, 1 to {len(REDSHIFT_ORDER)}",
    "universes": "independent simulations that the samples are cut from; if not given, enough for "
    "separate cuts, and one for every 8 samples",
}
_OPTIONAL = ("universes",)
_MOST_SAMPLES_OF_UNIVERSE = 8
"""By default; samples of one universe share their label, so small grids would be cut from too few."""
_LIMITS: Mapping[str, int] = {
    "samples": 10**12,
    "resolution": 1024,
    "channels": len(REDSHIFT_ORDER),
    "universes": 10**12,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmoFlowShape:
    """The sizes of one problem, checked."""

    samples: int
    resolution: int
    channels: int
    universes: int
    depth: int
    width: int
    options: Options = PLAIN
    """What the network has besides its sizes."""

    @staticmethod
    def from_problem(problem: Problem) -> "CosmoFlowShape":
        """The problem's sizes.

        Raises:
            ProblemError: when the problem cannot be built, with all that is wrong at once.
        """
        return _known_shape(problem, problem.kinds)

    @property
    def data(self) -> DataShape:
        """The grids that are stored."""
        return DataShape(samples=self.samples, resolution=self.resolution, channels=self.channels)

    def architecture(self) -> Architecture:
        """The network that learns this problem."""
        return member(self.resolution, self.channels, self.depth, self.width, self.options)

    def dataset(self, seed: int) -> DatasetDefinition:
        """What decides the problem's data set."""
        return _dataset(
            {
                "samples": self.samples,
                "universes": self.universes,
                "resolution": self.resolution,
                "channels": self.channels,
            },
            seed,
        )


@lru_cache(maxsize=4096)
def _known_shape(problem: Problem, _kinds: tuple[type, ...]) -> CosmoFlowShape:
    """The sizes of a problem, found once: plans and analyses ask for those of each point several times."""
    faults: list[str] = []
    counts = _counts(problem.data, faults)
    model = ModelShape.read(problem.model, faults)
    faults += _resolution_faults(counts)
    if faults:
        raise ProblemError("\n".join(faults))
    counts.setdefault("universes", _default_universes(counts))
    _check_dataset(counts)
    depth, width = model.extent(counts["resolution"], counts["channels"])
    return CosmoFlowShape(**counts, depth=depth, width=width, options=model.options)


def _counts(shape: Shape, faults: list[str]) -> dict[str, int]:
    """The sizes that are whole, positive and within their limits; every other one adds a fault."""
    faults += [
        f"the data shape has no size {name!r}; its sizes are {', '.join(DATA_SIZES)}."
        for name in shape
        if name not in DATA_SIZES
    ]
    counts: dict[str, int] = {}
    for name in DATA_SIZES:
        if name in _OPTIONAL and name not in shape:
            continue
        try:
            counts[name] = shape.count(name, at_most=_LIMITS[name])
        except ProblemError as error:
            faults.append(str(error))
    return counts


def _resolution_faults(counts: Mapping[str, int]) -> list[str]:
    try:
        num_stages(counts.get("resolution", 8))
    except ArchitectureError as error:
        return [str(error)]
    return []


def _check_dataset(counts: Mapping[str, int]) -> None:
    samples, universes = counts["samples"], counts["universes"]
    if samples < universes:
        raise ProblemError(
            f"samples ({samples}) are fewer than universes ({universes}); "
            "give at least one sample for each universe, or fewer universes."
        )
    try:
        most = NUM_SYMMETRIES * _dataset({**counts, "samples": universes}, seed=0).crops_per_universe
    except DatasetError as error:
        raise ProblemError(str(error)) from error
    if samples > most * universes:
        raise ProblemError(
            f"{universes} universes give at most {most * universes} different samples of "
            f"{counts['resolution']}^3 (cuts, rotated and reflected), but samples is {samples}; "
            f"give at least {-(-samples // most)} universes, or leave universes out."
        )


def _default_universes(counts: Mapping[str, int]) -> int:
    samples = counts["samples"]
    crops = _dataset({**counts, "samples": 1, "channels": 1, "universes": 1}, seed=0).crops_per_universe
    return -(-samples // min(_MOST_SAMPLES_OF_UNIVERSE, crops))


def _dataset(counts: Mapping[str, int], seed: int) -> DatasetDefinition:
    return DatasetDefinition(
        seed=seed,
        num_samples=counts["samples"],
        num_universes=counts["universes"],
        resolution=counts["resolution"],
        redshifts=REDSHIFT_ORDER[: counts["channels"]],
        reuse=Reuse.CUBE_SYMMETRIES,
    )
