"""What the benchmark on a GPU found: tables and bars, on the terminal and in files."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.bars import judge

JSON_FILE, TABLES_FILE = "energon-gpu.json", "energon-gpu.md"
_PEERS = ("transformers", "accelerate")
Cell = str | float | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A figure and what it must reach."""

    name: str
    value: float
    unit: str
    relation: str
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table, what belongs beside it, and its bars."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    remarks: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()
    failure: str = ""
    """Why there is no table; empty where there is."""


def facts(device: torch.device) -> dict[str, Cell]:
    """What the figures depend on."""
    found: dict[str, Cell] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cores": len(os.sched_getaffinity(0)),
        **{name: _version(name) for name in _PEERS},
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found |= {
            "device": properties.name,
            "device_memory_bytes": properties.total_memory,
            "cuda": str(torch.version.cuda),
        }
    return found


def write(folder: Path, command: str, known: dict[str, Cell], sections: Sequence[Section]) -> None:
    """Both files, anew after every section: a run that is cut short leaves what it has found."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"command": command, "facts": known, "sections": [asdict(one) for one in sections]}
    (folder / JSON_FILE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    told = ", ".join(f"{name} {value}" for name, value in known.items())
    text = [f"`{command}`", "", told, *(line for section in sections for line in _lines(section))]
    (folder / TABLES_FILE).write_text("\n".join(text) + "\n", encoding="utf-8")


def show(section: Section, *, is_judged: bool) -> bool:
    """Print a section; whether it ran and, where it is judged, reached every bar."""
    print("\n".join(_lines(section)), flush=True)
    if not is_judged:
        return not section.failure
    met = [judge(bar.name, bar.value, bar.unit, bar.relation, bar.limit) for bar in section.bars]
    return all(met) and not section.failure


def _lines(section: Section) -> list[str]:
    """A section as Markdown."""
    lines = ["", f"## {section.title}", ""]
    if section.failure:
        return [*lines, f"No figures: {section.failure}"]
    rows = [section.columns, ("---",) * len(section.columns), *section.rows]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return [*lines, *(line for remark in section.remarks for line in ("", remark))]


def _cell(value: Cell) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
