"""The first sweep file of a user."""

from pathlib import Path

from saih.commands.selection import quoted
from saih.config.definition import explained
from saih.config.preset import preset_sweep
from saih.domain.errors import SaihError, UsageError


def write_sweep_file(path: Path, preset: str, name: str | None) -> Path:
    """Write the preset to a new file, every key explained.

    Raises:
        UsageError: when the file is there already, or the preset or the name is none.
    """
    called = name or path.name.removesuffix("".join(path.suffixes[-1:]))
    sweep = preset_sweep(preset, [f"name={quoted(called)}"])
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(explained(sweep))
    except FileExistsError as error:
        raise UsageError(f"{path} is there already", "give another path; nothing was replaced.") from error
    except OSError as error:
        raise SaihError(
            f"{path} cannot be written: {error.strerror}", "give a path in a writable folder."
        ) from error
    return path
