"""Which sweep a command means: a file, one that has results already, or a preset."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from saih.commands.choice import Choice
from saih.config.definition import restore
from saih.config.mistake import nearest
from saih.config.preset import PRESETS, preset_sweep
from saih.config.sweep_file import read_sweep, with_axes
from saih.domain.errors import UsageError
from saih.domain.sweep import Sweep
from saih.store.bundle_origin import read_origin
from saih.store.sweep_folder import SweepFolder, read_definition, sweep_names


def read_choice(choice: Choice) -> Sweep:
    """The sweep that is meant.

    Raises:
        UsageError: when there is none, or something is wrong with it.
    """
    sweep = _find(choice.sweep, choice.results_folder, (*choice.overrides, *_naming(choice.name)))
    if choice.axes:
        sweep = with_axes(sweep, choice.axes)
    return replace(sweep, name=choice.name) if choice.name else sweep


def find_folder(name: str, results_folder: Path) -> SweepFolder:
    """The folder of a sweep that has results: by its name, or by the path of its folder.

    Raises:
        UsageError: when there is none.
    """
    path = Path(name)
    path = path if path.name not in ("", "..") else path.resolve()
    if path.is_dir() and path.name in sweep_names(path.parent):
        return SweepFolder(path.parent, path.name)
    inside = sweep_names(path) if path.is_dir() else ()
    if len(inside) == 1:
        return SweepFolder(path, inside[0])
    if name in sweep_names(results_folder):
        return SweepFolder(results_folder, name)
    known = inside or sweep_names(results_folder)
    raise UsageError(
        f"there is no sweep {name!r} in {results_folder}",
        f"{nearest(name, known)}." if known else "run `saih sweep` first, or name the folder with --results.",
    )


def _find(name: str, results_folder: Path, overrides: Sequence[str]) -> Sweep:
    path = Path(name)
    is_path = "/" in name or path.suffix in (".yaml", ".yml", ".json")
    if is_path or (path.exists() and not path.is_dir()):
        return read_sweep(path, overrides)
    if name in sweep_names(results_folder):
        folder = SweepFolder(results_folder, name)
        sweep = restore(read_definition(folder), f"the definition of {name}", overrides)
        is_imported = read_origin(folder) is not None  # such a folder may be called as one likes
        return _named_as_its_folder(sweep, name, overrides, is_imported=is_imported)
    if name in PRESETS:
        return preset_sweep(name, overrides)
    valid = tuple(dict.fromkeys((*sweep_names(results_folder), *PRESETS)))
    raise UsageError(
        f"there is no sweep file, result or preset called {name!r}",
        f"{nearest(name, valid)}; `saih init {name}.yaml` writes a new file.",
    )


def _named_as_its_folder(sweep: Sweep, name: str, overrides: Sequence[str], *, is_imported: bool) -> Sweep:
    """Refuse a renamed folder of results: what is measured for it would go elsewhere."""
    is_renamed = sweep.name != name and not any(override.startswith("name=") for override in overrides)
    if is_renamed and is_imported:
        return replace(sweep, name=name)
    if is_renamed:
        raise UsageError(
            f"the folder {name} holds the sweep {sweep.name}; it was renamed or copied",
            f"rename it back to {sweep.name} to continue it, or say --name {sweep.name} to begin anew; "
            "status, analyze, report and compare take it as it is.",
        )
    return sweep


def _naming(name: str | None) -> tuple[str, ...]:
    """The asked name as an override, so that it is checked like every other."""
    return () if name is None else (f"name={quoted(name)}",)


def quoted(text: str) -> str:
    """``text`` as a YAML value that is nothing but this text."""
    return "'{}'".format(text.replace("'", "''"))
