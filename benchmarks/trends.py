"""Known-truth table of the trend laws: how far off they are beyond the range, and how often they say so.

Synthetic series of 4, 5, 6 and 8 sizes (1, 2, 4, ...) follow known laws, some of them outside the library,
with 2 % and 8 % noise from run to run. For targets inside the range and at 2, 4 and 8 times its end the table
gives the median error |log(predicted / true)| of the laws, of a power law and of the slope through the last
two points, and how often the 90 % interval holds a new measurement. The second table hides the noise: the
laws are told a fifth of it, as happens where runs differ by more than the steps inside one run.

    python -m benchmarks.trends [--quick]
"""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import fit_law, intervals, predict

Array = NDArray[np.float64]
Truth = Callable[[Array], Array]

TRUTHS: dict[str, Truth] = {
    "constant": lambda x: 1 + 0 * x,
    "x": lambda x: x,
    "2 + 0.5 x": lambda x: 2 + 0.5 * x,
    "1 + 0.3 x + 0.004 x^2": lambda x: 1 + 0.3 * x + 0.004 * x**2,
    "1 + 0.3 x log2(x + 1)": lambda x: 1 + 0.3 * x * np.log2(x + 1),
    "5 + 0.02 x^3": lambda x: 5 + 0.02 * x**3,
    "x^3": lambda x: x**3,
    "3 + x^0.5": lambda x: 3 + x**0.5,
    "1 + 0.2 log x": lambda x: 1 + 0.2 * np.log(x),
    "1 + x^0.8": lambda x: 1 + x**0.8,
    "x^1.15": lambda x: x**1.15,
    "0.5 + 0.1 x^1.7": lambda x: 0.5 + 0.1 * x**1.7,
    "1 + 0.02 x^2.5": lambda x: 1 + 0.02 * x**2.5,
}
TARGETS = ("inside", "x2", "x4", "x8")
COLUMNS = "truth                    " + "".join(
    f"{target:>7} err  power  slope  cover" for target in TARGETS[1:]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Results of one truth: rows are draws, columns the targets."""

    errors: Array
    power_errors: Array
    slope_errors: Array
    hits: Array


def main(arguments: list[str]) -> int:
    """Print the tables and the bars; 1 if a bar fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer draws")
    num_draws = 8 if parser.parse_args(arguments).quick else 60
    known = _table("noise known from the steps", 1.0, num_draws)
    hidden = _table("a fifth of the noise known from the steps", 0.2, num_draws)
    errors = [
        np.median([getattr(tally, name) for tally in known], axis=(0, 1))
        for name in ("errors", "power_errors")
    ]
    bars = [
        _bar(f"coverage-{target}", float(np.mean([tally.hits[:, column] for tally in known])), ">=", 0.85)
        for column, target in enumerate(TARGETS)
    ]
    bars.append(_bar("coverage-inside-upper", float(np.mean([t.hits[:, 0] for t in known])), "<=", 0.96))
    bars.append(_bar("coverage-hidden-noise", float(np.mean([t.hits for t in hidden])), ">=", 0.80))
    bars.append(_bar("error-x8-over-power-law", float(errors[0][3] / errors[1][3]), "<=", 1.0))
    return 0 if all(bars) else 1


def _table(title: str, told: float, num_draws: int) -> list[Tally]:
    generator = np.random.default_rng(2024)
    print(f"\n{title}; errors in %, {num_draws} draws for each of 4 lengths x 2 noises\n{COLUMNS}")
    tallies = []
    for name, truth in TRUTHS.items():
        tally = _tally(truth, told, num_draws, generator)
        tallies.append(tally)
        columns = zip(
            np.median(tally.errors, axis=0)[1:],
            np.median(tally.power_errors, axis=0)[1:],
            np.median(tally.slope_errors, axis=0)[1:],
            tally.hits.mean(axis=0)[1:],
            strict=True,
        )
        cells = "".join(f"{a:11.1%}{b:7.1%}{c:7.1%}{d:7.2f}" for a, b, c, d in columns)
        print(f"{name:25}{cells}")
    return tallies


def _tally(truth: Truth, told: float, num_draws: int, generator: np.random.Generator) -> Tally:
    rows = [
        _draw(truth, num_sizes, sigma, told * sigma * math.sqrt(generator.chisquare(8) / 8), generator)
        for num_sizes in (4, 5, 6, 8)
        for sigma in (0.02, 0.08)
        for _ in range(num_draws)
    ]
    table = np.array(rows)
    return Tally(errors=table[:, 0], power_errors=table[:, 1], slope_errors=table[:, 2], hits=table[:, 3])


def _draw(truth: Truth, num_sizes: int, sigma: float, noise: float, generator: np.random.Generator) -> Array:
    """Errors of the laws, the power law and the last slope, and hits, at each target: ``[4, target]``."""
    sizes = np.exp2(np.arange(num_sizes, dtype=np.float64))
    values = truth(sizes) * np.exp(sigma * generator.standard_normal(num_sizes))
    targets = np.array([2 ** generator.uniform(0, num_sizes - 1), *(sizes[-1] * np.array([2, 4, 8]))])
    law = fit_law(sizes.tolist(), values.tolist(), noise)
    if law is None:
        raise ValueError(f"{num_sizes} sizes must support a law")
    prediction = predict(law, targets)
    fresh = truth(targets) * np.exp(sigma * generator.standard_normal(len(targets)))
    bounds = intervals(prediction, num_sizes)
    true = np.log(truth(targets))
    power = np.polyval(np.polyfit(np.log(sizes), np.log(values), deg=1), np.log(targets))
    slope = np.polyval(np.polyfit(np.log(sizes[-2:]), np.log(values[-2:]), 1), np.log(targets))
    hits = [bound.low <= value <= bound.high for bound, value in zip(bounds, fresh, strict=True)]
    return np.array(
        [np.abs(prediction.log_value - true), np.abs(power - true), np.abs(slope - true), hits],
        dtype=np.float64,
    )


def _bar(name: str, value: float, operator: str, limit: float) -> bool:
    passed = value >= limit if operator == ">=" else value <= limit
    print(f"BAR {name}: {value:.3f} share (bar {operator} {limit:g}) {'PASS' if passed else 'FAIL'}")
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
