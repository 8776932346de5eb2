"""Which files a bundle may hold, how large each may be, and where it lies in the folder of a sweep."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath

from saih.store.adaptive_file import ADAPTIVE
from saih.store.attempt import ENVIRONMENT, OUTCOME, POINT, STEPS
from saih.store.study_file import SEARCH_ID, STUDIES
from saih.store.verification_file import VERIFICATION

README, ABOUT, CRATE = "README.md", "bundle.json", "ro-crate-metadata.json"
MANIFEST = "manifest-sha256.txt"
DEFINITION, LEFT_OUT, LIMITS = "definition.json", "left_out.json", "limits.json"
"""The definition is called otherwise than in a sweep's folder: an unpacked bundle is not taken for one. So is
what tells of points left out: no name comes before that of ``ABOUT`` but that of the README."""
KEPT_BELOW = "bundle"
"""Folder of an imported sweep with what only its bundle has."""
MAX_ENTRIES = 1_000_000
MAX_NAME_BYTES = 200
MAX_FILE_BYTES = 2**31 - 1
"""Of a whole bundle: what a ZIP file without extensions can address."""
MAX_TOTAL_BYTES = 8 * 2**30
MAX_RATIO = 100
"""Most bytes that one byte of an entry may unpack to; denser files are stored as they are."""
MAX_JSON_BYTES = 2**20
MAX_STEPS_BYTES = 16 * 2**20
MAX_LIST_BYTES = 2**30
"""Of the two files that list all others; they are never held in memory whole when a bundle is read."""

_POINT_FILE = re.compile(
    r"points/(?P<point>[0-9a-f]{16})/(?P<attempt>attempt-[1-9][0-9]{0,8})/(?P<file>[a-z0-9.]+)"
)
_CEILINGS_FILE = re.compile(r"ceilings/[a-z0-9-]{1,32}/[a-z0-9-]{1,120}\.json")
_STUDY_FILE = re.compile(rf"{STUDIES}/(?P<study>[0-9a-f]{{16}}|{SEARCH_ID})\.json")
_ALONE: Mapping[str, int] = {
    README: MAX_JSON_BYTES,
    ABOUT: MAX_JSON_BYTES,
    CRATE: MAX_LIST_BYTES,
    MANIFEST: MAX_LIST_BYTES,
    DEFINITION: MAX_JSON_BYTES,
    LIMITS: MAX_JSON_BYTES,
    LEFT_OUT: MAX_JSON_BYTES,
}
_OF_ATTEMPT: Mapping[str, int] = {
    POINT: MAX_JSON_BYTES,
    ENVIRONMENT: MAX_JSON_BYTES,
    OUTCOME: MAX_JSON_BYTES,
    STEPS: MAX_STEPS_BYTES,
    VERIFICATION: MAX_STEPS_BYTES,
}
_DRIVE = re.compile(r"[A-Za-z]:")


def max_bytes(name: str) -> int | None:
    """How large the file of this name may be [bytes]; None for one that no bundle holds."""
    if name in _ALONE:
        return _ALONE[name]
    found = _POINT_FILE.fullmatch(name)
    if found:
        return _OF_ATTEMPT.get(found["file"])
    is_known = _CEILINGS_FILE.fullmatch(name) or _STUDY_FILE.fullmatch(name)
    return MAX_JSON_BYTES if is_known else None


def attempt_of(name: str) -> tuple[str, str, str] | None:
    """Point id, ``attempt-N`` and file name of a file of an attempt; None for the others."""
    found = _POINT_FILE.fullmatch(name)
    return (found["point"], found["attempt"], found["file"]) if found else None


def attempt_name(point_id: str, number: int, file: str) -> str:
    """The name of a file of an attempt."""
    return f"points/{point_id}/attempt-{number}/{file}"


def study_of(name: str) -> str:
    """The id of the study that a file tells of; empty for the others."""
    found = _STUDY_FILE.fullmatch(name)
    return found["study"] if found else ""


def study_name(study_id: str) -> str:
    """The name of the file of a study."""
    return f"{STUDIES}/{study_id}.json"


def place_in_sweep(name: str) -> PurePosixPath:
    """Where a file of a bundle lies below the folder of the imported sweep."""
    if name.startswith("points/"):
        return PurePosixPath(name.removeprefix("points/"))
    if name == DEFINITION:
        return PurePosixPath("sweep.json")
    if name == LEFT_OUT:
        return PurePosixPath(ADAPTIVE)
    if name == LIMITS or name.startswith(("ceilings/", f"{STUDIES}/")):
        return PurePosixPath(name)
    return PurePosixPath(KEPT_BELOW, name)


def name_problem(name: str) -> str:
    """What is wrong with the name of an entry, in words; empty for the name of a file of a bundle."""
    for problem, is_found in (
        ("its name is empty", not name),
        ("its name holds a control character", any(ord(one) < 32 or ord(one) == 127 for one in name)),
        ("its name holds a backslash", "\\" in name),
        ("its name begins with a drive letter", bool(_DRIVE.match(name))),
        ("its name is an absolute path", name.startswith("/")),
        ("its name leads out of the bundle (..)", ".." in name.split("/")),
        ("it is a folder, not a file", name.endswith("/")),
        ("its name is not in its shortest form", any(part in ("", ".") for part in name.split("/"))),
        ("its name is longer than any of a bundle", len(name.encode(errors="replace")) > MAX_NAME_BYTES),
    ):
        if is_found:
            return problem
    if max_bytes(name) is not None:
        return ""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    if max_bytes(plain) is not None or plain == README.casefold():
        return "its name differs only in case or Unicode form from that of a file of a bundle"
    return "no bundle holds such a file"
