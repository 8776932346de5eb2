"""Where the jobs of a sweep are kept: jobs/job-N.json, and the log of each beside it."""

import os
import re
from pathlib import Path

from saih.domain.errors import EnvironmentMissing
from saih.domain.job import Job
from saih.store.codec import decode_job, encode_job
from saih.store.files import MAX_JSON_BYTES, make_folder, publish_file, read_file, writing_at
from saih.store.sweep_folder import SweepFolder

_JOB = re.compile(r"job-([1-9][0-9]{0,8})\.json")


def write_job(folder: SweepFolder, job: Job) -> Path:
    """Keep ``job`` under the next free number; gives the path for ``read_job``."""
    jobs_path = folder.path / "jobs"
    with writing_at(jobs_path):
        make_folder(jobs_path)
        with os.scandir(jobs_path) as entries:
            matches = [match for entry in entries if (match := _JOB.fullmatch(entry.name))]
        number = max((int(match.group(1)) for match in matches), default=0) + 1
        while not publish_file(jobs_path / f"job-{number}.json", encode_job(job)):
            number += 1
    return jobs_path / f"job-{number}.json"


def read_job(path: Path) -> Job:
    """The job in a file.

    Raises:
        EnvironmentMissing: when this node sees no such file.
        DamagedData: when it does not verify.
    """
    try:
        return decode_job(read_file(path, MAX_JSON_BYTES), path)
    except FileNotFoundError as error:
        raise EnvironmentMissing(
            f"there is no job file {path} on this node.", "put the results folder where every node sees it."
        ) from error
