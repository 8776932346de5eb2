"""The first files of a user: a sweep, and the site that it runs at."""

from pathlib import Path

from saih.commands.selection import quoted
from saih.config.definition import explained
from saih.config.preset import preset_sweep
from saih.config.site_file import explained_site
from saih.domain.errors import SaihError, UsageError


def write_sweep_file(path: Path, preset: str, name: str | None) -> Path:
    """Write the preset to a new file, every key explained.

    Raises:
        UsageError: when the file is there already, or the preset or the name is none.
    """
    called = name or path.name.removesuffix("".join(path.suffixes[-1:]))
    return _written(path, explained(preset_sweep(preset, [f"name={quoted(called)}"])))


def write_site_file(path: Path) -> Path:
    """Write a site file, every key explained.

    Raises:
        UsageError: when the file is there already.
    """
    return _written(path, explained_site())


def _written(path: Path, text: str) -> Path:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already", "give another path; nothing was replaced.") from error
    except OSError as error:
        raise SaihError(
            f"{path} cannot be written: {error.strerror}", "give a path in a writable folder."
        ) from error
    return path
