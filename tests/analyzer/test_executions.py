"""Points of several executions: in the number format that they ran in, and never joined."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.analyzer.comparison import compare
from saih.analyzer.system import system_of
from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.record import Phase, Record
from saih.domain.trend import Analysis
from workloads.execution import GIVEN, PLAIN, REFERENCE, TUNED, Execution

LOWER_PEAK = 600e9
FOUND = Execution(name="tuned", precision="bfloat16", kernels="own")


@pytest.fixture
def made(synthetic: SimpleNamespace) -> Callable[..., Record]:
    """A record of one execution whose steps take ``step_ms``."""

    def build(
        execution: Execution,
        step_ms: float,
        *,
        rows: int = 8,
        found: Execution | None = None,
        **changes: object,
    ) -> Record:
        at = synthetic.point(rows=rows, execution=execution, **changes)
        generator = np.random.default_rng([rows, int(100 * step_ms)])
        record = synthetic.record(at, synthetic.steps({Phase.FORWARD: 1e6 * step_ms}, generator, count=60))
        notes = {} if found is None else {"execution": json.dumps(asdict(found))}
        return replace(record, result=replace(record.result, notes=notes))

    return build


@pytest.fixture
def ceilings(synthetic: SimpleNamespace) -> Ceilings:
    """Those of float32, and a higher peak in bfloat16."""
    known: Ceilings = synthetic.ceilings()
    lower = replace(
        synthetic.ceiling(CeilingKind.GEMM, (64.0, 512.0), (9e10, LOWER_PEAK)), precision="bfloat16"
    )
    return replace(
        known, curves=(*known.curves, lower), vendor_flops_per_s={"float32": 2e11, "bfloat16": 1e12}
    )


def analysed(synthetic: SimpleNamespace, records: list[Record], *ceilings: Ceilings) -> Analysis:
    return analyze(
        "sweep", records, ceilings, (), len(records), find_workload=lambda _name: synthetic.workload
    )


def test_a_point_is_held_against_the_peak_of_the_format_that_it_ran_in(
    synthetic: SimpleNamespace, made: Callable[..., Record], ceilings: Ceilings
) -> None:
    records = [made(REFERENCE, 3.0, precision="bfloat16"), made(TUNED, 1.0, found=FOUND)]
    reference, tuned = analysed(synthetic, records, ceilings).points
    assert (reference.precision, tuned.precision) == ("float32", "bfloat16")
    assert tuned.share_of_peak is not None
    assert reference.share_of_peak is not None
    assert tuned.flops_per_s.value / tuned.share_of_peak.value == pytest.approx(LOWER_PEAK)
    assert reference.flops_per_s.value / reference.share_of_peak.value == pytest.approx(synthetic.GEMM_PEAK)
    assert tuned.share_of_vendor_peak is not None
    assert tuned.flops_per_s.value / tuned.share_of_vendor_peak.value == pytest.approx(1e12)
    assert any("gemm in bfloat16" in said for said in tuned.diagnosis.evidence)
    assert tuned.execution.words == "bfloat16, own kernels"


@pytest.mark.parametrize(
    "note", ["", "{}", "[]", "nonsense", '{"precision": "float3"}', '{"precision": "bfloat16", "layout": 5}']
)
def test_a_searched_point_that_does_not_tell_what_was_found_is_refused(
    synthetic: SimpleNamespace, made: Callable[..., Record], note: str
) -> None:
    record = made(TUNED, 1.0)
    notes = {"execution": note} if note else {}
    record = replace(record, result=replace(record.result, notes=notes))
    found = analysed(synthetic, [record, made(PLAIN, 2.0)])
    assert [point.point.execution for point in found.points] == [PLAIN]
    assert "its notes do not tell with which settings" in found.failed[0].reason


def test_what_tuning_brings_is_a_ratio_with_an_interval_at_each_rung(
    synthetic: SimpleNamespace, made: Callable[..., Record]
) -> None:
    records = [
        record
        for rows in (8, 16)
        for record in (
            made(REFERENCE, 3.0 * rows, rows=rows),
            made(TUNED, 1.0 * rows, rows=rows, found=FOUND),
        )
    ]
    found = analysed(synthetic, records)
    assert [gain.labels["data"] for gain in found.gains] == ["8 rows", "16 rows"]
    for gain in found.gains:
        assert (gain.name, gain.baseline) == ("tuned", "reference")
        assert gain.ratio.low < 3.0 < gain.ratio.high
        assert gain.ratio.relative_width < 0.1
        assert gain.settings == "bfloat16, own kernels"


def test_the_plain_execution_is_what_others_are_held_against_where_there_is_no_reference(
    synthetic: SimpleNamespace, made: Callable[..., Record]
) -> None:
    given = Execution(name=GIVEN, optimizer="fused")
    gains = analysed(synthetic, [made(PLAIN, 2.0), made(given, 1.0)]).gains
    assert [(gain.name, gain.baseline) for gain in gains] == [("fused optimizer", "plain")]
    assert analysed(synthetic, [made(TUNED, 2.0, found=FOUND), made(given, 1.0)]).gains == ()
    assert analysed(synthetic, [made(PLAIN, 2.0)]).gains == ()


def test_trends_never_join_executions_and_labels_tell_them_apart(
    synthetic: SimpleNamespace, made: Callable[..., Record], ceilings: Ceilings
) -> None:
    sizes = (8, 16, 32, 64)
    records = [
        record
        for rows in sizes
        for record in (
            made(REFERENCE, 3.0 * rows, rows=rows),
            made(TUNED, 1.0 * rows, rows=rows, found=FOUND),
        )
    ]
    found = analysed(synthetic, records, ceilings)
    assert len(found.trends) == 2
    by_record = {point.record_id: point for point in found.points}
    for trend in found.trends:
        assert len({by_record[one].point.execution for one in trend.record_ids}) == 1
        assert trend.sizes == sizes
    assert {point.labels["execution"] for point in found.points} == {"reference", "tuned"}
    assert "tuned from float32" in found.trends[1].fixed
    alone = analysed(synthetic, records[1::2], ceilings)
    assert "execution" not in alone.points[0].labels


def test_rungs_of_one_tuned_trend_may_have_run_in_different_formats(
    synthetic: SimpleNamespace, made: Callable[..., Record], ceilings: Ceilings
) -> None:
    wide = replace(FOUND, precision="float32")
    records = [
        made(TUNED, 1.0 * rows, rows=rows, found=wide if rows == 8 else FOUND) for rows in (8, 16, 32, 64)
    ]
    (trend,) = analysed(synthetic, records, ceilings).trends
    assert trend.total is not None
    assert all(share is not None for share in trend.share_of_peak)
    assert trend.share_curve == ()
    checks = {check.name: check for check in trend.checks}
    assert "several number formats" in checks["below the measured peak"].statement
    assert checks["same settings"].passed is None
    assert "settings found" in checks["same settings"].statement


def test_systems_are_asked_the_same_by_the_name_of_an_execution(
    synthetic: SimpleNamespace, made: Callable[..., Record]
) -> None:
    here = [made(REFERENCE, 3.0), made(TUNED, 1.0, found=FOUND), made(PLAIN, 2.0)]
    there = [
        made(REFERENCE, 6.0, precision="bfloat16"),
        made(TUNED, 2.0, found=replace(FOUND, kernels="torch")),
    ]
    systems = [
        system_of(analysed(synthetic, records), name) for name, records in (("here", here), ("there", there))
    ]
    (pair,) = compare(systems).pairs
    assert len(pair.matched) == 2
    assert {dict(one.key)["execution"] for one in pair.matched} == {"reference", "tuned"}
    tuned = next(one for one in pair.matched if dict(one.key)["execution"] == "tuned")
    assert any("settings found: bfloat16, own kernels on here" in words for words in tuned.differs)
    assert len(pair.only_a) == 1
