"""Two folders of results as one comparison, and the gate over it."""

from pathlib import Path

from saih.analyzer.comparison import compare
from saih.commands.analysis import analysis_of
from saih.commands.talk import say
from saih.domain.errors import GateFailed
from saih.domain.trend import Comparison
from saih.store.sweep_folder import SweepFolder


def compare_folders(a: SweepFolder, b: SweepFolder, data_folder: Path) -> Comparison:
    """The comparison of two sweeps; sweeps of one name are told apart by their folders.

    What does not verify in them is told, and left out.
    """
    names = (a.name, b.name) if a.name != b.name else (str(a.path), str(b.path))
    found = [analysis_of(folder, data_folder) for folder in (a, b)]
    for damage in dict.fromkeys(damage for _, damages in found for damage in damages):
        say(damage)
    return compare(found[0][0], found[1][0], *names)


def require_ratio(comparison: Comparison, min_ratio: float | None) -> None:
    """Refuse a mean speed ratio that is below the asked one.

    Raises:
        GateFailed: when it is, or when there is none.
    """
    if min_ratio is None:
        return
    mean = comparison.geometric_mean
    if mean is None or mean.value < min_ratio:
        found = "no matched point" if mean is None else f"{mean.value:.3g} [{mean.low:.3g}, {mean.high:.3g}]"
        raise GateFailed(
            f"the mean speed of {comparison.name_a} over {comparison.name_b} is {found}, below {min_ratio:g}",
            "see the table and the differences above.",
        )
