"""Records that hold one and the same run: copies are no repeats."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from saih.domain.quantity import counted
from saih.domain.record import Record

_FEWEST_STEPS = 3
_MAX_NAMED = 4


def copied_runs(records: Sequence[Record]) -> Iterator[str]:
    """One sentence where records hold the same durations to the last nanosecond.

    No two runs agree in every step; what is copied is one measurement, however many points show it.
    """
    groups: dict[tuple[tuple[int, ...], ...], list[str]] = defaultdict(list)
    for record in records:
        steps = record.result.steps
        if steps is not None and steps.num_steps >= _FEWEST_STEPS:
            groups[steps.step_ns].append(record.record_id)
    copied = [group for group in groups.values() if len(group) > 1]
    if copied:
        named = "; ".join(" = ".join(group[:_MAX_NAMED]) for group in copied[:_MAX_NAMED])
        is_all = len(copied) <= _MAX_NAMED and all(len(group) <= _MAX_NAMED for group in copied)
        yield (
            f"{sum(map(len, copied))} records hold the steps of {counted(len(copied), 'run')}, the same to "
            f"the last nanosecond ({named}{'' if is_all else ', ...'}): copies are one measurement, so laws "
            "and comparisons through them rest on fewer than they show. Measure these points again."
        )
