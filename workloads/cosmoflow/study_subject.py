"""What a study learns: a problem itself, or a twin where the problem is too large to be learnt here."""

from dataclasses import dataclass, replace

from augment.problem import Problem
from cosmology.architecture import REFERENCE, Architecture
from cosmology.definition import DatasetDefinition, Reuse, Split
from workloads.cosmoflow.examples import MAX_BYTES
from workloads.cosmoflow.members import Options, member, training_flops
from workloads.cosmoflow.problem_data import definition_of
from workloads.cosmoflow.shapes import CosmoFlowShape

LEAST_UNIVERSES = 32
"""Fewer teach a network nothing that holds for others."""
MOST_TWIN_UNIVERSES = 256
GENERATION_SHARE = 0.35
"""Of a budget may go to making data."""
TRAINING_SHARE = 0.4
"""Of a budget must be enough for the least training."""
LEAST_STEPS = 100
"""Fewer optimizer steps show nothing."""
NUM_TRAININGS = 4.6
"""Trainings of a study, in units of the one whose error counts."""
SHRINKING = 4
"""The side of a twin's grids is this much smaller."""
BATCH = 16
_LEAST_TWIN_SIDE = 16
"""Grids of a twin are not made smaller than this: 8^3 tell a ridge hardly more than nothing."""
_TWIN_SIDE = 32
"""Particles per axis of a twin's universes, unless its grids have more. Its samples are whole boxes: of 128
universes a ridge learns more from boxes of 16^3 (error 0.385) than from crops of 16^3 (0.411) or of
8^3 (0.469)."""
_MOST_SAMPLES_OF_UNIVERSE = 8
_JUDGED_SHARE = 4
"""One universe judges for so many that are learnt from."""
_LEAST_JUDGED = 8
_PARTICLE_STEPS_PER_CORE_S = 1.0e6
_CPU_FLOPS_PER_S, _GPU_FLOPS_PER_S = 1.0e10, 5.0e12
"""What one rank trains with at least; it only tells what is worth trying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a study may spend."""

    duration_s: float
    num_ranks: int
    is_on_gpu: bool
    held_bytes: int = MAX_BYTES
    """Of samples to learn from, so many are held in memory."""

    @property
    def training_flops(self) -> float:
        """Operations that the least trainings may take together."""
        rate = _GPU_FLOPS_PER_S if self.is_on_gpu else _CPU_FLOPS_PER_S
        return TRAINING_SHARE * self.duration_s * rate * min(self.num_ranks, NUM_TRAININGS)

    @property
    def particle_steps(self) -> float:
        """Steps of particles that making data may take."""
        return GENERATION_SHARE * self.duration_s * self.num_ranks * _PARTICLE_STEPS_PER_CORE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is learnt, and by what."""

    train: DatasetDefinition
    judged: DatasetDefinition
    """Other universes, which nothing is learnt from."""
    depth: int
    width: int
    options: Options
    is_twin: bool
    words: str

    @property
    def architecture(self) -> Architecture:
        """The network that learns."""
        return self.architecture_for(self.train.resolution, self.train.num_channels)

    def architecture_for(self, resolution: int, channels: int) -> Architecture:
        """The member of the same depth and width for other grids."""
        return member(resolution, channels, self.depth, self.width, self.options)

    @property
    def is_reference(self) -> bool:
        """Whether the target of MLPerf HPC is meant for this."""
        return not self.is_twin and self.architecture == REFERENCE

    @property
    def can_be_learnt_from(self) -> bool:
        """Whether there are universes enough."""
        return self.train.num_universes >= LEAST_UNIVERSES

    @property
    def particle_steps(self) -> int:
        """Steps of particles that all its data take."""
        return self.train.num_particle_steps + self.judged.num_particle_steps


def subject_of(problem: Problem, budget: Budget, *, has_data: bool) -> Subject:
    """The problem itself where it can be learnt within the budget, else a twin; its words say why.

    A twin keeps depth and width, and has whole boxes of a quarter of the side, but no fewer than 16^3 voxels
    where the problem has as many.
    ``has_data`` tells that the problem's own data set is there.

    Raises:
        ProblemError: when the problem cannot be built.
    """
    itself = _itself(problem)
    reason = _obstacle(itself, budget, has_data=has_data)
    return _twin(itself, budget, reason) if reason else itself


def _itself(problem: Problem) -> Subject:
    shape, definition = CosmoFlowShape.from_problem(problem), definition_of(problem)
    return Subject(
        train=definition,
        judged=_others(definition),
        depth=shape.depth,
        width=shape.width,
        options=shape.options,
        is_twin=False,
        words=f"the problem itself: {_words(definition)}",
    )


def _twin(itself: Subject, budget: Budget, reason: str) -> Subject:
    side = itself.train.resolution
    resolution = min(side, max(side // SHRINKING, _LEAST_TWIN_SIDE))
    simulated = max(_TWIN_SIDE, resolution)
    one = replace(
        itself.train,
        num_samples=1,
        num_universes=1,
        resolution=resolution,
        simulation_side=simulated,
        base_box_mpc_per_h=0.0,
        coarsening=simulated // resolution,
        reuse=Reuse.NONE,
    )
    affordable = int(budget.particle_steps / ((1 + 1 / _JUDGED_SHARE) * one.num_particle_steps))
    universes = 1 << (max(2, min(MOST_TWIN_UNIVERSES, affordable)).bit_length() - 1)
    train = replace(one, num_universes=universes, num_samples=universes)
    return replace(
        itself,
        train=train,
        judged=_others(train),
        is_twin=True,
        words=f"a twin of the same depth and width: {_words(train)} ({reason})",
    )


def _others(definition: DatasetDefinition) -> DatasetDefinition:
    """Data of the same kind from universes of another split."""
    universes = max(_LEAST_JUDGED, definition.num_universes // _JUDGED_SHARE)
    samples = min(definition.num_samples // definition.num_universes, _MOST_SAMPLES_OF_UNIVERSE)
    return replace(
        definition, split=Split.VALIDATION, num_universes=universes, num_samples=universes * samples
    )


def _obstacle(itself: Subject, budget: Budget, *, has_data: bool) -> str:
    """Why the problem itself cannot be learnt here; empty where it can."""
    if not itself.can_be_learnt_from:
        return f"the problem's own {itself.train.num_universes} universes are too few to learn from"
    missing = itself.judged.num_particle_steps if has_data else itself.particle_steps
    if missing > budget.particle_steps:
        return f"its own data would take most of {budget.duration_s:g} s to make"
    if itself.train.dataset_bytes > budget.held_bytes:
        return f"its own {itself.train.dataset_bytes / 1e9:.3g} GB are more than a study holds in memory"
    flops = LEAST_STEPS * BATCH * NUM_TRAININGS * training_flops(itself.architecture)
    if flops > budget.training_flops:
        return f"its own network could not be trained in {budget.duration_s:g} s"
    return ""


def _words(definition: DatasetDefinition) -> str:
    return (
        f"{definition.num_samples} samples of {definition.resolution}^3 x {definition.num_channels} from "
        f"{definition.num_universes} universes"
    )
