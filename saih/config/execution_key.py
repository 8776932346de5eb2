"""How a sweep file says in which ways steps are executed: by a name, by settings, or by a list of both."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from saih.config.entry import Entries, Path
from saih.config.key import Key, Section
from saih.config.kind import Choice, Whole
from workloads.execution import (
    GIVEN,
    NAMED,
    PLAIN,
    Compiler,
    Execution,
    Graph,
    Inputs,
    Kernels,
    Layout,
    Optimizer,
)
from workloads.precision import Precision
from workloads.protocol import Workload
from workloads.tunable import Tunable

NAME = "execution"
PATH: Path = ("run", NAME)
PRECISIONS = tuple(str(precision) for precision in Precision)
_MOST_BUCKET_MIB = 4096
_MOST_THREADS = 4096


def check_executions(entries: Entries, workload: Workload) -> None:
    """Report executions of a workload that runs its steps in one way only."""
    if isinstance(workload, Tunable):
        return
    for path in _asked(entries):
        found = _execution(entries, path)
        if found != PLAIN:
            entries.report(
                entries.values[path].place if path in entries.values else entries.places[path],
                path,
                found.label,
                f"plain, since {workload.name} runs its steps in one way",
                "remove the key",
            )


def num_executions(entries: Entries) -> int:
    """How many times every problem is measured on every placement."""
    return max(1, len(_asked(entries)))


def executions_of(entries: Entries) -> tuple[Execution, ...]:
    """The executions of entries without a mistake, in the order of the file."""
    return tuple(_execution(entries, path) for path in _asked(entries)) or (PLAIN,)


def executions_definition(executions: Sequence[Execution]) -> dict[str, Any]:
    """The executions of a sweep as its file has them; nothing for the plain one."""
    if tuple(executions) == (PLAIN,):
        return {}
    said = [one.name if one.name in NAMED else one.chosen for one in executions]
    return {NAME: said[0] if len(said) == 1 else said}


def _asked(entries: Entries) -> list[Path]:
    """Where each of them stands, in the order of the file; none where the key is not there."""
    known = {path for path in (*entries.values, *entries.places) if len(path) == 3 and path[:2] == PATH}
    return sorted(known, key=lambda path: int(path[2] or 0))


def _execution(entries: Entries, path: Path) -> Execution:
    if path in entries.values:
        return NAMED[entries.word(path)]
    return _given({name: entry.value for name, entry in entries.below(path)})


def _given(settings: Mapping[str, Any]) -> Execution:  # Any: values that the schema has typed
    """Those settings, the others plain."""
    found = replace(PLAIN, **settings)
    return found if found == PLAIN else replace(found, name=GIVEN)


EXECUTION = Key(
    name=NAME,
    kind=Section(
        words=tuple(NAMED),
        is_repeatable=True,
        is_optional=True,
        keys=(
            Key(
                name="precision",
                kind=Choice(words=PRECISIONS),
                meaning="number format in place of that of the run",
            ),
            Key(
                name="layout",
                kind=Choice(words=get_args(Layout)),
                meaning="order of the values of a grid in memory",
                default=PLAIN.layout,
            ),
            Key(
                name="kernels",
                kind=Choice(words=get_args(Kernels)),
                meaning="own: the faster forms of single operations that come with the application",
                default=PLAIN.kernels,
            ),
            Key(
                name="compiler",
                kind=Choice(words=get_args(Compiler)),
                meaning="what makes one program of the network before the first step",
                default=PLAIN.compiler,
            ),
            Key(
                name="graph",
                kind=Choice(words=get_args(Graph)),
                meaning="step: a GPU starts forward and backward pass as one recorded graph",
                default=PLAIN.graph,
            ),
            Key(
                name="optimizer",
                kind=Choice(words=get_args(Optimizer)),
                meaning="loop: weight by weight; foreach: many at a time; fused: by one kernel",
                default=PLAIN.optimizer,
            ),
            Key(
                name="inputs",
                kind=Choice(words=get_args(Inputs)),
                meaning="what the loader hands over: float32, normalised; or counts, for the device to do so",
                default=PLAIN.inputs,
            ),
            Key(
                name="bucket_mib",
                kind=Whole(low=1, high=_MOST_BUCKET_MIB),
                meaning="most gradients that ranks exchange at a time [MiB]",
                default=PLAIN.bucket_mib,
            ),
            Key(
                name="threads",
                kind=Whole(low=0, high=_MOST_THREADS),
                meaning="threads of one rank's arithmetic on a CPU; 0: those of the placement",
                default=PLAIN.threads,
            ),
        ),
    ),
    meaning="how steps are executed: plain; reference (what a plain loop in torch does, in float32, to "
    "compare systems by); tuned (the fastest settings that a short search before each point finds); "
    "tuned_at_precision (the same in the number format above); settings such as {optimizer: fused}; or a "
    "list of these, in each of which every point is measured",
    default=PLAIN.name,
)
"""The key of the sweep file."""
