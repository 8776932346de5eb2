"""One point on a terminal: what it asks, what it took step by step, and why it is not faster."""

import math
from collections.abc import Sequence

from saih.domain.interval import Interval
from saih.domain.quantity import (
    NO_BREAK,
    counted,
    duration,
    in_seconds,
    interval_with_si,
    percent,
    share,
    with_si,
)
from saih.domain.record import HIDDEN_PHASES, STEP_PHASES, Phase
from saih.domain.trend import PointSummary
from saih.reports.efficiency_words import Line, efficiency_lines, pressure_lines
from saih.reports.energy_words import per_sample
from saih.reports.execution_text import NOTES, execution_lines
from saih.reports.point_sheet import Course, PointCost, PointSheet
from saih.reports.study_text import point_study_lines
from saih.reports.terminal_bars import bar, sparkline
from saih.reports.terminal_table import table_lines
from saih.reports.terminal_text import columns_of, cut, padded, wrapped
from saih.reports.verification_words import point_verification_lines

_TITLE = 22
_BAR = 24
_MAX_SPARK = 100
_BYTES = ("bytes_asked", "bytes_read", "peak_memory_bytes", "peak_device_bytes")
_TOLD_ELSEWHERE = (*NOTES, "energy_", "pressure_", "operations_counted")
"""Begins of the names of notes that are shown in words, or are for programs."""
_MAX_ATTEMPTS = 20
_WIDE_RANGE = 100.0


def point_text(sheet: PointSheet, width: int) -> str:
    """Everything about the point, in lines of ``width`` columns."""
    measured = sheet.summary
    parts = (
        _head(sheet, width),
        _cost(sheet.cost, width),
        _attempts(sheet, width),
        _measured(measured, width) if measured is not None else [],
        _phases(measured, width) if measured is not None else [],
        _course(sheet.course, measured, width) if sheet.course is not None else [],
        _verdict(measured, width) if measured is not None else [],
        point_verification_lines(measured, width) if measured is not None else [],
        point_study_lines(measured, width) if measured is not None else [],
        _titled("Execution", execution_lines(measured, _known_notes(sheet)), width)
        if measured is not None
        else [],
        _titled("Efficiency", efficiency_lines(measured), width) if measured is not None else [],
        _titled("Processors while it was measured", pressure_lines(_known_notes(sheet)), width),
        _energy(measured, width) if measured is not None else [],
        _notes(sheet, width),
        _ending(sheet, width),
    )
    return "\n\n".join("\n".join(part) for part in parts if part).replace(NO_BREAK, " ")


def _head(sheet: PointSheet, width: int) -> list[str]:
    """What the point asks."""
    number = f" (number {sheet.number} of the report)" if sheet.number is not None else ""
    became = f"{sheet.status}{f': {sheet.reason}' if sheet.reason else ''}"
    lines = wrapped(f"Point {sheet.point_id} of {sheet.sweep}{number}: {became}", width, rest="  ")
    for axis, label in sheet.labels.items():
        size, counts = sheet.axis_sizes.get(axis), sheet.size_labels.get(axis)
        sized = f" - {with_si(size, '')}: {counts}" if size is not None and counts else ""
        lines += _entry(axis, f"{label}{sized}", width)
    point, timing = sheet.point, sheet.point.timing
    run = (
        f"{point.workload}, batch {point.batch_per_rank} per rank, {point.run_words}, "
        f"exchange {point.exchange}, seed {point.seed}"
    )
    asked = (
        f"interval of {percent(timing.relative_width)} within {timing.budget_s:g} s, {timing.min_steps} to "
        f"{timing.max_steps} steps after {timing.warmup_steps} of warm-up"
    )
    lines += _entry("placement", point.placement.label, width)
    return [*lines, *_entry("run", run, width), *_entry("asked", asked, width)]


