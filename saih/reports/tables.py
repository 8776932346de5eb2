"""Tables of a report: points, laws, checks, points without a measurement, ceilings, environment."""

import math
from collections.abc import Sequence
from dataclasses import replace

from saih.domain.quantity import counted, percent, with_si
from saih.domain.record import Environment
from saih.domain.trend import Check, LossCheck, PointSummary, Trend
from saih.reports.document import Column, Table
from saih.reports.execution_words import execution_words, has_executions
from saih.reports.grid import setting_of
from saih.reports.label import shortened
from saih.reports.point_cells import measured_cells, rung_cells
from saih.reports.stack_figure import NumberedPoint, phase_words
from saih.reports.words import line_name
from workloads.execution import PLAIN

_ROUNDING = 1e-9
"""A law that passes through all its points leaves a residual of rounding alone."""
_NAME = 60
_MOST_TOLD_APART = 24
"""Trends beyond this many share the rows of their checks."""
_REASON = 300


def points_table(points: Sequence[NumberedPoint]) -> Table:
    """One row for each measured point."""
    settings = {_setting(point) for point in points}
    executed = has_executions([point.summary for point in points])
    setting = (Column(title="setting", weight=2.0),) if len(settings) > 1 else ()
    columns = (
        Column(title="#", weight=0.4, side="right"),
        Column(title="data", weight=1.4),
        Column(title="model", weight=1.4),
        *setting,
        *((Column(title="execution", weight=1.6),) if executed else ()),
        Column(title="median step [interval]", weight=2.1, side="right"),
        Column(title="steps", weight=0.6, side="right"),
        Column(title="samples/s", weight=1.0, side="right"),
        Column(title="rate [FLOP/s]", weight=1.0, side="right"),
        Column(title="share of peak [interval]", weight=1.9, side="right"),
        Column(title="of vendor's", weight=0.85, side="right"),
        Column(title="held back by (then)", weight=1.7),
        Column(title="measuring stopped by", weight=1.8),
        Column(title=points[0].summary.loss.name if points else "loss", weight=1.5),
    )
    rows = tuple(_point_row(point, has_setting=bool(setting), has_execution=executed) for point in points)
    return Table(columns=columns, rows=rows, alt="Measured points with intervals, verdicts and checks")


def _setting(point: NumberedPoint) -> str:
    """Without the execution, which has a column of its own."""
    return setting_of(replace(point.summary.point, execution=PLAIN))


def _point_row(point: NumberedPoint, *, has_setting: bool, has_execution: bool) -> tuple[str, ...]:
    summary = point.summary
    diagnosis = summary.diagnosis
    return (
        str(point.number),
        *rung_cells(summary, _NAME),
        *((_setting(point),) if has_setting else ()),
        *((shortened(execution_words(summary), _NAME),) if has_execution else ()),
        *measured_cells(summary),
        f"{diagnosis.limit} ({diagnosis.runner_up})" if diagnosis.runner_up else str(diagnosis.limit),
        shortened(summary.stop_reason, _NAME) or "not recorded",
        _loss_words(summary.loss),
    )


def _loss_words(loss: LossCheck) -> str:
    if not (math.isfinite(loss.first) and math.isfinite(loss.last)):
        return "NOT FINITE"
    return f"{loss.first:.3g} → {loss.last:.3g}{', NOT FALLING' if loss.is_learning is False else ''}"


def sizes_table(points: Sequence[NumberedPoint]) -> Table:
    """What each point computes and reads, and the evidence of its verdict."""
    columns = (
        Column(title="#", weight=0.35, side="right"),
        Column(title="parameters", weight=0.8, side="right"),
        Column(title="data set", weight=0.8, side="right"),
        Column(title="FLOP/step", weight=0.8, side="right"),
        Column(title="FLOP/byte", weight=0.7, side="right"),
        Column(title="record", weight=1.6),
        Column(title="evidence of the verdict", weight=5.5),
    )
    rows = tuple(
        (
            str(point.number),
            with_si(point.summary.num_parameters, ""),
            with_si(point.summary.dataset_bytes, "B"),
            with_si(point.summary.flops_per_step, ""),
            with_si(point.summary.flops_per_byte, ""),
            point.summary.record_id,
            shortened(_evidence(point.summary), 4 * _REASON) or "none given",
        )
        for point in points
    )
    return Table(columns=columns, rows=rows, alt="Sizes of the points and evidence of their verdicts")


