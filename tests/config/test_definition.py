"""A sweep as a mapping, as a commented file, and the JSON Schema of both."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.ladder import build
from augment.problem import Problem, Shape
from saih.config.definition import define, explained, restore
from saih.config.json_schema import sweep_json_schema
from saih.config.preset import PRESETS, preset_sweep
from saih.config.sweep_file import parse_sweep
from saih.domain.errors import UsageError
from saih.domain.point import Placement, Timing
from saih.domain.scaling import RankLadder
from saih.domain.sweep import Sweep
from workloads.execution import GIVEN, PLAIN, REFERENCE, TUNED, TUNED_AT_PRECISION, Execution

FIRST_LAYOUT = Execution(name=GIVEN, layout="channels_first", optimizer="fused", bucket_mib=50)
COUNTS = st.integers(1, 4096)
PLACEMENTS = st.builds(
    lambda nodes, ranks, **rest: Placement(
        nodes=nodes, ranks_per_node=ranks, data_parallel=nodes * ranks, **rest
    ),
    nodes=COUNTS,
    ranks=COUNTS,
    device=st.sampled_from(["cpu", "cuda"]),
    gpus_per_rank=st.integers(1, 64),
    binding=st.sampled_from(["none", "core"]),
)
SWEEPS = st.builds(
    Sweep,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
        lambda name: name != "ceilings"
    ),
    workload=st.just("cosmoflow"),
    base=st.builds(
        lambda samples, width: Problem(
            data=Shape.of(samples=samples, resolution=16, channels=1), model=Shape.of(width=width, depth=1)
        ),
        COUNTS,
        COUNTS,
    ),
    ladders=st.lists(COUNTS, min_size=1, max_size=4).map(
        lambda sizes: (build("model", {"width": sizes}, "zip"),)
    ),
    batch_per_rank=COUNTS,
    precision=st.sampled_from(["float32", "bfloat16"]),
    exchange=st.sampled_from(["none", "ddp", "horovod"]),
    scheduler=st.sampled_from(["local", "slurm", "pbs", "lsf", "flux"]),
    placements=st.lists(PLACEMENTS, min_size=1, max_size=3).map(tuple),
    timing=st.builds(
        Timing,
        min_steps=st.integers(1, 10),
        max_steps=st.integers(10, 100),
        relative_width=st.floats(1e-6, 0.9),
        budget_s=st.floats(1e-3, 1e5),
    ),
    seed=st.integers(0, 2**31 - 1),
    executions=st.sampled_from(
        [
            (PLAIN,),
            (REFERENCE, TUNED),
            (TUNED_AT_PRECISION,),
            (FIRST_LAYOUT,),
            (PLAIN, FIRST_LAYOUT, REFERENCE),
        ]
    ),
)


RANK_LADDERS = st.builds(
    RankLadder,
    scaling=st.sampled_from(["strong", "weak", "throughput"]),
    ranks=st.sets(st.integers(1, 8), min_size=1).map(lambda numbers: tuple(sorted(numbers))),
)
CLIMBING = st.builds(
    lambda sweep, ranks: replace(
        sweep,
        placements=(Placement(nodes=1, ranks_per_node=8, data_parallel=8),),
        rank_ladder=ranks,
    ),
    SWEEPS,
    RANK_LADDERS,
)


@settings(max_examples=60, deadline=None)
@given(SWEEPS | CLIMBING)
def test_a_sweep_comes_back_from_its_definition_and_from_its_commented_file(sweep: Sweep) -> None:
    assert restore(json.loads(json.dumps(define(sweep))), "x") == sweep
    assert parse_sweep(explained(sweep), "x") == sweep
    assert faults(define(sweep), sweep_json_schema()) == []


def test_a_definition_from_before_the_ranks_axis_is_read_and_written_as_it_was() -> None:
    stored = {
        "name": "laptop",
        "workload": "cosmoflow",
        "base": {
            "data": {"channels": 4, "resolution": 32, "samples": 32, "universes": 8},
            "model": {"depth": 1, "width": 8},
        },
        "axes": {"data": {"resolution": [16, 32, 64]}, "model": {"width": [4, 8, 16, 32]}},
        "run": {"batch_per_rank": 2, "precision": "float32", "exchange": "ddp", "seed": 1},
        "placement": {"nodes": 1, "ranks_per_node": 2, "threads_per_rank": 1, "device": "cpu"},
        "timing": {
            "warmup_steps": 3, "min_steps": 10, "max_steps": 5000, "relative_width": 0.02, "budget_s": 13.0
        },
        "scheduler": "local",
    }  # fmt: skip
    assert define(restore(stored, "x")) == stored
    assert define(preset_sweep("laptop")) == stored


def test_a_ranks_axis_that_is_not_there_is_shown_as_a_comment() -> None:
    sweep = preset_sweep("laptop")
    lines = explained(sweep).splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith("  # ranks: {"))
    switched_on = [*lines[:begin], lines[begin].replace("# ", "", 1), *lines[begin + 1 :]]
    ladder = RankLadder(scaling="weak", ranks=(1, 2))
    text = "\n".join(switched_on).replace("[1, 2, 4]", "[1, 2]")
    assert parse_sweep(text, "x") == replace(sweep, rank_ladder=ladder)


def test_a_definition_that_is_no_sweep_is_refused() -> None:
    with pytest.raises(UsageError, match="known key"):
        restore({**define(preset_sweep("laptop")), "more": 1}, "x")


def test_the_commented_file_explains_every_key() -> None:
    lines = explained(preset_sweep("laptop")).splitlines()
    keys = [index for index, line in enumerate(lines) if re.match(r" *[a-z_]+:", line)]
    assert len(keys) > 25
    assert all("#" in lines[index] or "#" in lines[index - 1] for index in keys)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_json_schema_accepts_the_presets(preset: str) -> None:
    assert faults(define(preset_sweep(preset)), sweep_json_schema()) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("more", 1),
        ("name", "a b"),
        ("name", "ceilings"),
        ("workload", "other"),
        ("timing", {"relative_width": 1.5}),
        ("timing", {"min_steps": True}),
        ("placement", []),
        ("run", {"sed": 1}),
        ("axes", {"data": {"resolution": []}}),
        ("axes", {"data": {"resolutoin": [1]}}),
        ("axes", {"time": {"resolution": [1]}}),
        ("axes", {"ranks": {"ranks": []}}),
        ("axes", {"ranks": {"ranks": [0]}}),
        ("axes", {"ranks": {"scaling": "sideways"}}),
        ("axes", {"ranks": [1, 2]}),
        ("placement", {"binding": "socket"}),
        ("placement", {"gpus_per_rank": 0}),
        ("run", {"exchange": "mpi"}),
        ("scheduler", "cron"),
        ("base", {"data": {"samples": -1}, "model": {}}),
        ("base", {"data": {}}),
    ],
)
def test_the_json_schema_refuses_what_the_reader_refuses(key: str, value: Any) -> None:
    document = {**define(preset_sweep("laptop")), key: value}
    assert faults(document, sweep_json_schema())
    with pytest.raises(UsageError):
        restore(document, "x")


def faults(value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
    """What the keywords of JSON Schema that the product uses say against ``value``."""
    unknown = set(schema) - KEYWORDS - set(CHECKS)
    assert not unknown, f"the test's reader of JSON Schema does not know {unknown}"
    return [
        fault for name, check in CHECKS.items() if name in schema for fault in check(value, schema, place)
    ]


def _is_type(value: Any, schema: dict[str, Any], place: str) -> list[str]:
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
    fits = isinstance(value, kinds[schema["type"]]) and not isinstance(value, bool)
    return [] if fits else [f"{place} is no {schema['type']}"]


def _properties(value: Any, schema: dict[str, Any], place: str) -> list[str]:
    known = schema["properties"]
    if not isinstance(value, dict):
        return []
    return [
        fault
        for name in known
        if name in value
        for fault in faults(value[name], known[name], f"{place}.{name}")
    ]


def _additional(value: Any, schema: dict[str, Any], place: str) -> list[str]:
    more = set(value) - set(schema.get("properties", {})) if isinstance(value, dict) else set()
    if schema["additionalProperties"] is False:
        return [f"{place} has {name}" for name in more]
    return [fault for name in more for fault in faults(value[name], schema["additionalProperties"], place)]


def _conditional(value: Any, schema: dict[str, Any], place: str) -> list[str]:
    return faults(value, schema["then"], place) if not faults(value, schema["if"], place) else []


CHECKS = {
    "type": _is_type,
    "properties": _properties,
    "additionalProperties": _additional,
    "if": _conditional,
    "required": lambda v, s, p: [
        f"{p} lacks {n}" for n in s["required"] if isinstance(v, dict) and n not in v
    ],
    "propertyNames": lambda v, s, p: [f for n in v for f in faults(n, s["propertyNames"], p)],
    "items": lambda v, s, p: [f for i in v for f in faults(i, s["items"], p)] if isinstance(v, list) else [],
    "minItems": lambda v, s, p: [p] if isinstance(v, list) and len(v) < s["minItems"] else [],
    "anyOf": lambda v, s, p: [p] if all(faults(v, one, p) for one in s["anyOf"]) else [],
    "allOf": lambda v, s, p: [f for one in s["allOf"] for f in faults(v, one, p)],
    "not": lambda v, s, p: [] if faults(v, s["not"], p) else [p],
    "const": lambda v, s, p: [] if v == s["const"] else [p],
    "enum": lambda v, s, p: [] if v in s["enum"] else [p],
    "pattern": lambda v, s, p: [p] if isinstance(v, str) and not re.search(s["pattern"], v) else [],
    "minimum": lambda v, s, p: [p] if isinstance(v, int | float) and v < s["minimum"] else [],
    "maximum": lambda v, s, p: [p] if isinstance(v, int | float) and v > s["maximum"] else [],
    "exclusiveMinimum": lambda v, s, p: (
        [p] if isinstance(v, int | float) and v <= s["exclusiveMinimum"] else []
    ),
    "exclusiveMaximum": lambda v, s, p: (
        [p] if isinstance(v, int | float) and v >= s["exclusiveMaximum"] else []
    ),
}
KEYWORDS = {"$schema", "title", "description", "default", "then"}