def _cost(cost: PointCost | None, width: int) -> list[str]:
    if cost is None:
        return []
    step = (
        f"{with_si(cost.flops_per_step, 'FLOP')} over all ranks, {with_si(cost.flops_per_byte, 'FLOP')} per "
        f"byte; reads {with_si(cost.input_bytes_per_step, 'B')}"
    )
    gradients = f"{with_si(cost.gradient_bytes, 'B')} of gradients, " if cost.gradient_bytes else ""
    rank = (
        f"{with_si(cost.num_parameters, '')} parameters, {gradients}"
        f"about {with_si(cost.peak_memory_bytes_per_rank, 'B')} of memory"
    )
    return [
        "Cost, by arithmetic",
        *_entry("one step", step, width),
        *_entry("one rank", rank, width),
        *_entry("data set", with_si(cost.dataset_bytes, "B"), width),
    ]


def _attempts(sheet: PointSheet, width: int) -> list[str]:
    """Every attempt; the reasons whole, below."""
    if not sheet.attempts:
        return []
    shown = sheet.attempts[-_MAX_ATTEMPTS:]
    rows = [
        (
            ("> " if attempt.is_shown else "  ") + attempt.record_id.partition("/")[2],
            attempt.outcome.replace("_", " "),
            attempt.finished_utc[:19].replace("T", " ") or "no end",
            attempt.stop_reason,
        )
        for attempt in shown
    ]
    lines = table_lines(
        ("attempt", "outcome", "ended (UTC)", "stopped by"), rows, width=width, cuttable=((3,),)
    )
    for attempt in shown:
        if attempt.reason:
            lines += wrapped(f"{attempt.record_id.partition('/')[2]}: {attempt.reason}", width, "  ", "    ")
    hidden = len(sheet.attempts) - len(shown)
    return [*lines, *([f"... and {hidden} earlier attempts (--json lists all)"] if hidden else [])]


def _measured(summary: PointSummary, width: int) -> list[str]:
    step = summary.step_ns
    basis = f"{percent(step.level)} interval, n = {step.count}, {percent(step.relative_width)} wide"
    peak, vendor = summary.share_of_peak, summary.share_of_vendor_peak
    lines = [
        "Measured",
        *_entry("median step", f"{duration(step)} ({basis})", width),
        *_entry("samples", interval_with_si(summary.samples_per_s, "samples/s"), width),
        *_entry("rate", interval_with_si(summary.flops_per_s, "FLOP/s"), width),
        *_entry(
            "share of peak", f"{share(peak)} of the measured one" if peak else "no ceilings measured", width
        ),
        *_entry(
            "", f"{share(vendor)} of the vendor's" if vendor else "the vendor's peak is not known", width
        ),
        *_entry("stopped by", summary.stop_reason or "not recorded", width),
    ]
    if summary.balance is not None:
        even = f"{summary.balance.imbalance:.3f} x the mean of {summary.balance.num_ranks} ranks"
        lines += _entry("slowest rank", f"rank {summary.balance.slowest_rank}: {even}", width)
    return lines


def _phases(summary: PointSummary, width: int) -> list[str]:
    """A bar for each phase; they are medians, so that their shares need not add up to all of the step."""
    step_ns, known = summary.step_ns.value, summary.phases_ns
    if not known or step_ns <= 0:
        return []
    lines = wrapped("Phases: medians on the rank that decides each step, as shares of the median step", width)
    lines += [_phase(phase, known[phase], step_ns, width) for phase in STEP_PHASES if phase in known]
    hidden = [_phase(phase, known[phase], step_ns, width) for phase in HIDDEN_PHASES if phase in known]
    return [*lines, *(["  hidden, may overlap those above:", *hidden] if hidden else [])]


def _phase(phase: Phase, found: Interval, step_ns: float, width: int) -> str:
    part = found.value / step_ns
    name = padded(f"  {str(phase).replace('_', ' ')}", _TITLE)
    return _cut_line(f"{name}{bar(part, _BAR)} {percent(part):>6}  {duration(found)}", width)


def _course(course: Course, summary: PointSummary | None, width: int) -> list[str]:
    """How steps and loss moved, from the first to the last."""
    room = min(width - _TITLE, _MAX_SPARK)
    steps, losses = course.step_ns, course.losses
    lines = ["Course, from the first step to the last"]
    if steps:
        each = (
            f"; each column is the median of about {len(steps) / room:.0f}" if len(steps) > 1.5 * room else ""
        )
        ends = f"{in_seconds(min(steps))} to {in_seconds(max(steps))}, {len(steps)} measured steps{each}"
        lines += [padded("  step", _TITLE) + sparkline(steps, room), *_entry("", ends, width)]
    if losses:
        said = summary.loss.statement if summary is not None else _ends(losses)
        told = f"{said} ({counted(course.warmup_steps, 'warm-up step')} included)"
        name = summary.loss.name if summary is not None else "loss"
        lines += [_loss_line(name, losses, room), *_entry("", told, width)]
    return lines