def _evidence(summary: PointSummary) -> str:
    """The evidence of the verdict; and what the loss check says, where it does not fall."""
    loss = (summary.loss.statement,) if summary.loss.is_learning is False else ()
    return " ".join(_sentence(text) for text in (*summary.diagnosis.evidence, *loss))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def laws_table(
    trends: Sequence[Trend], points: Sequence[PointSummary], *, has_components: bool = True
) -> Table:
    """The law of the whole step, and with ``has_components`` of each phase, for each trend that has one."""
    columns = (
        Column(title="axis", weight=0.6),
        Column(title="fixed", weight=2.4),
        Column(title="part of the step", weight=1.4),
        Column(title="law (x: size of the axis)", weight=3.6),
        Column(title="residual", weight=0.7, side="right"),
        Column(title="points", weight=0.6, side="right"),
    )
    rows = tuple(row for trend in trends for row in _law_rows(trend, points, has_components=has_components))
    return Table(columns=columns, rows=rows, alt="Laws of the step time")


def _law_rows(trend: Trend, points: Sequence[PointSummary], *, has_components: bool) -> list[tuple[str, ...]]:
    """The first row of a trend names it; the others belong to the same trend."""
    fits = ((trend.total,) if trend.total else ()) + (trend.components if has_components else ())
    return [
        (
            shortened(trend.axis, 20) if number == 0 else "",
            shortened(line_name(trend, points), _NAME) if number == 0 else "",
            "whole step" if fit.phase is None else phase_words(fit.phase),
            shortened(fit.text, 160),
            percent(fit.residual if fit.residual > _ROUNDING else 0.0),
            str(len(trend.sizes)),
        )
        for number, fit in enumerate(fits)
    ]


def checks_table(trends: Sequence[Trend], points: Sequence[PointSummary]) -> Table:
    """Every check, failed ones first; those of one axis that say the same, or passed, share a row.

    Of very many trends, those that failed alike share one too.
    """
    columns = (
        Column(title="axis", weight=0.6),
        Column(title="fixed", weight=1.6),
        Column(title="check", weight=1.6),
        Column(title="result", weight=0.8),
        Column(title="statement", weight=4.9),
    )
    is_long = len(trends) > _MOST_TOLD_APART
    said: dict[tuple[str, str, str], list[tuple[str, Check]]] = {}
    for trend in trends:
        for check in trend.checks:
            alone = str(check.passed) if check.passed or is_long else check.statement
            key = (trend.axis, check.name, alone)
            said.setdefault(key, []).append((line_name(trend, points), check))
    order = {False: 0, None: 1, True: 2}
    groups = sorted(said.items(), key=lambda item: order[item[1][0][1].passed])
    rows = tuple(_check_row(axis, group) for (axis, _, _), group in groups)
    return Table(columns=columns, rows=rows, alt="Checks of the trends")


def _check_row(axis: str, group: Sequence[tuple[str, Check]]) -> tuple[str, ...]:
    fixed, check = group[-1]
    result = "undecided" if check.passed is None else "passed" if check.passed else "FAILED"
    is_example = len({other.statement for _, other in group}) > 1
    return (
        shortened(axis, 20),
        shortened(fixed, _NAME) if len(group) == 1 else counted(len(group), "trend"),
        shortened(check.name, 40),
        result,
        shortened(f"Such as, at {fixed}: {check.statement}" if is_example else check.statement, _REASON),
    )


def environment_table(environment: Environment) -> Table:
    """Facts, which decide the environment, then notes, which do not."""
    columns = (
        Column(title="fact", weight=1.2),
        Column(title="value", weight=4.0),
        Column(title="kind", weight=1.2),
    )
    facts = [(name, value, "fact") for name, value in sorted(environment.facts.items())]
    notes = [(name, value, "note (not compared)") for name, value in sorted(environment.notes.items())]
    rows = tuple((shortened(name, 40), shortened(value, 200), kind) for name, value, kind in facts + notes)
    return Table(columns=columns, rows=rows, alt="Environment")


def lead(points: Sequence[PointSummary]) -> tuple[NumberedPoint, ...]:
    """The points with the numbers that figures and tables share."""
    return tuple(NumberedPoint(number=index + 1, summary=point) for index, point in enumerate(points))
