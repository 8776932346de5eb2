"""A sweep as the mapping that its file holds: what is kept with results, and written by ``saih init``."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from augment.ladder import Ladder
from saih.config.execution_key import executions_definition
from saih.config.key import Key, Rungs, Section, Sizes
from saih.config.rank_axis import NAME as RANKS
from saih.config.schema import sweep_schema
from saih.config.sweep_file import parse_sweep
from saih.config.walk_axis import walk_definition
from saih.config.workload_sizes import sizes_in
from saih.domain.point import Placement, Timing
from saih.domain.supply import FROM_DATA_FOLDER, Supply
from saih.domain.sweep import Sweep
from workloads.catalog import WORKLOADS

_CAME_LATER = ("gpus_per_rank", "binding", "tensor_parallel", "pipeline_parallel", "spatial_parallel")
_PLAIN = Placement()


def define(sweep: Sweep) -> dict[str, Any]:
    """The sweep as plain JSON values in the shape of its file; ``restore`` gives the same sweep."""
    placements = [_placement(placement) for placement in sweep.placements]
    return {
        "name": sweep.name,
        "workload": sweep.workload,
        "base": {"data": dict(sweep.base.data), "model": dict(sweep.base.model)},
        "axes": {ladder.axis: _lists(ladder) for ladder in sweep.ladders}
        | _rank_axis(sweep)
        | walk_definition(sweep),
        "run": {
            "batch_per_rank": sweep.batch_per_rank,
            "precision": sweep.precision,
            "exchange": sweep.exchange,
            "seed": sweep.seed,
            **_supply(sweep.supply),
            **executions_definition(sweep.executions),
        },
        "placement": placements[0] if len(placements) == 1 else placements,
        "timing": {field.name: getattr(sweep.timing, field.name) for field in fields(Timing)},
        "scheduler": sweep.scheduler,
    }


def restore(definition: Mapping[str, Any], source: str, overrides: Iterable[str] = ()) -> Sweep:
    """The sweep that ``define`` described, with overrides; ``source`` names it in messages.

    Raises:
        UsageError: when the mapping is no sweep of this version.
    """
    return parse_sweep(json.dumps(definition, ensure_ascii=True), source, overrides)


def explained(sweep: Sweep) -> str:
    """The sweep as a YAML file in which every key is explained."""
    lines = [
        "# A sweep: one application, scaled along its data and its model.",
        "# `saih plan FILE` shows what it would run, `saih sweep FILE` runs it and writes the report.",
        "",
        *_section(sweep_schema(tuple(WORKLOADS)), define(sweep), sweep.workload, 0),
    ]
    return "\n".join(lines) + "\n"


def _placement(placement: Placement) -> dict[str, Any]:
    """What a file may say of it; keys that came later only where they differ from the default.

    So the definition of a sweep that was measured before stays the same.
    """
    whole = {
        "nodes": placement.nodes,
        "ranks_per_node": placement.ranks_per_node,
        "threads_per_rank": placement.threads_per_rank,
        "device": placement.device,
    }
    kept = {name: getattr(placement, name) for name in _CAME_LATER}
    return whole | {name: value for name, value in kept.items() if value != getattr(_PLAIN, name)}


def _supply(supply: Supply) -> dict[str, Any]:
    """What a file may say of it, where that differs from the default."""
    usual = asdict(FROM_DATA_FOLDER)
    return {name: value for name, value in asdict(supply).items() if value != usual[name]}


def _rank_axis(sweep: Sweep) -> dict[str, Any]:
    if sweep.rank_ladder is None:
        return {}
    ladder = sweep.rank_ladder
    grows = {} if ladder.grows == "data" else {"grows": ladder.grows}
    return {RANKS: {"scaling": ladder.scaling, "ranks": list(ladder.ranks), **grows}}


def _lists(ladder: Ladder) -> dict[str, list[Any]]:
    return {name: [rung[name] for rung in ladder.rungs] for name in ladder.rungs[0]}


def _section(section: Section, values: Mapping[str, Any], workload: str, depth: int) -> list[str]:
    lines = []
    for key in section.keys:
        value = values.get(key.name, key.default)
        if value is not None:
            lines += _key(key, value, workload, depth)
        elif key.name == RANKS:
            lines += _absent(key, depth)
    return lines


def _absent(key: Key, depth: int) -> list[str]:
    """An axis that is not in the sweep, as a comment that shows how to add it."""
    keys = key.kind.keys if isinstance(key.kind, Section) else ()
    shape = ", ".join(f"{one.name}: {one.default or '[1, 2, 4]'}" for one in keys)
    indent = "  " * depth
    return [
        f"{indent}# {key.meaning}; climbed when --axis names it, or when it stands here:",
        f"{indent}# {key.name}: {{{shape}}}",
        *(f"{indent}#   {one.name}: {one.meaning}" for one in keys),
    ]


def _key(key: Key, value: Any, workload: str, depth: int) -> list[str]:
    indent = "  " * depth
    default = "" if key.default is None else f" (default {key.default})"
    comment = f"{indent}# {key.meaning}{default}"
    if isinstance(key.kind, Section) and isinstance(value, Mapping):
        return [comment, f"{indent}{key.name}:", *_section(key.kind, value, workload, depth + 1)]
    if isinstance(key.kind, Sizes | Rungs):
        return [comment, f"{indent}{key.name}:", *_sizes(key.kind.axis, value, workload, depth + 1)]
    return [comment, f"{indent}{key.name}: {json.dumps(value)}"]


def _sizes(axis_name: str | None, values: Mapping[str, Any], workload: str, depth: int) -> list[str]:
    indent = "  " * depth
    shapes = ("data", "model") if axis_name is None else (axis_name,)
    axes = WORKLOADS[workload].axes
    meanings = {name: text for shape in shapes for name, text in sizes_in(axes, shape).items()}
    return [
        f"{indent}{name}: {json.dumps(value)}  # {meanings.get(name, '')}" for name, value in values.items()
    ]
