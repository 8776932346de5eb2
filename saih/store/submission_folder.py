"""Where a submission is kept: submissions/submission-N/ with what was asked, the script, and the answer."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from saih.domain.batch import Receipt, Submission
from saih.domain.errors import DamagedData
from saih.store.document import render
from saih.store.files import make_folder, publish_file, write_file, writing_at
from saih.store.note import numbers_below, read_note
from saih.store.sweep_folder import SweepFolder

_REMEDY = "delete its folder when its job is gone; the next `saih sweep` submits what is missing."


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionFolder:
    """The folder of one submission of a sweep; the scheduler writes its logs there too."""

    sweep: SweepFolder
    number: int

    @property
    def path(self) -> Path:
        """Where its files are."""
        return self.sweep.path / "submissions" / f"submission-{self.number}"

    @property
    def script_path(self) -> Path:
        """The exact bytes that the scheduler was given."""
        return self.path / "script.sh"


def submission_numbers(sweep: SweepFolder) -> tuple[int, ...]:
    """The submissions of a sweep, oldest first."""
    return numbers_below(sweep.path / "submissions", "submission")


def write_submission(folder: SubmissionFolder, submission: Submission, script: str) -> bool:
    """Keep what the scheduler is about to be asked, once; False when the number is taken."""
    with writing_at(folder.path):
        make_folder(folder.path)
        write_file(folder.script_path, script.encode())
        folder.script_path.chmod(0o700)
        return publish_file(folder.path / "submission.json", render("saih submission", submission))


def withdraw_submission(folder: SubmissionFolder) -> None:
    """Forget a submission that no scheduler has; other files of its folder stay."""
    with writing_at(folder.path):
        for path in (folder.path / "submission.json", folder.script_path):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # whatever else is in there is not ours
            folder.path.rmdir()


def read_submission(folder: SubmissionFolder) -> Submission:
    """What the scheduler was asked; DamagedData when that does not verify, FileNotFoundError for none."""
    path = folder.path / "submission.json"
    found = read_note("saih submission", Submission, path, remedy=_REMEDY)
    if found is None:
        if read_receipt(folder) is not None:  # it was asked, and what of nobody knows
            raise DamagedData(f"{path} is missing, though its receipt is there.", _REMEDY)
        raise FileNotFoundError(path)
    return found


def write_receipt(folder: SubmissionFolder, receipt: Receipt) -> None:
    """Keep the scheduler's answer."""
    with writing_at(folder.path):
        write_file(folder.path / "receipt.json", render("saih receipt", receipt))


def read_receipt(folder: SubmissionFolder) -> Receipt | None:
    """The scheduler's answer; None where it is not known."""
    return read_note("saih receipt", Receipt, folder.path / "receipt.json", remedy=_REMEDY)
