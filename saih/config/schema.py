"""The one declaration of a sweep file: its keys, their kinds, meanings and defaults.

Reading, defaults, error texts, the commented file of ``saih init`` and the exported JSON Schema all
derive from it.
"""

from typing import get_args

from augment.compound import MOST_PHI
from augment.iso import Quantity
from saih.config.execution_key import EXECUTION, PRECISIONS
from saih.config.key import Key, Listed, Rungs, Section, Sizes
from saih.config.kind import Choice, Real, Text, Whole
from saih.config.placement_keys import PLACEMENT
from saih.domain.point import Exchange, Timing
from saih.domain.scaling import Grows, Scaling
from saih.domain.site import SchedulerName
from saih.domain.supply import Input, Staging, Supply

RESERVED_NAMES = ("ceilings", "executions")
"""Folders below the results folder that are no sweeps."""
SCHEDULERS: tuple[SchedulerName, ...] = get_args(SchedulerName)
DEFAULT_SCALING: Scaling = "weak"
"""The one that every batch allows."""
_TIMING = Timing()
_SUPPLY = Supply()
_LONGEST_S = 7 * 86_400.0


def sweep_schema(workloads: tuple[str, ...]) -> Section:
    """The keys of a sweep of one of these workloads."""
    return Section(
        keys=(
            Key(
                name="name",
                kind=Text(reserved=RESERVED_NAMES),
                meaning="name of the sweep, of its folder of results and of its report",
                is_required=True,
            ),
            Key(
                name="workload",
                kind=Choice(words=workloads),
                meaning="the application that is scaled",
                is_required=True,
            ),
            Key(name="base", kind=_BASE, meaning="the problem that the axes start from", is_required=True),
            Key(
                name="axes",
                kind=_AXES,
                meaning="what grows; every rung of one axis meets every rung of the others",
            ),
            Key(name="run", kind=_RUN, meaning="how the application runs"),
            Key(
                name="placement",
                kind=PLACEMENT,
                meaning="where the ranks run; a list of placements measures all of them",
            ),
            Key(name="timing", kind=_TIMES, meaning="how long each point is measured"),
            Key(
                name="scheduler",
                kind=Choice(words=SCHEDULERS),
                meaning="what gives the nodes on which ranks start; local is this machine",
                default=SCHEDULERS[0],
            ),
        )
    )


