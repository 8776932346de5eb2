"""What must hold of data to learn from: nothing is lost, waves grow, parameters are spread evenly."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest

from cosmology.background import growth
from cosmology.dataset_error import DatasetError
from cosmology.definition import DatasetDefinition
from cosmology.layout import dataset_folder
from cosmology.one_point import one_point, stored_law
from cosmology.parameters import draw_targets, parameters_of
from cosmology.universe_file import read_universe, universe_path
from cosmology.verification import verify
from workloads.cosmoflow.examples import Examples

MOST_UNIVERSES = 8
"""So many whole universes are looked at."""
GROWTH_TOLERANCE = 0.2
"""Waves longer than ``_LONG_WAVES`` of the box are nearly linear: their power grows as D^2, to about 10 %."""
LEAST_P_VALUE = 1e-3
MOST_DEPARTURE = 5.0
"""Of the one-point law, in standard errors of a mean over universes."""
_LONG_WAVES = 3.5
"""In units of the fundamental wave number."""
_MOST_FAULTS = 3
_FEWEST_TARGETS = 8
_TARGET_NAMES = ("Omega_m", "sigma_8", "n_s", "H_0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What was looked at, what was wrong, and the figures."""

    checked: tuple[str, ...]
    faults: tuple[str, ...]
    figures: Mapping[str, float]


def check_data(folder: Path, parts: Sequence[tuple[DatasetDefinition, Examples]]) -> Checks:
    """Checks of the data sets below ``folder`` that are learnt from and judged by, in this order."""
    found = [_files(folder, [definition for definition, _ in parts])]
    found.append(_disjoint([examples for _, examples in parts]))
    found += [_whole_boxes(definition, examples) for definition, examples in parts]
    definition, examples = parts[0]
    found += [_universes(folder, definition), _targets(examples)]
    return Checks(
        checked=tuple(text for one in found for text in one.checked),
        faults=tuple(text for one in found for text in one.faults),
        figures={name: value for one in found for name, value in one.figures.items()},
    )


def _files(folder: Path, definitions: Sequence[DatasetDefinition]) -> Checks:
    """Every checksum of every file."""
    num_files, faults = 0, []
    for definition in definitions:
        for file in verify(dataset_folder(folder, definition)):
            num_files += 1
            faults += [f"{file.path}: {damage.reason}" for damage in file.damages]
    return _result(f"{num_files} files verify", faults, {"files": num_files})


def _disjoint(parts: Sequence[Examples]) -> Checks:
    """Universes that judge are no universes that are learnt from."""
    seen, judged = (set(examples.universes.tolist()) for examples in parts)
    shared = len(seen & judged)
    faults = [f"{shared} universes are learnt from and judge"] if shared else []
    return _result(f"{len(judged)} universes judge, none of which is learnt from", faults, {"shared": shared})


def _whole_boxes(definition: DatasetDefinition, examples: Examples) -> Checks:
    """A sample that is a whole box holds every particle."""
    if not definition.is_whole_box:
        return _result("", [], {})
    sums = examples.counts.sum(axis=(2, 3, 4), dtype=np.int64)
    lost = int((sums != definition.simulation_side**3).sum())
    words = f"{len(examples)} whole boxes hold {definition.simulation_side}^3 particles at every redshift"
    return _result(words, [f"{lost} grids have lost or won particles"] if lost else [], {"lost": lost})


