"""The script of a submission: the exact text that the scheduler gets."""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from saih.domain.batch import Batch, Submission
from saih.domain.errors import UsageError
from saih.domain.site import Site
from saih.launch.script_dialect import (
    Elements,
    chunk,
    clock_time,
    directives,
    hour_minutes,
    index_words,
    job_name,
    log_path,
)
from saih.launch.script_shape import Shape, shape_of
from saih.store.submission_folder import SubmissionFolder

_PLACE = re.compile(r"@([a-z_]+)@")
_DRIVER = "saih.launch.allocation"
_WORK = {"generate": "makes data sets of", "measure": "measures", "report": "writes the report of"}


def render(
    folder: SubmissionFolder, submission: Submission, batches: Sequence[Batch], reports_folder: Path | None
) -> str:
    """The script that works on ``batches``, and then writes the report where a folder for it is given.

    Raises:
        UsageError: for a site without a batch scheduler, or a folder that a script cannot name.
    """
    site = submission.site
    shape = shape_of(submission.task, site, batches, submission.time_limit_s)
    if site.scheduler == "local":
        raise UsageError(
            f"the site {site.name} has no batch scheduler.", "name its `scheduler` in the site file."
        )
    number = submission.num_elements
    elements = Elements(number=number, at_once=min(number, site.max_jobs)) if number > 1 else None
    paths = (submission.data_folder, str(reports_folder or ""), sys.executable)
    if any(not path.isprintable() for path in paths):  # a new line could begin a directive of its own
        raise UsageError(f"a path among {paths!r} has control characters.", "rename that folder.")
    values = {
        **_sizes(site, shape),
        "title": f"SAIH {_WORK[submission.task]} {folder.sweep.name}, submission {submission.number}",
        "name": job_name(site, submission.token, elements),
        "log": log_path(site, folder.path.absolute(), elements),
        "directives": "\n".join(directives(site, shape, elements)),
        "preparation": "\n".join(preparation(site)),
        "is_requeued": "true" if site.is_requeued else "false",
        "driver": _driver(folder, submission, elements, reports_folder),
    }
    return _filled(f"{site.scheduler}.sh", values)


def preparation(site: Site) -> list[str]:
    """The shell lines that load the modules of a site and set its variables."""
    if not site.modules and not site.environment:
        return ["# The site file names no modules and no variables."]
    found = "command -v module >/dev/null || . /etc/profile"  # batch shells are no login shells
    return [
        *([found] if site.modules else []),
        *(f"module load {shlex.quote(name)} || exit 3" for name in site.modules),
        *(f"export {name}={shlex.quote(value)}" for name, value in site.environment.items()),
    ]


def report_command(folder: SubmissionFolder, submission: Submission, reports_folder: Path) -> list[str]:
    """The command that writes the report of the sweep."""
    return [
        sys.executable, "-c", "from saih.cli import main; main()",
        "report", str(folder.sweep.path.absolute()),
        "--reports", str(reports_folder.absolute()),
        "--data-folder", submission.data_folder,
    ]  # fmt: skip


def _driver(
    folder: SubmissionFolder, submission: Submission, elements: Elements | None, reports_folder: Path | None
) -> str:
    report = shlex.join(report_command(folder, submission, reports_folder)) if reports_folder else ""
    if submission.task == "report":
        return _filled("driver.sh", {"command": report, "report": ""}).rstrip()
    sweep_path = str(folder.sweep.path.absolute())
    command = shlex.join([sys.executable, "-m", _DRIVER, sweep_path, str(submission.number)])
    if elements:
        command = f"{command} {index_words(submission.site)}"
    then = f'if [ "$code" -eq 0 ]; then {report} || code=$?; fi' if report else ""
    return _filled("driver.sh", {"command": command, "report": then}).rstrip()


def _sizes(site: Site, shape: Shape) -> dict[str, str]:
    time = hour_minutes(shape.time_s) if site.scheduler == "lsf" else clock_time(shape.time_s)
    return {
        "time": time,
        "time_s": str(shape.time_s),
        "notice": hour_minutes(shape.notice_s),
        "notice_s": str(shape.notice_s),
        "nodes": str(shape.nodes),
        "tasks": str(shape.tasks_per_node),
        "all_tasks": str(shape.nodes * shape.tasks_per_node),
        "cores": str(shape.cores_per_task),
        "chunk": chunk(site, shape),
    }


def _filled(template: str, values: Mapping[str, str]) -> str:
    """A template with every place filled, in one pass: what a value holds is never read as a place."""
    text = (files("scheduler_scripts") / template).read_text(encoding="utf-8")
    return _PLACE.sub(lambda place: values[place[1]], text)
