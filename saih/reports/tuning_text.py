"""What searches for the fastest executions found, in lines for a terminal."""

from collections.abc import Sequence

from saih.domain.quantity import factor, in_seconds, interval_with_si
from saih.domain.tuning import BatchRate, Candidate, Tuned, Verdict
from saih.reports.terminal_table import table_lines
from saih.reports.terminal_text import wrapped

_TITLES = ("setting", "tried", "verdict", "faster by", "step")
_BATCH_TITLES = ("batch of one rank", "samples of all ranks")
_TOLD: tuple[Verdict, ...] = ("kept", "refused", "failed")
"""Reasons of these are told in full."""


def tuning_lines(labelled: Sequence[tuple[str, Tuned]], width: int) -> list[str]:
    """Every setting that was tried of every point, what each bought, and what is the fastest."""
    lines: list[str] = []
    for label, tuned in labelled:
        lines += ["", *_headline(label, tuned, width), *_table(tuned, width), *_batches(tuned, width)]
    return lines[1:]


def _headline(label: str, tuned: Tuned, width: int) -> list[str]:
    lines = wrapped(f"{label}: {tuned.words}, {in_seconds(tuned.step_ns)} per step", width, rest="  ")
    yardsticks = ((tuned.against_plain, "plain"), (tuned.against_reference, "reference"))
    told = [
        f"{factor(gain)} the speed of the {name} execution" for gain, name in yardsticks if gain is not None
    ]
    lines += wrapped("; ".join(told), width, "  ", "    ") if told else []
    lines += wrapped(f"searched for {tuned.duration_s:.1f} s: {tuned.stop_reason}", width, "  ", "    ")
    return lines


def _table(tuned: Tuned, width: int) -> list[str]:
    rows = [_row(candidate) for candidate in tuned.candidates]
    reasons = [one for one in tuned.candidates if one.reason and one.verdict in _TOLD]
    told = [f"{_name(one)}, {one.verdict}: {one.reason}" for one in reasons]
    lines = table_lines(_TITLES, rows, width=width, num_keys=2)
    return lines + [line for text in told for line in wrapped(text, width, "- ", "  ")]


def _row(candidate: Candidate) -> tuple[str, ...]:
    return (
        candidate.setting.replace("_", " "),
        candidate.value.replace("_", " "),
        candidate.verdict,
        "-" if candidate.gain is None else factor(candidate.gain),
        "-" if candidate.step_ns is None else in_seconds(candidate.step_ns),
    )


def _name(candidate: Candidate) -> str:
    return f"{candidate.setting} {candidate.value}".replace("_", " ").rstrip()


def _batches(tuned: Tuned, width: int) -> list[str]:
    if not tuned.batches:
        return []
    rows = [(str(one.batch_per_rank), _rate(one)) for one in tuned.batches]
    told = [f"batch {one.batch_per_rank}: {one.reason}" for one in tuned.batches if one.reason]
    lines = ["", *table_lines(_BATCH_TITLES, rows, width=width)]
    return lines + [line for text in told for line in wrapped(text, width, "- ", "  ")]


def _rate(one: BatchRate) -> str:
    return "-" if one.samples_per_s is None else interval_with_si(one.samples_per_s, "samples/s")
