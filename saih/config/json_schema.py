"""The schema of a sweep file as JSON Schema, for editors and other programs."""

from typing import Any

from saih.config.key import Key, Listed, Rungs, Section, Sizes, Table
from saih.config.kind import Choice, Size, json_type
from saih.config.schema import sweep_schema
from saih.config.walk_axis import WALKS
from saih.config.workload_sizes import sizes_in
from workloads.catalog import WORKLOADS
from workloads.growing import GrowingWorkload
from workloads.protocol import Workload

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def sweep_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a sweep file; sizes are those of the workload that the file names."""
    return {
        "$schema": DIALECT,
        "title": "SAIH sweep",
        **section_json(sweep_schema(tuple(WORKLOADS))),
        "allOf": [_sizes_of(workload) for workload in WORKLOADS.values()],
    }


def section_json(section: Section) -> dict[str, Any]:
    """A section as JSON Schema."""
    required = [key.name for key in section.keys if key.is_required]
    one = {
        "type": "object",
        "properties": {key.name: _key(key) for key in section.keys},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }
    either = {"anyOf": [json_type(Choice(words=section.words)), one]} if section.words else one
    several = {"type": "array", "items": either, "minItems": 1}
    return {"anyOf": [either, several]} if section.is_repeatable else either


def _key(key: Key) -> dict[str, Any]:
    default = {} if key.default is None else {"default": key.default}
    return {"description": key.meaning, **_kind(key), **default}


def _kind(key: Key) -> dict[str, Any]:
    match key.kind:
        case Section():
            return section_json(key.kind)
        case Sizes():
            return {"type": "object", "additionalProperties": json_type(Size())}
        case Rungs():
            return {
                "type": "object",
                "properties": {"combine": json_type(key.kind.combine)},
                "additionalProperties": {"type": "array", "items": json_type(Size()), "minItems": 1},
            }
        case Listed():
            return {"type": "array", "items": json_type(key.kind.item), "minItems": 1}
        case Table():
            names = {"pattern": f"^({key.kind.name.pattern})$"}
            values = json_type(key.kind.value)
            return {"type": "object", "propertyNames": names, "additionalProperties": values}
        case _:
            return json_type(key.kind)


def _sizes_of(workload: Workload) -> dict[str, Any]:
    """What a file that names this workload may say about sizes."""
    sizes = {axis.name: sizes_in(workload.axes, axis.name) for axis in workload.axes if not axis.within}
    base = {name: {"propertyNames": {"enum": list(known)}} for name, known in sizes.items()}
    axes = {name: {"propertyNames": {"enum": ["combine", *known]}} for name, known in sizes.items()}
    return {
        "if": {"properties": {"workload": {"const": workload.name}}},
        "then": {
            "properties": {
                "base": {"properties": base},
                "axes": {"properties": axes, "propertyNames": {"enum": [*axes, "ranks", *_walks(workload)]}},
            }
        },
    }


def _walks(workload: Workload) -> tuple[str, ...]:
    """The axes along which sizes of data and model change together."""
    return WALKS if isinstance(workload, GrowingWorkload) else ()