def _loss_line(name: str, losses: Sequence[float], room: int) -> str:
    """Logarithmic where the loss falls by orders of magnitude."""
    is_wide = min(losses) > 0 and max(losses) > _WIDE_RANGE * min(losses)
    values = [math.log10(loss) for loss in losses] if is_wide else losses
    return padded(f"  {name} (logarithmic)" if is_wide else f"  {name}", _TITLE) + sparkline(values, room)


def _ends(losses: Sequence[float]) -> str:
    first, last = losses[0], losses[-1]
    return f"{first:.3g} to {last:.3g}" if math.isfinite(first) and math.isfinite(last) else "not finite"


def _verdict(summary: PointSummary, width: int) -> list[str]:
    diagnosis = summary.diagnosis
    then = f", then {diagnosis.runner_up}" if diagnosis.runner_up else ""
    lines = wrapped(f"Held back by: {diagnosis.limit}{then}", width)
    for limit, part in sorted(diagnosis.shares.items(), key=lambda item: -item[1].value):
        lines.append(_cut_line(f"{padded(f'  {limit}', _TITLE)}{bar(part.value, _BAR)} {share(part)}", width))
    for sentence in diagnosis.evidence:
        lines += wrapped(sentence, width, "- ", "  ")
    return lines


def _energy(summary: PointSummary, width: int) -> list[str]:
    energy = summary.energy
    if energy is None:
        return wrapped(
            f"Energy: absent; {summary.energy_reason or 'no reason was recorded'}", width, rest="  "
        )
    said = f"{per_sample(energy)} per sample, {with_si(energy.joules, 'J')} in all measured steps"
    return [
        "Energy",
        *_entry("counted", said, width),
        *_entry("source", f"{energy.source}; {energy.coverage}", width),
    ]


def _titled(title: str, found: Sequence[Line], width: int) -> list[str]:
    lines = [line for name, text in found for line in _entry(name, text, width)]
    return [title, *lines] if lines else []


def _known_notes(sheet: PointSheet) -> dict[str, str]:
    shown = next((attempt for attempt in sheet.attempts if attempt.is_shown), None)
    return {} if shown is None else dict(shown.notes)


def _notes(sheet: PointSheet, width: int) -> list[str]:
    """What the record says beside its numbers."""
    lines = [
        line
        for name, value in sorted(_known_notes(sheet).items())
        if not name.startswith(_TOLD_ELSEWHERE)
        for line in _entry(name.replace("_", " "), _note(name, value), width)
    ]
    return ["Notes of the record", *lines] if lines else []


def _note(name: str, value: str) -> str:
    return with_si(float(value), "B") if name in _BYTES and value.isdecimal() else value


def _ending(sheet: PointSheet, width: int) -> list[str]:
    lines = [line for warning in sheet.warnings for line in wrapped(f"Warning: {warning}", width, rest="  ")]
    files = [attempt.folder for attempt in sheet.attempts if attempt.is_shown]
    files = files or [attempt.folder for attempt in sheet.attempts[-1:]]
    lines += [line for folder in files for line in wrapped(f"Files: {folder}", width, rest="  ")]
    lines += wrapped(f"To do: {sheet.advice}", width, rest="  ") if sheet.advice else []
    return [*lines, *wrapped(f"Next: {sheet.next_command}", width, rest="  ")]


def _entry(title: str, text: str, width: int) -> list[str]:
    """A title and what belongs to it, in two columns."""
    first = padded(f"  {cut(title, _TITLE - 3)}", _TITLE)
    return wrapped(text, width, first, " " * _TITLE)


def _cut_line(line: str, width: int) -> str:
    """A drawn line without what has no room."""
    return line if columns_of(line) <= width else f"{line[: width - 1]}…"
