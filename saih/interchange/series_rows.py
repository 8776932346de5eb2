"""Rows of any file of values, put together into series."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from saih.domain.errors import DamagedData
from saih.domain.series import ENVIRONMENT, Reading, Series, SeriesKind
from saih.interchange.series_text import SHOWN

MAX_SERIES = 2_000
MAX_SIZES = 1_000
"""Distinct sizes of one series."""
LEAST_SIZE, GREATEST_SIZE = 1e-12, 1e24
_DIGITS = 12
"""Significant digits of sizes: what differs by less is rounding."""
_RANK_WORDS = ("rank", "node", "gpu", "process", "core", "thread", "worker", "device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value and what it belongs to; empty text and None are what the file does not tell."""

    series: str
    axis: str
    kind: SeriesKind | None
    unit: str
    phase: str
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The user's word for what a file does not tell."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Our columns of a CSV file -> what it calls them."""
    unit: str = ""
    kind: SeriesKind | None = None


UNTOLD = Told()


def series_of(
    rows: Sequence[Row], source: str, told: Told = UNTOLD, remarks: Sequence[str] = ()
) -> tuple[Series, ...]:
    """The series that the rows make, in the order of the file; another environment makes another series.

    ``remarks`` are what reading brought up; the first series carries them.

    Raises:
        DamagedData: when rows of one series contradict each other in axis, kind or unit.
    """
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for given in rows:
        row = replace(
            given,
            unit=given.unit or told.unit,
            kind=given.kind or told.kind,
            reading=_bounded(given.reading, source),
        )
        groups[row.series, row.reading.facts.get(ENVIRONMENT, "")].append(row)
    if len(groups) > MAX_SERIES:
        raise DamagedData(f"{source} holds {len(groups)} series, more than {MAX_SERIES}", "split it.")
    environments: dict[str, list[str]] = defaultdict(list)
    for name, environment in groups:
        environments[name].append(environment)
    found = [
        _series(group, environment, environments[name], source)
        for (name, environment), group in groups.items()
    ]
    found[0] = replace(found[0], remarks=(*remarks, *found[0].remarks))
    return tuple(found)


def _series(rows: Sequence[Row], environment: str, environments: Sequence[str], source: str) -> Series:
    name = rows[0].series or source
    num_sizes = len({row.reading.size for row in rows})
    if num_sizes > MAX_SIZES:
        raise DamagedData(
            f"the series {name} of {source} has {num_sizes} sizes, more than {MAX_SIZES}",
            "keep fewer sizes, such as every tenth.",
        )
    is_mixed = len(environments) > 1
    axis = _one(rows, "axis", source) or "size"
    told = _one(rows, "kind", source)
    kind = SeriesKind(told) if told else _kind_of(axis, [row.reading for row in rows if not row.phase])
    phases: dict[str, list[Reading]] = defaultdict(list)
    for row in rows:
        phases[row.phase].append(row.reading)
    whole = phases.pop("", [])
    return Series(
        name=f"{name} on {environment or 'no named environment'}" if is_mixed else name,
        source=source,
        axis=axis,
        size_label=axis,
        kind=kind,
        unit=_one(rows, "unit", source),
        whole=_grown(whole),
        phases={phase: _grown(readings) for phase, readings in phases.items()},
        facts=_shared([row.reading for row in rows]),
        remarks=tuple(_remarks(name, kind, environments, is_told=bool(told))),
    )


def _bounded(reading: Reading, source: str) -> Reading:
    """With its size to so many digits that rounding makes no sizes of its own."""
    if not LEAST_SIZE <= reading.size <= GREATEST_SIZE:
        raise DamagedData(
            f"{reading.place} of {source} has the size {str(reading.size)[:SHOWN]}, not one between "
            f"{LEAST_SIZE:g} and {GREATEST_SIZE:g}",
            "tell sizes in a larger or a smaller unit.",
        )
    return replace(reading, size=float(f"{reading.size:.{_DIGITS}g}"))


def _one(rows: Iterable[Row], field: str, source: str) -> str:
    """The one value of a field over the rows of a series; empty where no row tells it."""
    first: Row | None = None
    for row in rows:
        if getattr(row, field) and first is None:
            first = row
        elif first is not None and getattr(row, field) not in ("", None, getattr(first, field)):
            raise DamagedData(
                f"{first.reading.place} and {row.reading.place} of {source} tell two values of {field} for "
                f"the series {row.series!r}: {getattr(first, field)} and {getattr(row, field)}",
                "give each series one axis, one kind and one unit.",
            )
    return "" if first is None else str(getattr(first, field))


def _kind_of(axis: str, whole: Sequence[Reading]) -> SeriesKind:
    """Over ranks, what gets shorter shares a problem; what does not has one for each."""
    if not any(word in axis.lower() for word in _RANK_WORDS):
        return SeriesKind.SIZE
    usable = sorted((one.size, one.value) for one in whole if one.is_usable)
    is_shorter = bool(usable) and usable[-1][1] < usable[0][1]
    return SeriesKind.STRONG if is_shorter else SeriesKind.WEAK


def _remarks(name: str, kind: SeriesKind, environments: Sequence[str], *, is_told: bool) -> Iterable[str]:
    if not is_told:
        yield f"The file does not say whether {name} is strong, weak or size; it is taken for {kind}."
    if len(environments) > 1:
        listed = ", ".join(one or "no named environment" for one in environments[:5])
        yield (
            f"{name} was measured on {len(environments)} environments ({listed}): each is a series of its "
            "own, for no law holds over several."
        )


def _grown(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    return tuple(sorted(readings, key=lambda reading: reading.size))


def _shared(readings: Sequence[Reading]) -> dict[str, str]:
    """The facts in which all readings agree."""
    first = dict(readings[0].facts)
    return {
        name: value for name, value in first.items() if all(one.facts.get(name) == value for one in readings)
    }
