"""Fit the constants of prediction intervals to what happened, and print them beside those in use.

Half of the weight have hold-out predictions on the public measured series, series counting equally; the
other half made-up laws (4 to 8 sizes, noise of 0.5 to 10 %, which the laws are told as 9 runs would tell it).
The factors of ``saih.analyzer.calibration.Doubts`` and the degrees of freedom maximise the likelihood of
Student's t.

    python -m benchmarks.calibration [--series FILE] [--quick] [--seed N]
"""

import argparse
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from benchmarks.bars import judge
from benchmarks.public_series_corpus import LIBRARIES, Task, find_file, make_tasks, read_series
from benchmarks.public_series_scores import LARGEST_ERROR
from saih.analyzer.calibration import CALIBRATION, Calibration
from saih.analyzer.fit import Law, fit_law
from saih.analyzer.foreseeing import foresee
from saih.analyzer.stack import TUNING, Tuning
from saih.domain.errors import SaihError

Array = NDArray[np.float64]
LEVELS = (0.80, 0.90, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was foreseen, and how far off it was, ``N`` predictions."""

    doubts: Array
    """``[N, 6]``, in the order of the fields of ``Doubts``."""
    errors: Array
    """log(measured / foreseen)."""
    weights: Array
    """Their sum is 1."""


def main(arguments: list[str]) -> int:
    """Print the fit and the constants in use; 1 if those are not as good."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--series", type=Path, help="the public series, as CSV")
    parser.add_argument("--quick", action="store_true", help="fewer made-up laws")
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args(arguments)
    seed = given.seed if given.seed is not None else secrets.randbelow(2**31)
    try:
        tasks = make_tasks(read_series(find_file(given.series)))
    except SaihError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"seed {seed}")
    measured = evidence_of(tasks, TUNING)
    made_up = made_up_evidence(300 if given.quick else 1500, np.random.default_rng(seed))
    fresh = fit_calibration([measured, made_up])
    print("mean log likelihoods are last in each line")
    print(f"{'':14}{'in use':>10}{'fitted':>10}")
    for name, used, found in zip(
        [one.name for one in fields(Calibration)], astuple(CALIBRATION), astuple(fresh), strict=True
    ):
        print(f"{name:14}{used:10.3f}{found:10.3f}")
    for name, one in (("public series", measured), ("made-up laws", made_up)):
        for title, calibration in (("in use", CALIBRATION), ("fitted", fresh)):
            shares = "".join(f"{coverage(one, calibration, level):8.3f}" for level in LEVELS)
            print(f"{name:14} {title}: held at 80, 90, 95 % {shares}, {likelihood(one, calibration):.3f}")
    lost = sum(likelihood(one, fresh) - likelihood(one, CALIBRATION) for one in (measured, made_up))
    return 0 if judge("constants-in-use", lost, "log likelihood lost", "<=", 0.05) else 1


def law_of(task: Task, tuning: Tuning) -> Law:
    """The law of what is known of a task."""
    sizes, values = task.trained()
    law = fit_law(sizes, values, 0.0, LIBRARIES[task.series.kind], tuning)
    if law is None:
        raise ValueError(f"{task.series.name}: {len(sizes)} points must support a law")
    return law


def evidence_of(tasks: Sequence[Task], tuning: Tuning) -> Evidence:
    """How the tasks went; series weigh the same."""
    parts = [_outcome(law_of(task, tuning), task.targets, np.log(task.truths)) for task in tasks]
    series = np.repeat([task.series.name for task in tasks], [len(task.places) for task in tasks])
    _, places, counts = np.unique(series, return_inverse=True, return_counts=True)
    return Evidence(
        doubts=np.concatenate([doubts for doubts, _ in parts]),
        errors=np.concatenate([errors for _, errors in parts]),
        weights=1 / counts[places] / len(counts),
    )


def made_up_evidence(count: int, generator: np.random.Generator) -> Evidence:
    """How made-up laws go: one target inside the range, three at 2, 4 and 8 times its end."""
    parts = [_made_up(index, generator) for index in range(count)]
    return Evidence(
        doubts=np.concatenate([doubts for doubts, _ in parts]),
        errors=np.concatenate([errors for _, errors in parts]),
        weights=np.full(4 * count, 1 / (4 * count)),
    )


