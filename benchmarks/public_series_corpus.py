"""Public measured series and the tasks made of them: from the first points, foresee larger ones."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.terms import GROWTH, OWN_WORK, SHARED_WORK, Library
from saih.domain.errors import SaihError

Array = NDArray[np.float64]

NAME = Path("shared") / "reference" / "data" / "public_series.csv"
FEWEST_POINTS, FEWEST_TRAINED, GREATEST_FACTOR = 5, 4, 8.0
LIBRARIES: dict[str, Library] = {"strong": SHARED_WORK, "weak": OWN_WORK, "size": GROWTH}
TRAINING = ("mpt", "mlperf07")
"""Sources that measured the training of networks: MosaicML's llm-foundry and MLPerf Training."""
_COLUMNS = {"series_id", "scaling", "x", "statistic", "y", "flag"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One series: lower is better; sizes grow."""

    name: str
    source: str
    kind: str
    """strong, weak or size."""
    sizes: Array
    repeats: tuple[tuple[float, ...], ...]

    @property
    def values(self) -> Array:
        """Median of the repeats at each size."""
        return np.array([np.median(one) for one in self.repeats])


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The first ``num_trained`` points of a series are known; those at ``places`` are foreseen."""

    series: Measured
    num_trained: int
    places: tuple[int, ...]

    @property
    def targets(self) -> Array:
        """Sizes to foresee."""
        return self.series.sizes[list(self.places)]

    @property
    def truths(self) -> Array:
        """What was measured there."""
        return self.series.values[list(self.places)]

    def trained(self) -> tuple[list[float], list[float]]:
        """Sizes and values, every repeat a point of its own."""
        known = list(zip(self.series.sizes, self.series.repeats, strict=True))[: self.num_trained]
        pairs = [(float(size), value) for size, values in known for value in values]
        return [size for size, _ in pairs], [value for _, value in pairs]


def find_file(given: Path | None) -> Path:
    """The corpus: the file given, or the one beside the checkout.

    Raises:
        SaihError: where there is none.
    """
    places = [given] if given else [parent / NAME for parent in Path(__file__).resolve().parents]
    for place in places:
        if place.is_file():
            return place
    raise SaihError(
        f"there is no file {given or NAME} here or in a folder above",
        f"give --series FILE, a CSV with the columns {', '.join(sorted(_COLUMNS))} (scaling: strong, weak or "
        "size; of y lower is better)",
    )


def read_series(path: Path) -> list[Measured]:
    """Series of at least five sizes. Extremes, copies of runs and runs of another problem are left out."""
    found: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    with path.open(encoding="utf-8", newline="") as text:
        rows = csv.DictReader(text)
        if missing := _COLUMNS - set(rows.fieldnames or ()):
            raise SaihError(
                f"{path} has no column {', '.join(sorted(missing))}", "give a file with all of them"
            )
        for row in rows:
            if row["statistic"].startswith(("min", "max")) or row["flag"].startswith(
                ("copy", "other problem")
            ):
                continue
            found[row["series_id"], row["scaling"]][float(row["x"])].append(float(row["y"]))
    return [
        Measured(
            name=name,
            source=name.split("|")[0],
            kind=kind,
            sizes=np.array(sorted(points)),
            repeats=tuple(tuple(points[size]) for size in sorted(points)),
        )
        for (name, kind), points in found.items()
        if len(points) >= FEWEST_POINTS
    ]


def make_tasks(series: list[Measured]) -> list[Task]:
    """From the first four points on, foresee every later one up to eight times the largest known."""
    tasks = []
    for one in series:
        for count in range(FEWEST_TRAINED, len(one.sizes)):
            reach = GREATEST_FACTOR * one.sizes[count - 1] * (1 + 1e-9)
            places = tuple(place for place in range(count, len(one.sizes)) if one.sizes[place] <= reach)
            if places:
                tasks.append(Task(series=one, num_trained=count, places=places))
    return tasks