_BASE = Section(
    keys=(
        Key(name="data", kind=Sizes(axis="data"), meaning="sizes of the data", is_required=True),
        Key(name="model", kind=Sizes(axis="model"), meaning="sizes of the model", is_required=True),
    )
)
_RANKS = Section(
    is_optional=True,
    keys=(
        Key(
            name="scaling",
            kind=Choice(words=get_args(Scaling)),
            meaning="strong: more ranks share the global batch of the first rung; weak: every rank keeps "
            "batch_per_rank; throughput: weak, and the ranks exchange nothing",
            default=DEFAULT_SCALING,
        ),
        Key(
            name="ranks",
            kind=Listed(item=Whole(low=1, high=1_000_000), example="[1, 2, 4]"),
            meaning="numbers of ranks, growing; nodes are filled with ranks_per_node of the placement one "
            "after the other (if not given: doubling up to the ranks of the placement)",
        ),
        Key(
            name="grows",
            kind=Choice(words=get_args(Grows)),
            meaning="data: more ranks make replicas; tensor, pipeline, spatial: they divide one model, or "
            "its samples, further, and scaling is strong whatever it says",
            default="data",
        ),
    ),
)
_ISO = Section(
    is_optional=True,
    keys=(
        Key(
            name="hold",
            kind=Choice(words=get_args(Quantity)),
            meaning="what stays: flops (of one step of all ranks), memory (of one rank, for its tensors) "
            "or bytes (of the data set)",
            is_required=True,
        ),
        Key(
            name="walk",
            kind=Rungs(axis=None),
            meaning="lists of sizes of data or model, of ranks, batch_per_rank or spatial_parallel; lists "
            "pair up, unless combine: product crosses them",
            is_required=True,
        ),
        Key(
            name="free",
            kind=Text(),
            meaning="the size that follows: width, samples, batch_per_rank, ranks, spatial_parallel or such",
            is_required=True,
        ),
        Key(
            name="tolerance",
            kind=Real(above=0, below=1),
            meaning="most relative deviation of what is held; stations that miss it are left out and named",
            default=0.1,
        ),
    ),
)
_COMPOUND = Section(
    is_optional=True,
    keys=(
        Key(
            name="phi",
            kind=Listed(item=Real(above=-MOST_PHI, below=MOST_PHI), example="[0, 1, 2, 3]"),
            meaning="steps of the knob: each doubles the FLOP of a sample, shared by depth, width and "
            "resolution",
            is_required=True,
        ),
    ),
)
_AXES = Section(
    keys=(
        Key(
            name="data",
            kind=Rungs(axis="data"),
            meaning="lists of data sizes; lists of one axis pair up, unless combine: product crosses them",
        ),
        Key(
            name="model",
            kind=Rungs(axis="model"),
            meaning="lists of model sizes; lists of one axis pair up, unless combine: product crosses them",
        ),
        Key(name="ranks", kind=_RANKS, meaning="how many ranks share the work of the one placement"),
        Key(
            name="iso",
            kind=_ISO,
            meaning="instead of data and model: sizes that change against each other, so that one quantity "
            "stays what it is at the base",
        ),
        Key(
            name="compound",
            kind=_COMPOUND,
            meaning="instead of data and model: depth, width and resolution grow together",
        ),
    )
)
_RUN = Section(
    keys=(
        Key(
            name="batch_per_rank",
            kind=Whole(low=1, high=1_000_000),
            meaning="samples of one step on one rank; where ranks divide a model, of each pass of a replica",
            default=1,
        ),
        Key(
            name="precision",
            kind=Choice(words=PRECISIONS),
            meaning="number format of the arithmetic; tf32 and float16 are those of GPUs",
            default=PRECISIONS[0],
        ),
        EXECUTION,
        Key(
            name="exchange",
            kind=Choice(words=get_args(Exchange)),
            meaning="how ranks share gradients: by torch (ddp), by Horovod, or not at all; a single rank "
            "always runs with none, and a workload without gradients takes nothing else (its default)",
            default="ddp",
        ),
        Key(
            name="seed",
            kind=Whole(low=0, high=2**31 - 1),
            meaning="start of every random stream",
            default=1,
        ),
        Key(
            name="input",
            kind=Choice(words=get_args(Input)),
            meaning="real: samples of the data set; synthetic: a few batches of the same shapes, made once "
            "in memory, so that no data set is made or read",
            default=_SUPPLY.input,
        ),
        Key(
            name="staging",
            kind=Choice(words=get_args(Staging)),
            meaning="node: what the ranks of a node read is copied to its own disk before the first point, "
            "and the time of that is recorded; none: samples are read from the data folder",
            default=_SUPPLY.staging,
        ),
    )
)
_TIMES = Section(
    keys=(
        Key(
            name="warmup_steps",
            kind=Whole(low=0, high=1_000_000),
            meaning="steps before measuring begins",
            default=_TIMING.warmup_steps,
        ),
        Key(
            name="min_steps",
            kind=Whole(low=1, high=1_000_000),
            meaning="fewest measured steps",
            default=_TIMING.min_steps,
        ),
        Key(
            name="max_steps",
            kind=Whole(low=1, high=1_000_000),
            meaning="most measured steps",
            default=_TIMING.max_steps,
        ),
        Key(
            name="relative_width",
            kind=Real(above=0, below=1),
            meaning="stop when the 95 % interval of the median step is this narrow, relative to the median",
            default=_TIMING.relative_width,
        ),
        Key(
            name="budget_s",
            kind=Real(above=0, below=_LONGEST_S),
            meaning="most seconds of measured steps of one point",
            default=_TIMING.budget_s,
        ),
    )
)
