"""Points at other sizes whose steps follow known laws, and questions that nobody can answer."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.what_if_machines import NAME, Machine, Plain, Work, ceilings_of, record_of, run_of
from saih.analyzer.analysis import analyze
from saih.analyzer.what_if import Evidence, what_if
from saih.domain.point import Placement
from saih.domain.record import Record, Steps
from saih.domain.what_if import Alteration, Forecast, Growth, Part, Scenario

NOISES = (0.025, 0.08)
"""Standard deviation of log(step) between runs."""
FACTORS = (2.0, 4.0, 8.0)
_SHARE_OF_DRAWS = 5
"""A line of sizes is as much work as so many single points."""
_UNIT_NS = 1e7
_LEAST_ROWS = 8
_SIZES = (1, 2, 4, 8, 16, 32)
_RANKS = (1, 2, 4, 8)
_WORK_NS = 5e7

Answer = tuple[bool, float, float]
Law = Callable[[float], float]
LAWS: Mapping[str, Law] = {
    "2 + 0.5 n": lambda n: 2 + 0.5 * n,
    "1 + 0.3 n log2(n + 1)": lambda n: 1 + 0.3 * n * math.log2(n + 1),
    "0.5 + 0.1 n^1.7": lambda n: 0.5 + 0.1 * n**1.7,
    "n^1.15": lambda n: n**1.15,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """Machines along an axis, and how many times as far is asked."""

    name: str
    sizes: Sequence[int]
    machine: Callable[[float], Machine]
    factors: Sequence[float]


def growth_answers(
    num_draws: int, generator: np.random.Generator
) -> Iterator[tuple[str, str, list[Answer | None]]]:
    """Class, name and answers: the largest point of each line at larger sizes, foreseen and then run."""
    data = [
        (f"data {name}", _Axis(name="data", sizes=_SIZES, machine=_of_size(law), factors=FACTORS))
        for name, law in LAWS.items()
    ]
    ranks = ("ranks, a ring", _Axis(name="ranks", sizes=_RANKS, machine=_of_ranks, factors=FACTORS[:2]))
    for name, axis in (*data, ranks):
        for noise in NOISES:
            found = [
                answer
                for _ in range(num_draws // _SHARE_OF_DRAWS)
                for answer in _foreseen(axis, noise, generator)
            ]
            yield axis.name, f"{name}, {100 * noise:g} %", found


def _of_size(law: Law) -> Callable[[float], Machine]:
    def machine(size: float) -> Machine:
        step = _UNIT_NS * law(size)
        return Machine(forward=Work(compute=step / 3), backward=Work(compute=2 * step / 3))

    return machine


def _of_ranks(num_ranks: float) -> Machine:
    """The same work on each rank, and a ring of which nothing is hidden."""
    ring = 0.1 + 0.6 * (1 - 1 / num_ranks) + 0.02 * (num_ranks - 1)
    return Machine(
        forward=Work(compute=_WORK_NS / 3),
        backward=Work(compute=2 * _WORK_NS / 3),
        transfer=_WORK_NS * ring if num_ranks > 1 else 0.0,
        num_ranks=round(num_ranks),
    )


def _foreseen(axis: _Axis, noise: float, generator: np.random.Generator) -> Iterator[Answer | None]:
    evidence = _evidence(
        [_record(axis, size, run_of(axis.machine(size), generator, noise)) for size in axis.sizes]
    )
    largest = evidence.records[-1].record_id
    for factor in axis.factors:
        scenario = Scenario(growth=Growth(axis=axis.name, factor=factor))
        own = _of_record(what_if(evidence, scenario).forecasts, largest)[0].predicted_ns
        again = run_of(axis.machine(axis.sizes[-1] * factor), generator, noise)
        measured = float(np.median(again.slowest_ns))
        if own is None:
            yield None
            continue
        half_width = math.log(own.high / own.low) / 2
        yield own.low <= measured <= own.high, half_width, math.log(own.value / measured)


def _record(axis: _Axis, size: int, steps: Steps) -> Record:
    if axis.name == "ranks":
        return record_of(steps, num_ranks=size)
    return record_of(steps, rows=_LEAST_ROWS * size)


def _evidence(records: Sequence[Record], *, has_ceilings: bool = False) -> Evidence:
    work = Work(compute=_UNIT_NS)
    workload = Plain(passes={"forward": work, "backward": work})
    ceilings = [ceilings_of(records[0].point.placement)] if has_ceilings else []
    analysis = analyze(NAME, records, ceilings, (), len(records), find_workload=lambda _: workload)
    return Evidence(analysis=analysis, records=records, find_workload=lambda _: workload)


def _of_record(forecasts: Sequence[Forecast], record_id: str) -> list[Forecast]:
    return [forecast for forecast in forecasts if forecast.record_id == record_id]


def outside_answers(generator: np.random.Generator) -> dict[str, bool]:
    """Whether each question beyond what can be said is refused."""
    axis = _Axis(name="data", sizes=_SIZES, machine=_of_size(LAWS["2 + 0.5 n"]), factors=())
    line = _evidence([_record(axis, size, run_of(axis.machine(size), generator)) for size in axis.sizes])
    smallest, largest = line.records[0].record_id, line.records[-1].record_id
    two = _of_ranks(2.0)
    divided = Placement(ranks_per_node=2, tensor_parallel=2)
    pair = _evidence([record_of(run_of(two, generator), num_ranks=2)], has_ceilings=True)
    of_parts = _evidence([record_of(run_of(two, generator), num_ranks=2, placement=divided)])
    grown = {
        "8.1 times the largest size": (line, largest, Growth(axis="data", factor=8.1)),
        "half of the smallest size": (line, smallest, Growth(axis="data", factor=0.5)),
        "an axis that was not swept": (line, largest, Growth(axis="model", factor=2.0)),
        "a rung that is not there": (line, largest, Growth(axis="data", start="256 rows", target="9 rows")),
        "ranks from one number of them": (pair, pair.records[0].record_id, Growth(axis="ranks", factor=2.0)),
    }
    altered = {
        "the interconnect of one rank": (line, Alteration(part=Part.INTERCONNECT, speed=2.0)),
        "the balance of one rank": (line, Alteration(part=Part.IMBALANCE, speed=math.inf)),
        "arithmetic without ceilings": (line, Alteration(part=Part.COMPUTE, speed=2.0)),
        "the link of ranks that divide a model": (of_parts, Alteration(part=Part.INTERCONNECT, speed=2.0)),
    }
    found = {
        name: all(
            one.predicted_ns is None
            for one in _of_record(what_if(evidence, Scenario(growth=growth)).forecasts, record_id)
        )
        for name, (evidence, record_id, growth) in grown.items()
    }
    for name, (evidence, alteration) in altered.items():
        answers = what_if(evidence, Scenario(alterations=(alteration,))).forecasts
        found[name] = all(one.predicted_ns is None for one in answers)
    found["a part 8.1 times as fast"] = not _is_possible(Part.INPUT, 8.1)
    found["arithmetic removed"] = not _is_possible(Part.COMPUTE, math.inf)
    return found


def _is_possible(part: Part, speed: float) -> bool:
    try:
        Alteration(part=part, speed=speed)
    except ValueError:
        return False
    return True