def _made_up(index: int, generator: np.random.Generator) -> tuple[Array, Array]:
    kind = ("strong", "weak", "size")[index % 3]
    truth = _TRUTHS[kind](generator)
    sizes = np.exp2(np.arange(generator.integers(4, 9), dtype=np.float64))
    noise = float(np.exp(generator.uniform(np.log(0.005), np.log(0.1))))
    told = noise * float(np.sqrt(generator.chisquare(8) / 8))
    values = truth(sizes) * np.exp(noise * generator.standard_normal(len(sizes)))
    inside = np.exp2(generator.uniform(0, len(sizes) - 1))
    targets = np.array([inside, *(sizes[-1] * np.array([2, 4, 8]))])
    law = fit_law(sizes.tolist(), values.tolist(), told, LIBRARIES[kind])
    if law is None:
        raise ValueError(f"{len(sizes)} sizes must support a law")
    return _outcome(law, targets, np.log(truth(targets)) + noise * generator.standard_normal(4))


def _outcome(law: Law, targets: Array, log_truths: Array) -> tuple[Array, Array]:
    values, doubts = foresee(law, targets)
    return np.stack(astuple(doubts), axis=1), log_truths - values


Truth = Callable[[Array], Array]


def _between(generator: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _strong(generator: np.random.Generator) -> Truth:
    rest, work, extra = (_between(generator, low, high) for low, high in ((0.01, 1), (5, 60), (0.01, 0.5)))
    power = generator.uniform(0.6, 1.05)
    shapes: list[Truth] = [
        lambda p: rest + work / p,
        lambda p: rest + work / p + extra * np.log2(p),
        lambda p: rest + work / p**power,
        lambda p: rest + work / p + 0.2 * extra * np.sqrt(p),
    ]
    return shapes[generator.integers(len(shapes))]


def _weak(generator: np.random.Generator) -> Truth:
    share, power = _between(generator, 0.01, 0.5), generator.uniform(0.2, 0.9)
    shapes: list[Truth] = [
        lambda p: 1 + share * np.log2(p),
        lambda p: 1 + share * p**power,
        lambda p: 1 + share * (1 - 1 / p) + 0.01 * share * p,
        np.ones_like,
    ]
    return shapes[generator.integers(len(shapes))]


def _size(generator: np.random.Generator) -> Truth:
    share, power, bend = (
        _between(generator, 0.05, 3),
        generator.uniform(0.5, 2.2),
        _between(generator, 0.01, 0.3),
    )
    shapes: list[Truth] = [
        lambda n: 1 + share * n,
        lambda n: 1 + share * n**power,
        lambda n: 1 + share * n * np.log2(n + 1),
        lambda n: 1 + share * n + bend * share * n**2,
    ]
    return shapes[generator.integers(len(shapes))]


_TRUTHS: dict[str, Callable[[np.random.Generator], Truth]] = {"strong": _strong, "weak": _weak, "size": _size}


def fit_calibration(parts: Sequence[Evidence]) -> Calibration:
    """Constants of the greatest likelihood; every part has the same weight."""

    def unlikely(logs: Array) -> float:
        found = _calibration(logs)
        # The second summand keeps factors that nothing speaks for at a finite place.
        return -sum(likelihood(part, found) for part in parts) + 1e-4 * float(logs @ logs)

    begin = np.log([0.7, 0.3, 0.3, 0.3, 0.5, 0.1, 2.0])
    return _calibration(
        optimize.minimize(unlikely, begin, method="L-BFGS-B", bounds=[(-10, 4)] * len(begin)).x
    )


def _calibration(logs: Array) -> Calibration:
    *factors, freedom = np.exp(logs).tolist()
    return Calibration(
        **dict(zip([one.name for one in fields(Calibration)][:-1], factors, strict=True)), freedom=1 + freedom
    )


def likelihood(part: Evidence, calibration: Calibration) -> float:
    """Mean log likelihood of the errors."""
    deviation = _deviation(part, calibration)
    errors = np.clip(part.errors, -LARGEST_ERROR, LARGEST_ERROR)
    return float(part.weights @ (stats.t.logpdf(errors / deviation, calibration.freedom) - np.log(deviation)))


def held(part: Evidence, calibration: Calibration, level: float) -> NDArray[np.bool_]:
    """Which measurements lay inside their interval."""
    reach = float(special.stdtrit(calibration.freedom, (1 + level) / 2))
    return np.asarray(np.abs(part.errors) <= reach * _deviation(part, calibration))


def coverage(part: Evidence, calibration: Calibration, level: float) -> float:
    """Share of measurements inside their interval, series weighing the same."""
    return float(part.weights @ held(part, calibration, level))


def half_width(part: Evidence, calibration: Calibration, level: float) -> float:
    """Median half-width of the intervals in log."""
    reach = float(special.stdtrit(calibration.freedom, (1 + level) / 2))
    return float(np.median(reach * _deviation(part, calibration)))


def _deviation(part: Evidence, calibration: Calibration) -> Array:
    return np.sqrt(part.doubts @ np.array(astuple(calibration)[:-1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
