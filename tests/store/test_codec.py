"""The strict codec: what it writes it reads back, and it reads nothing else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.problem import Problem, Shape
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings, LatencySegment
from saih.domain.errors import DamagedData
from saih.domain.interval import Interval
from saih.domain.job import Job
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Environment, Outcome
from saih.store import codec
from saih.store.document import render
from saih.store.structure import to_json
from workloads.execution import TUNED

PATH = Path("somewhere.json")
NAMES = st.text(min_size=1, max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SIZES = st.dictionaries(NAMES, st.one_of(st.integers(), FINITE, st.text()), max_size=4)
POINTS = st.builds(
    Point,
    workload=NAMES,
    problem=st.builds(Problem, data=SIZES.map(Shape.of), model=SIZES.map(Shape.of)),
    batch_per_rank=st.integers(1, 10**9),
    precision=NAMES,
    exchange=st.sampled_from(["none", "ddp"]),
    placement=st.builds(lambda n: Placement(ranks_per_node=n, data_parallel=n), st.integers(1, 10**5)),
    timing=st.builds(Timing, relative_width=FINITE, budget_s=st.one_of(FINITE, st.integers())),
    seed=st.integers(),
    schema_version=st.just(1),
)


@settings(deadline=None)  # the machine may be busy
@given(POINTS)
def test_every_point_comes_back_equal_and_with_its_id(point: Point) -> None:
    back = codec.decode_point(codec.encode_point(point), PATH)
    assert back == point
    assert back.point_id == point.point_id


@settings(deadline=None)  # the machine may be busy
@given(POINTS, st.integers(1, 10**6))
def test_every_job_comes_back_equal(point: Point, watchdog_s: int) -> None:
    job = Job(
        task="measure",
        sweep_name="s",
        results_folder="r\n ü",
        data_folder="",
        placement=point.placement,
        points=(point, point),
        watchdog_s=watchdog_s,
    )
    assert codec.decode_job(codec.encode_job(job), PATH) == job


@settings(deadline=None)  # the machine may be busy
@given(st.dictionaries(NAMES, st.text(max_size=20)), st.dictionaries(NAMES, st.text(max_size=20)))
def test_every_environment_comes_back_equal(facts: dict[str, str], notes: dict[str, str]) -> None:
    environment = Environment(facts=facts, notes=notes, environment_id="x")
    assert codec.decode_environment(codec.encode_environment(environment), PATH) == environment


def test_ceilings_come_back_equal_with_absent_values_kept_absent() -> None:
    rate = Interval(low=1.0, value=2.0, high=3.0, level=0.95, count=3)
    curve = Ceiling(
        kind=CeilingKind.GEMM,
        precision="float32",
        unit="FLOP/s",
        size_unit="",
        sizes=(8.0, 16.0),
        rates=(rate, rate),
    )
    ceilings = Ceilings(
        environment_id="e",
        placement_label="1 node",
        curves=(curve,),
        measured_utc="2026-01-01T00:00:00+00:00",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=1e9,
        vendor_flops_per_s={"float32": 1e12},
    )
    assert codec.decode_ceilings(codec.encode_ceilings(ceilings), PATH) == ceilings


def test_variants_and_segments_of_ceilings_come_back_and_older_files_have_none() -> None:
    rate = Interval(low=1.0, value=2.0, high=3.0, level=0.95, count=6)
    segment = LatencySegment(from_bytes=4.0, to_bytes=1e4, latency_s=1e-5, bytes_per_s=None)
    curve = Ceiling(
        kind=CeilingKind.ALL_REDUCE,
        precision="",
        unit="s",
        size_unit="bytes",
        sizes=(4.0,),
        rates=(rate,),
        variant="mpi",
        segments=(segment,),
    )
    ceilings = Ceilings(
        environment_id="e",
        placement_label="1 node",
        curves=(curve,),
        measured_utc="2026-01-01T00:00:00+00:00",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )
    assert codec.decode_ceilings(codec.encode_ceilings(ceilings), PATH) == ceilings
    older = to_json(ceilings)
    for name in ("variant", "segments"):
        del older["curves"][0][name]
    found = codec.decode_ceilings(render("saih ceilings", older), PATH)
    assert found.curves == (replace(curve, variant="", segments=()),)


def test_equal_values_give_equal_bytes(make_point: Callable[[int], Point]) -> None:
    assert codec.encode_point(make_point(3)) == codec.encode_point(make_point(3))


def test_a_stored_id_that_is_not_the_hash_of_the_definition_is_damage(
    make_point: Callable[[int], Point],
) -> None:
    content = {**to_json(make_point(1)), "point_id": make_point(2).point_id}
    with pytest.raises(DamagedData, match="its definition hashes to") as caught:
        codec.decode_point(render("saih point", content), PATH)
    assert str(PATH) in caught.value.problem


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("seed", "1", "point.seed is '1', expected int"),
        ("seed", True, "point.seed is True, expected int"),
        ("seed", 1.0, "point.seed is 1.0, expected int"),
        ("exchange", "carrier pigeon", "expected one of none, ddp"),
        ("workload", None, "point.workload is None, expected str"),
        ("timing", [], "point.timing is .*, expected an object"),
        ("colour", "red", "has unknown 'colour'"),
    ],
)
def test_wrong_and_unknown_fields_are_named(
    make_point: Callable[[int], Point], name: str, value: object, words: str
) -> None:
    content = {**to_json(make_point(1)), "point_id": "x", name: value}
    with pytest.raises(DamagedData, match=words):
        codec.decode_point(render("saih point", content), PATH)


def test_a_missing_field_is_named(make_point: Callable[[int], Point]) -> None:
    content = {**to_json(make_point(1)), "point_id": "x"}
    del content["batch_per_rank"]
    with pytest.raises(DamagedData, match="point lacks batch_per_rank"):
        codec.decode_point(render("saih point", content), PATH)


def test_a_value_that_the_domain_refuses_is_damage(make_point: Callable[[int], Point]) -> None:
    content = {**to_json(make_point(1)), "point_id": "x"}
    content["placement"]["nodes"] = 7
    with pytest.raises(DamagedData, match="7 nodes x 2 ranks = 14"):
        codec.decode_point(render("saih point", content), PATH)


def test_a_newer_schema_says_which_version_is_needed(make_point: Callable[[int], Point]) -> None:
    data = codec.encode_point(make_point(1)).replace(
        b'"kind": "saih point",\n "schema_version": 1', b'"kind": "saih point",\n "schema_version": 7'
    )
    with pytest.raises(DamagedData, match="schema 7; this saih reads up to schema 1") as caught:
        codec.decode_point(data, PATH)
    assert "schema 7" in caught.value.remedy


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema_version": NaN}',
        b'{"schema_version": 1, "schema_version": 1}',
        b'{"schema_version": 1}',
        b"1" * 5000,
    ],
    ids=["empty", "cut", "list", "null", "binary", "deep", "nan", "twice", "keys", "huge"],
)
def test_anything_else_is_damage_and_never_another_error(data: bytes) -> None:
    with pytest.raises(DamagedData, match=r"somewhere\.json"):
        codec.decode_point(data, PATH)


def test_a_document_of_another_kind_is_damage(environment: Environment) -> None:
    with pytest.raises(DamagedData, match="kind is 'saih environment', expected 'saih point'"):
        codec.decode_point(codec.encode_environment(environment), PATH)


def test_a_number_that_is_not_finite_is_never_written(make_point: Callable[[int], Point]) -> None:
    point = replace(make_point(1), timing=Timing(budget_s=float("nan")))
    with pytest.raises(ValueError, match="JSON"):
        codec.encode_job(
            Job(
                task="measure",
                sweep_name="s",
                results_folder="",
                data_folder="",
                placement=point.placement,
                points=(),
                watchdog_s=float("inf"),
            )
        )
    with pytest.raises(ValueError, match="JSON"):
        codec.encode_definition({"x": point.timing.budget_s})


def test_every_flipped_bit_of_an_outcome_is_found() -> None:
    note = codec.OutcomeNote(
        point_id="p",
        attempt=1,
        environment_id="e",
        outcome=Outcome.COMPLETED,
        reason="",
        stop_reason="interval 1.8 % after 24 steps",
        notes={"bytes_read": "10"},
        finished_utc="2026-01-01T00:00:00+00:00",
        sha256={"steps.h5": "0" * 64},
    )
    data = codec.encode_outcome(note)
    assert codec.decode_outcome(data, PATH) == note
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedData):
            codec.decode_outcome(bytes(flipped), PATH)


def test_a_document_is_plain_json_with_its_kind_and_schema(make_point: Callable[[int], Point]) -> None:
    document = json.loads(codec.encode_point(make_point(1)))
    assert document["kind"] == "saih point"
    assert document["schema_version"] == 1
    assert document["content"]["point_id"] == make_point(1).point_id


def test_points_from_before_there_were_executions_come_back_with_their_ids() -> None:
    point = Point(
        workload="cosmoflow",
        problem=Problem(data=Shape.of(resolution=16), model=Shape.of(width=4)),
        batch_per_rank=2,
        precision="float32",
        exchange="none",
        placement=Placement(),
        timing=Timing(),
        seed=1,
    )
    older = {**to_json(point), "point_id": point.point_id}
    for name in ("execution", "supply"):
        del older[name]
    assert codec.decode_point(render("saih point", older), PATH) == point
    later = replace(point, execution=TUNED)
    assert codec.decode_point(codec.encode_point(later), PATH) == later
    assert later.point_id != point.point_id
