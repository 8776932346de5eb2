"""Extra-P in an environment of its own, made once under the user's cache, called as a subprocess."""

import hashlib
import json
import math
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.public_series_corpus import Task
from saih.domain.errors import SaihError

VERSION = "4.2.5"
_WORKER = Path(__file__).with_name("extrap_worker.py")
_INSTALL_LIMIT_S, _RUN_LIMIT_S = 900, 900


def extrap_forecasts(tasks: Sequence[Task]) -> list[list[float]]:
    """What Extra-P foresees at the targets of each task; NaN where it foresees nothing positive.

    Answers are kept beside the environment, under the content of tasks and worker.

    Raises:
        SaihError: where it can neither be found nor installed, or fails.
    """
    folder = _folder()
    python = folder / "bin" / "python"
    if not python.is_file() or not (folder / f"extrap-{VERSION}").is_file():
        _install(folder, python)
    asked = json.dumps([_asked(task) for task in tasks])
    key = hashlib.sha256((asked + _WORKER.read_text(encoding="utf-8")).encode()).hexdigest()[:16]
    kept = folder / f"answers-{key}.json"
    if not kept.is_file():
        said = _call([str(python), str(_WORKER)], _RUN_LIMIT_S, asked)
        kept.write_text(said, encoding="utf-8")
    answers: list[list[float]] = json.loads(kept.read_text(encoding="utf-8"))
    return [[value if value > 0 else math.nan for value in answer] for answer in answers]


def _asked(task: Task) -> dict[str, object]:
    sizes, values = task.trained()
    return {
        "sizes": sizes,
        "values": values,
        "targets": task.targets.tolist(),
        "falls": task.series.kind == "strong",
    }


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "saih" / "peers" / "extrap"


def _install(folder: Path, python: Path) -> None:
    print(f"making an environment for Extra-P {VERSION} in {folder}", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    _call([str(python), "-m", "pip", "install", "--quiet", f"extrap=={VERSION}"], _INSTALL_LIMIT_S, "")
    (folder / f"extrap-{VERSION}").touch()


def _call(command: list[str], limit_s: float, given: str) -> str:
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=limit_s, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise SaihError(
            f"Extra-P: {' '.join(command)} failed: {said[-1] if said else 'no message'}",
            f"it needs pip and its package index; remove {_folder()} to begin anew",
        ) from error
    return done.stdout
