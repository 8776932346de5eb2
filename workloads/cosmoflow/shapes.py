"""A CosmoFlow problem in its own words: a data set and a network instead of named sizes."""

from dataclasses import dataclass, replace
from functools import lru_cache

from augment.data import DataShape
from augment.problem import Problem, ProblemError
from cosmology.architecture import Architecture
from cosmology.definition import DatasetDefinition
from workloads.cosmoflow.data_sizes import data_definition
from workloads.cosmoflow.members import PLAIN, Options, member
from workloads.cosmoflow.model_shape import ModelShape


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmoFlowShape:
    """The sizes of one problem, checked."""

    definition: DatasetDefinition
    """Its data set, of seed 0."""
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
    def samples(self) -> int:
        """Grids of the data set."""
        return self.definition.num_samples

    @property
    def resolution(self) -> int:
        """Side of a grid [voxels]."""
        return self.definition.resolution

    @property
    def channels(self) -> int:
        """Redshifts of a grid."""
        return self.definition.num_channels

    @property
    def universes(self) -> int:
        """Independent simulations that the grids are cut from."""
        return self.definition.num_universes

    @property
    def data(self) -> DataShape:
        """The grids that are stored."""
        return DataShape(samples=self.samples, resolution=self.resolution, channels=self.channels)

    def architecture(self) -> Architecture:
        """The network that learns this problem."""
        return member(self.resolution, self.channels, self.depth, self.width, self.options)

    def dataset(self, seed: int) -> DatasetDefinition:
        """What decides the problem's data set."""
        return self.definition if seed == self.definition.seed else replace(self.definition, seed=seed)


@lru_cache(maxsize=4096)
def _known_shape(problem: Problem, _kinds: tuple[type, ...]) -> CosmoFlowShape:
    """The sizes of a problem, found once: plans and analyses ask for those of each point several times."""
    faults: list[str] = []
    definition = data_definition(problem.data, faults)
    model = ModelShape.read(problem.model, faults)
    if faults or definition is None:
        raise ProblemError("\n".join(faults))
    depth, width = model.extent(definition.resolution, definition.num_channels)
    return CosmoFlowShape(definition=definition, depth=depth, width=width, options=model.options)