def _universes(folder: Path, definition: DatasetDefinition) -> Checks:
    """Particles of whole universes, how their long waves grow, and which share of voxels holds how many.

    Nothing where no universe was kept.
    """
    faults, ratios, grids = [], [], []
    for number, counts in _kept_universes(folder, definition):
        grids.append(counts)
        sums = counts.sum(axis=(1, 2, 3), dtype=np.int64)
        if (sums != definition.simulation_side**3).any():
            faults.append(f"universe {number} holds {sums.tolist()} particles")
        ratios.append(_growth_ratios(definition, number, counts))
    if not ratios:
        return _result("", [], {})
    mean_ratios = np.mean(ratios, axis=0)
    worst = float(np.abs(mean_ratios - 1).max())
    if worst > GROWTH_TOLERANCE:
        faults.append(
            f"the power of long waves is up to {worst:.0%} off its growth from redshift to redshift"
        )
    words = f"long waves of {len(ratios)} whole universes grow as they should to {worst:.1%}"
    figures: dict[str, float] = {"universes": len(ratios), "growth_deviation": worst}
    departure = _departure(definition, grids)
    if departure is None:
        return _result(words, faults, figures)
    if departure > MOST_DEPARTURE:
        faults.append(f"shares of voxels by their counts are {departure:.1f} standard errors off the stored")
    words = f"{words}, and their counts are spread as stored to {departure:.1f} standard errors"
    return _result(words, faults, {**figures, "one_point_departure": departure})


def _departure(definition: DatasetDefinition, grids: Sequence[NDArray[np.uint16]]) -> float | None:
    """Of the one-point law from the stored one [standard errors]; None where none is stored for these."""
    law = stored_law(definition.universes)
    if law is None or definition.redshifts != law.redshifts[: definition.num_channels]:
        return None
    by_channel = [np.stack(some) for some in zip(*grids, strict=True)]
    histograms = [np.bincount(counts.reshape(-1)) for counts in by_channel]
    return max(one.departure for one in one_point(histograms, law, len(grids)))


def _kept_universes(folder: Path, definition: DatasetDefinition) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """The first universes whose whole boxes are still on disk."""
    for number in definition.universe_numbers[:MOST_UNIVERSES]:
        path = universe_path(folder, definition.universes, number)
        try:
            yield number, read_universe(path, definition.universes, definition.num_channels)
        except DatasetError:
            continue


def _growth_ratios(
    definition: DatasetDefinition, number: int, counts: NDArray[np.uint16]
) -> NDArray[np.float64]:
    """Power of the long waves over D^2, for each channel, relative to the channel of the highest redshift."""
    growth_at = growth(parameters_of(draw_targets(definition.seed, number)))
    linear = np.array([growth_at(1 / (1 + redshift)).first ** 2 for redshift in definition.redshifts])
    power = np.array([_long_power(grid) for grid in counts]) / linear
    earliest = int(np.argmax(definition.redshifts))
    return np.asarray(power / power[earliest])


def _long_power(grid: NDArray[np.uint16]) -> float:
    """Mean power of the longest waves of a periodic box, in units of its own."""
    side = grid.shape[0]
    waves = np.abs(np.fft.rfftn(grid / grid.mean() - 1)) ** 2
    index, half = np.fft.fftfreq(side, 1 / side), np.fft.rfftfreq(side, 1 / side)
    squared = index[:, None, None] ** 2 + index[None, :, None] ** 2 + half[None, None, :] ** 2
    return float(waves[(squared > 0) & (squared <= _LONG_WAVES**2)].mean())


def _targets(examples: Examples) -> Checks:
    """The parameters of the universes are spread evenly over their ranges."""
    _, first = np.unique(examples.universes, return_index=True)
    targets = examples.targets[first]
    if len(targets) < _FEWEST_TARGETS:
        return _result("", [], {})
    p_values = [float(kstest(column, "uniform", args=(-1, 2)).pvalue) for column in targets.T]
    faults = [
        f"{name} is not spread evenly (p = {p:.2g})"
        for name, p in zip(_TARGET_NAMES, p_values, strict=True)
        if p < LEAST_P_VALUE
    ]
    words = f"{len(targets)} universes spread their parameters evenly (least p = {min(p_values):.2g})"
    return _result(words, faults, {"least_p_value": min(p_values)})


def _result(words: str, faults: Sequence[str], figures: Mapping[str, float]) -> Checks:
    more = [f"and {len(faults) - _MOST_FAULTS} more faults"] if len(faults) > _MOST_FAULTS else []
    return Checks(
        checked=(words,) if words else (),
        faults=(*faults[:_MOST_FAULTS], *more),
        figures=dict(figures),
    )
