"""Which source is running: the commit of the checkout that holds the package, and what was changed since."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from saih.machine.probe import answer_of

SOURCE_FOLDERS = ("augment", "cosmology", "workloads", "saih", "scheduler_scripts")
_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersion:
    """``commit`` is ``wheel`` outside a checkout; ``changes`` is ``none`` or a hash of the difference."""

    commit: str
    changes: str


def source_version(root: Path) -> SourceVersion:
    """The version of the source in ``root``, the folder that holds the packages.

    ``changes`` covers tracked files of the packages only: an edited README does not make another system.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    # An installed package below somebody else's checkout is not that checkout's source.
    if top is None or Path(top.strip()) != root.resolve():
        return SourceVersion(commit="wheel", changes="none")
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return SourceVersion(commit="unknown", changes="unknown")
    folders = [folder for folder in SOURCE_FOLDERS if (root / folder).is_dir()]
    difference = _git(root, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--full-index",
                      "--binary", "HEAD", "--", *folders)  # fmt: skip
    if difference is None:
        return SourceVersion(commit=commit.strip(), changes="unknown")
    digest = hashlib.sha256(difference.encode()).hexdigest()[:16]
    return SourceVersion(commit=commit.strip(), changes=digest if difference else "none")


def _git(root: Path, *arguments: str) -> str | None:
    # No optional locks: asking must not disturb somebody who commits at this moment.
    return answer_of(["git", "--no-optional-locks", *arguments], limit_s=_LIMIT_S, folder=root)
