"""The sections on ranks: what more of them bring, and where the rest goes."""

from collections.abc import Sequence

from saih.domain.claim import Claim
from saih.domain.quantity import counted, percent
from saih.domain.trend import Analysis, ScalingLine
from saih.reports.document import Block, Bullets, Heading, Paragraph, Picture, Section
from saih.reports.efficiency_table import efficiency_table
from saih.reports.label import shortened
from saih.reports.rank_stack_figure import STACKS_PER_FIGURE, rank_stack_figure
from saih.reports.scaling_figure import LINES_PER_FIGURE, NamedLine, scaling_figure
from saih.reports.scaling_table import line_table, scaling_table
from saih.reports.thinned import thinned, thinned_words
from saih.reports.words import law_of, line_words

_MOST_TOLD = 3
_MOST_GAINS, _MOST_STACKS = LINES_PER_FIGURE, 2 * STACKS_PER_FIGURE
_MOST_RUNGS = 60
"""Rungs beyond this many are told by line."""
_MOST_UNMEASURED = 12
_KINDS = {
    "strong": "Strong scaling: the global batch stays, each rank does less",
    "weak": "Weak scaling: the batch of each rank stays",
    "throughput": "Throughput: independent replicas, one on each rank",
}


def scaling_sections(analysis: Analysis) -> tuple[Section, ...]:
    """Speed-up, efficiency and stacks over ranks, then the table; nothing without such an axis."""
    if not analysis.scaling:
        return ()
    blocks: list[Block] = []
    for group in _groups(analysis):
        blocks.append(Heading(text=f"{_KINDS[group[0].line.scaling]} ({_shared(group)})"))
        drawn = [named for named in group if len(named.line.rungs) > 1]
        blocks += _gains(thinned(drawn, _MOST_GAINS), len(drawn))
        blocks += _stacks(thinned(drawn, _MOST_STACKS), len(drawn), analysis)
        blocks += _told(group)
    blocks += _unmeasured(analysis)
    named_lines = [(line_words(line, analysis), line) for line in analysis.scaling]
    num_rungs = sum(len(line.rungs) for line in analysis.scaling)
    table = scaling_table(named_lines) if num_rungs <= _MOST_RUNGS else line_table(named_lines)
    numbers = (table, _definitions(), *_efficiencies(named_lines))
    return (
        Section(title="What more ranks bring", blocks=tuple(blocks)),
        Section(title="Scaling over ranks in numbers", blocks=numbers, is_landscape=True),
    )


def _efficiencies(named_lines: Sequence[tuple[str, ScalingLine]]) -> tuple[Block, ...]:
    """The hierarchy of POP, where it is known."""
    table = efficiency_table(named_lines)
    if table is None:
        return ()
    has_stages = any(rung.pop and rung.pop.pipeline for _, line in named_lines for rung in line.rungs)
    waits = "input, which shows as serialisation"
    if has_stages:
        waits = (
            "input or other stages, which show as serialisation; pipeline is the part of it that the stage "
            "does not lose which waits least"
        )
    text = (
        "Parallel efficiency is load balance x communication, and communication is serialisation x transfer "
        "(POP standard metrics). Useful time is a step without exposed exchange and without waiting for "
        f"{waits}. Computation scaling is what a sample costs in useful rank-time "
        "at the fewest ranks over what it costs here. Intervals: 95 %, bootstrap over the steps."
    )
    return Heading(text="Efficiencies of the ranks"), table, Paragraph(text=text, tone="small")


def _groups(analysis: Analysis) -> list[list[NamedLine]]:
    """Lines of one kind and one setting."""
    trends = {trend.record_ids: trend for trend in analysis.trends}
    groups: dict[tuple[str, str], list[NamedLine]] = {}
    for line in analysis.scaling:
        named = NamedLine(
            name=line_words(line, analysis),
            line=line,
            trend=trends.get(tuple(rung.record_id for rung in line.rungs)),
        )
        groups.setdefault((line.scaling, line.setting), []).append(named)
    return list(groups.values())


def _shared(group: Sequence[NamedLine]) -> str:
    return shortened(group[0].line.setting, 100)


