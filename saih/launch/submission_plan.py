"""Which jobs a scheduler gets for some batches, and the exact script and command of each. Pure."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path

from saih.domain.batch import Batch, Submission
from saih.domain.site import Site
from saih.launch.script import render
from saih.launch.script_dialect import Dependency, submit_command, submit_options
from saih.launch.script_shape import shape_of
from saih.store.submission_folder import SubmissionFolder, submission_numbers
from saih.store.sweep_folder import SweepFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one command submits."""

    site: Site
    batches: tuple[Batch, ...]
    data_folder: Path
    reports_folder: Path | None
    """None: no report is written."""
    generating_limit_s: float | None = None
    """Time limit of the job that makes the data sets of several batches; None: of all batches together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One job before it is submitted: exactly what would be, and by which command."""

    submission: Submission
    script: str
    command: tuple[str, ...]
    """Ids that are not known yet stand as ``<job of submission N>``."""


def prepare(folder: SweepFolder, order: Order, max_elements: int) -> tuple[Prepared, ...]:
    """The jobs of an order, in the order of submission; nothing is written or asked.

    One batch makes one job that does everything. Several make a job for the data sets, one job array for all
    batches of one shape (of at most ``max_elements``), and a job for the report.

    Raises:
        UsageError: for a folder that a script cannot name, or a site without a scheduler.
    """
    submissions = _submissions(folder, order, max_elements)
    return tuple(_prepared(folder, order, submission) for submission in submissions)


def waiting_options(submission: Submission, job_ids: list[str]) -> list[str]:
    """The options by which the job of a submission waits for those before it.

    Measuring needs the data sets; a report is made of whatever there is.
    """
    kind: Dependency = "afterany" if submission.task == "report" else "afterok"
    return submit_options(submission.site.scheduler, kind, job_ids)


def _prepared(folder: SweepFolder, order: Order, submission: Submission) -> Prepared:
    place = SubmissionFolder(sweep=folder, number=submission.number)
    batches = [batch for batch in order.batches if batch.number in submission.batches]
    is_reporting = submission.task == "report" or len(order.batches) == 1
    options = waiting_options(submission, [f"<job of submission {number}>" for number in submission.after])
    return Prepared(
        submission=submission,
        script=render(place, submission, batches, order.reports_folder if is_reporting else None),
        command=tuple(submit_command(order.site.scheduler, options, place.script_path.absolute())),
    )


def _submissions(folder: SweepFolder, order: Order, max_elements: int) -> tuple[Submission, ...]:
    first = max(submission_numbers(folder), default=0) + 1
    numbers = tuple(batch.number for batch in order.batches)
    begun: Callable[..., Submission] = partial(
        Submission,
        site=order.site,
        data_folder=str(order.data_folder.absolute()),
        written_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if len(numbers) == 1:
        alone = begun(number=first, task="measure", token=_token(folder, first), batches=numbers, after=())
        return (alone,)
    making = begun(number=first, task="generate", token=_token(folder, first), batches=numbers, after=())
    made = [replace(making, time_limit_s=order.generating_limit_s)]
    for number, part in enumerate(_arrays(order, max_elements), first + 1):
        token = _token(folder, number)
        made.append(begun(number=number, task="measure", token=token, batches=part, after=(first,)))
    if order.reports_folder is not None:
        last, after = first + len(made), tuple(one.number for one in made[1:])
        token = _token(folder, last)
        made.append(begun(number=last, task="report", token=token, batches=(), after=after))
    return tuple(made)


def _arrays(order: Order, max_elements: int) -> list[tuple[int, ...]]:
    """The batches by shape, each shape in parts that one job array takes; their time limits may differ."""

    def shape(batch: Batch) -> tuple[int, ...]:
        one = shape_of("measure", order.site, [batch])
        return one.nodes, one.tasks_per_node, one.cores_per_task, one.gpus_per_node

    arrays = []
    for _, group in groupby(sorted(order.batches, key=shape), key=shape):
        numbers = tuple(batch.number for batch in group)
        arrays += [numbers[at : at + max_elements] for at in range(0, len(numbers), max_elements)]
    return arrays


def _token(folder: SweepFolder, number: int) -> str:
    """The job's name: the same whenever the same submission is prepared, and no other sweep's."""
    text = f"{folder.path.absolute()}\0{number}"
    return f"saih-{hashlib.sha256(os.fsencode(text)).hexdigest()[:10]}"
