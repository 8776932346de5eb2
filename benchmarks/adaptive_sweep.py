"""A sweep of a known truth, measured adaptively and in full, by the planner and the analyzer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from saih.analyzer.next_point import Grid, Place, beliefs
from saih.analyzer.terms import Library
from saih.domain.adaptive import Asked
from saih.domain.interval import Interval, median_interval
from saih.domain.point import Timing
from saih.harness.decision import decide
from saih.planner.adaptive import Prospect, choose, relaxed, start_design

RUN_SIGMA, STEP_SIGMA = 0.02, 0.05
MAX_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A grid whose steps are known."""

    name: str
    sizes: tuple[tuple[float, ...], ...]
    step_s: Callable[[tuple[float, ...]], float]
    nodes: Callable[[tuple[float, ...]], float]
    library: Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measured point."""

    step_ns: Interval
    node_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a sweep of a grid gave."""

    measured: frozenset[str]
    node_s: float
    errors: Mapping[str, float]
    """log(believed / true) at every place."""
    half_widths: Mapping[str, float]
    is_reached: bool


Measure = Callable[[str, Timing], Measured]


def adaptive(truth: Truth, precision: float, generator: np.random.Generator) -> Outcome:
    """Choose points until the precision is reached."""
    names = {str(index): sizes for index, sizes in enumerate(truth.sizes)}

    def measure(point_id: str, timing: Timing) -> Measured:
        return _measure(truth, names[point_id], timing, generator)

    true_ns = {name: truth.step_s(sizes) * 1e9 for name, sizes in names.items()}
    nodes = {name: truth.nodes(sizes) for name, sizes in names.items()}
    return choose_among(names, nodes, true_ns, truth.library, (precision, Timing()), measure)


def full(truth: Truth, generator: np.random.Generator, timing: Timing | None = None) -> Outcome:
    """Every point, measured as sweeps are by default, or by this timing."""
    names = {str(index): sizes for index, sizes in enumerate(truth.sizes)}
    found = {name: _measure(truth, sizes, timing or Timing(), generator) for name, sizes in names.items()}
    true_ns = {name: truth.step_s(sizes) * 1e9 for name, sizes in names.items()}
    return outcome_of(names, found, true_ns, truth.library, is_reached=True)


def choose_among(
    names: Mapping[str, tuple[float, ...]],
    nodes: Mapping[str, float],
    true_ns: Mapping[str, float],
    library: Library,
    wish: tuple[float, Timing],
    measure: Measure,
) -> Outcome:
    """The loop of an adaptive sweep for a precision and a usual timing; ``measure`` stands for ranks."""
    precision, usual = wish
    asked, own = Asked(precision=precision), relaxed(usual, precision)
    places = [Place(point_id=name, sizes=sizes) for name, sizes in names.items()]
    start = start_design(names)
    found: dict[str, Measured] = {}
    while True:
        known = {name: one.step_ns for name, one in found.items()}
        believed = beliefs(Grid(places=places, measured=known, library=library))
        prospects = [
            Prospect(
                point_id=name,
                half_width=believed[name].half_width,
                node_s=_predicted_node_s(believed[name].step_ns, nodes[name], len(found), known, own),
            )
            for name in names
            if name not in found
        ]
        spent = sum(one.node_s for one in found.values())
        choice = choose(asked, start, prospects, spent)
        if choice.point_id is None:
            worst = max(belief.half_width for belief in believed.values())
            return outcome_of(names, found, true_ns, library, is_reached=worst <= precision)
        found[choice.point_id] = measure(choice.point_id, own)


def outcome_of(
    names: Mapping[str, tuple[float, ...]],
    found: Mapping[str, Measured],
    true_ns: Mapping[str, float],
    library: Library,
    *,
    is_reached: bool,
) -> Outcome:
    """What is believed of every place, against the truth."""
    places = [Place(point_id=name, sizes=sizes) for name, sizes in names.items()]
    known = {name: one.step_ns for name, one in found.items()}
    believed = beliefs(Grid(places=places, measured=known, library=library))
    return Outcome(
        measured=frozenset(found),
        node_s=sum(one.node_s for one in found.values()),
        errors={name: float(np.log(believed[name].step_ns / true_ns[name])) for name in names},
        half_widths={name: believed[name].half_width for name in names},
        is_reached=is_reached,
    )


def _predicted_node_s(
    step_ns: float, nodes: float, num_known: int, known: Mapping[str, Interval], timing: Timing
) -> float:
    """As a sweep predicts it: as many steps as the measured points took."""
    steps = float(np.median([one.count for one in known.values()])) if num_known else timing.min_steps
    step_s = step_ns * 1e-9 if num_known >= 2 else 1.0
    return max(nodes * step_s * (timing.warmup_steps + steps), 1e-9)


def _measure(
    truth: Truth, sizes: tuple[float, ...], timing: Timing, generator: np.random.Generator
) -> Measured:
    run_ns = truth.step_s(sizes) * 1e9 * float(np.exp(RUN_SIGMA * generator.standard_normal()))
    noise = np.exp(STEP_SIGMA * generator.standard_normal(MAX_STEPS + timing.warmup_steps))
    steps = np.rint(run_ns * noise).astype(int).tolist()
    return cut(steps, truth.nodes(sizes), timing)


def cut(steps: list[int], nodes: float, timing: Timing) -> Measured:
    """The steps up to where the rule of the harness stops; the first are warm-up."""
    warmup, rest = steps[: timing.warmup_steps], steps[timing.warmup_steps :]
    count = 0
    expected = float(np.median(warmup)) if warmup else 0.0
    while count < len(rest):
        decision = decide(rest[:count], expected, timing)
        if not decision.num_steps:
            break
        count = min(count + decision.num_steps, len(rest))
    spent_s = (sum(warmup) + sum(rest[:count])) * 1e-9
    return Measured(step_ns=median_interval(rest[:count]), node_s=nodes * spent_s)
