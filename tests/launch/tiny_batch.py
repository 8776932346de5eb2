"""A sweep of tiny points, packed in batches and written down as submitted; no scheduler is asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from saih.domain.batch import Batch, Submission
from saih.domain.point import Point
from saih.domain.site import Site
from saih.store.batch_folder import BatchFolder, write_batch
from saih.store.submission_folder import SubmissionFolder, write_submission
from saih.store.sweep_folder import SweepFolder, record_definition


def write_tiny_sweep(root: Path, *batches: Sequence[Point], site: Site | None = None) -> SweepFolder:
    """Batches 1, 2, ... of submission 1, ready to be driven."""
    folder = SweepFolder(root, "tiny")
    record_definition(folder, {"num_batches": len(batches)})
    for number, points in enumerate(batches, start=1):
        batch = Batch(
            number=number,
            points=tuple(points),
            nodes=max(point.placement.nodes for point in points),
            predicted_s=1.0,
            time_limit_s=600.0,
        )
        write_batch(BatchFolder(sweep=folder, number=number), batch)
    submit(folder, 1, "measure", tuple(range(1, len(batches) + 1)), site)
    return folder


def submit(
    folder: SweepFolder,
    number: int,
    task: Literal["generate", "measure", "report"],
    batches: tuple[int, ...],
    site: Site | None = None,
) -> None:
    submission = Submission(
        number=number,
        task=task,
        token=f"saih-tiny-{number}",
        batches=batches,
        after=(),
        site=site or Site(),
        data_folder=str(folder.root / "data"),
        written_utc="2026-01-01T00:00:00+00:00",
    )
    write_submission(SubmissionFolder(sweep=folder, number=number), submission, "#!/bin/sh\n")
