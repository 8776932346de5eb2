"""The system description that MLPerf submissions keep beside their logs: ``ORG/systems/NAME.json``."""

import json
from dataclasses import dataclass
from pathlib import Path

_MAX_BYTES = 2**20
_MAX_TEXT = 200
_LEVELS = 4
"""Logs stand at ``results/NAME/cosmoflow`` or ``results/NAME/strong/cosmoflow``, files below them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemDescription:
    """What it tells; None, or empty text, is what it does not."""

    num_nodes: int | None = None
    """Of the whole machine that was used, which in weak scaling ran several instances."""
    gpus_per_node: int | None = None
    accelerator: str = ""
    processor: str = ""
    framework: str = ""


def description_beside(log: Path) -> SystemDescription:
    """The description that belongs to a log by its place; an empty one where none can be read."""
    for folder in list(log.resolve().parents)[:_LEVELS]:
        if folder.parent.name == "results":
            return _read(folder.parent.parent / "systems" / f"{folder.name}.json")
    return SystemDescription()


def _read(path: Path) -> SystemDescription:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return SystemDescription()
    if not isinstance(content, dict):
        return SystemDescription()
    gpus = _count(content.get("accelerators_per_node"))
    return SystemDescription(
        num_nodes=_count(content.get("number_of_nodes")) or None,
        gpus_per_node=gpus,
        accelerator=_text(content.get("accelerator_model_name")) if gpus else "",
        processor=_text(content.get("host_processor_model_name")),
        framework=_text(content.get("framework")),
    )


def _text(value: object) -> str:
    return value.strip()[:_MAX_TEXT] if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