def _gains(drawn: Sequence[NamedLine], num_known: int) -> list[Block]:
    blocks: list[Block] = []
    for part in _parts(drawn, LINES_PER_FIGURE):
        steps = [rung.step_ns.count for named in part for rung in named.line.rungs]
        what = "Speed-up" if part[0].line.scaling == "strong" else "Throughput"
        caption = (
            f"{what} and efficiency against the fewest ranks measured; dotted straight lines: ideal. Marks "
            "with 95 % intervals of both steps; curves: the step put together from its phases, with the 90 % "
            "prediction band, dashed where extrapolated; dotted lines join marks without a law. "
            f"n = {min(steps)} to {max(steps)} steps each.{_left_out(drawn, num_known)}"
        )
        alt = f"{what} and efficiency over ranks, {counted(len(part), 'line')}."
        blocks.append(Picture(svg=scaling_figure(part), alt=alt, caption=caption))
    return blocks


def _stacks(drawn: Sequence[NamedLine], num_known: int, analysis: Analysis) -> list[Block]:
    points = {point.record_id: point for point in analysis.points}
    caption = (
        "Rank-time that one sample costs (ranks / throughput), by phase of the rank that decides the step; "
        "100 % is the fewest ranks measured. What stands above the dotted line is lost to scaling."
        f"{_left_out(drawn, num_known)}"
    )
    return [
        Picture(
            svg=rank_stack_figure(part, points),
            alt=f"Rank-time per sample by phase over ranks, {counted(len(part), 'line')}.",
            caption=caption,
        )
        for part in _parts(drawn, STACKS_PER_FIGURE)
    ]


def _left_out(drawn: Sequence[NamedLine], num_known: int) -> str:
    words = thinned_words(len(drawn), num_known, "line")
    return f" {words}; all are in the table." if words else ""


def _told(group: Sequence[NamedLine]) -> list[Block]:
    """The findings of the lines that lose most; the others are in the table."""
    ordered = sorted(group, key=lambda named: named.line.rungs[-1].efficiency.value)
    blocks: list[Block] = []
    for named in ordered[:_MOST_TOLD]:
        blocks += [Heading(text=f"At {shortened(named.name, 80)}"), Bullets(items=_claims(named))]
    if len(ordered) > _MOST_TOLD:
        rest = counted(len(ordered) - _MOST_TOLD, "further line")
        words = f"{rest}, of efficiency {_range(ordered[_MOST_TOLD:])} at most ranks: see the table."
        blocks.append(Paragraph(text=words, tone="small"))
    return blocks


def _claims(named: NamedLine) -> tuple[Claim, ...]:
    """The findings of a line, told apart by the point of its fewest ranks."""
    line = named.line
    record_ids = tuple(rung.record_id for rung in line.rungs)
    fit = law_of(named.trend) if named.trend is not None else ""
    return tuple(
        Claim(
            claim_id=f"{line.scaling}-scaling/{record_ids[0][:8]}/{number}",
            text=text,
            record_ids=record_ids,
            fit=fit,
        )
        for number, text in enumerate(line.findings, start=1)
    )


def _range(lines: Sequence[NamedLine]) -> str:
    low, high = (percent(named.line.rungs[-1].efficiency.value) for named in (lines[0], lines[-1]))
    return low if low == high else f"{low} to {high}"


def _unmeasured(analysis: Analysis) -> list[Block]:
    said = [
        shortened(f"{line_words(line, analysis)}, {text}", 300)
        for line in analysis.scaling
        for text in line.unmeasured
    ]
    if not said:
        return []
    left = len(said) - _MOST_UNMEASURED
    items = (*said[:_MOST_UNMEASURED], *((f"and {left} more.",) if left > 0 else ()))
    return [Heading(text="Rungs without a measurement"), Bullets(items=items)]


def _definitions() -> Paragraph:
    text = (
        "Speed-up: throughput over that at the fewest ranks measured; efficiency: speed-up over the ratio of "
        "ranks. Strong scaling: Amdahl 1967; weak: Gustafson 1988; throughput counts the slowest replica, as "
        "SPECrate does. Intervals (95 %) carry both steps and speak of these runs. Slowest / mean rank: work "
        "(the step without exposed exchange and waits for stages) from the medians of all ranks; 1 is even."
    )
    return Paragraph(text=text, tone="small")


def _parts(lines: Sequence[NamedLine], count: int) -> list[Sequence[NamedLine]]:
    return [lines[start : start + count] for start in range(0, len(lines), count)]
