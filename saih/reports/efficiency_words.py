"""Efficiencies, variation and pressure of one point as titled lines."""

from collections.abc import Mapping

from saih.domain.contention import Pressure, contention_of
from saih.domain.efficiency import PopEfficiency
from saih.domain.quantity import counted, percent, share
from saih.domain.trend import PointSummary

Line = tuple[str, str]
"""Title and text."""
_OF_TIME = {
    Pressure.RUN_DELAY: "the stepping thread waited for a processor",
    Pressure.WORKER_DELAY: "a thread that works beside it did",
    Pressure.CPU_SOME: "some task of the machine did",
    Pressure.IO_SOME: "some task of the machine waited for storage",
    Pressure.STOLEN: "the host had given its processors to others",
    Pressure.OTHERS: "processes other than the ranks had the processors",
    Pressure.GPU_POWER: "the clock of the GPU was held down by power",
    Pressure.GPU_THERMAL: "the clock of the GPU was held down by heat",
}


def efficiency_lines(summary: PointSummary) -> list[Line]:
    """The hierarchy of POP, each product before its factors; then how compute time varies."""
    found, variation = summary.efficiency, summary.variation
    lines = [] if found is None else _hierarchy(found)
    return lines if variation is None else [*lines, ("variation", variation.statement)]


def pressure_lines(notes: Mapping[str, str]) -> list[Line]:
    """What the record says of others on the processors; nothing for records from before it was noted."""
    known = contention_of(notes)
    if not known.values:
        return []
    shares = [(words, known.share(pressure)) for pressure, words in _OF_TIME.items()]
    said = [f"{words} {percent(min(part, 1.0))}" for words, part in shares if part is not None]
    throttled = known.share(Pressure.THROTTLED)
    faults, switches = (known.values.get(one) for one in (Pressure.MAJOR_FAULTS, Pressure.SWITCHED_OUT))
    lines = [("of the time", ", ".join(said))] if said else []
    if throttled:
        lines.append(("held by a quota", f"{throttled:.2g} s for each second, over all processors"))
    events = [
        *([counted(faults, "page fault") + " from storage"] if faults is not None else []),
        *([f"taken off its processor {counted(switches, 'time')}"] if switches is not None else []),
    ]
    lines += [("events", ", ".join(events))] if events else []
    absent = [one.name.lower().replace("_", " ") for one in known.absent]
    return [*lines, *([("not told here", ", ".join(absent))] if absent else [])]


def _hierarchy(found: PopEfficiency) -> list[Line]:
    lines = [("parallel", f"{share(found.parallel)}: useful work of the mean rank over the step")]
    if found.num_ranks > 1:
        lines.append(("load balance", share(found.load_balance)))
        lines.append(("communication", share(found.communication)))
        lines.append(("serialisation", share(found.serialisation)))
        if found.pipeline is not None:
            lines.append(
                ("of it pipeline", f"{share(found.pipeline)}: what the stage that waits least does not wait")
            )
        lines.append(("transfer", share(found.transfer)))
    return lines
