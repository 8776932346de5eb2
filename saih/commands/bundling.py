"""Bundles between their files and the sweeps that they hold."""

import getpass
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from saih.config.definition import restore
from saih.domain.bundle import UNVERIFIED, Credit
from saih.domain.errors import SaihError, UsageError
from saih.domain.limits import Limits
from saih.planner.plan import make_plan
from saih.store.bundle_anonymity import Names
from saih.store.bundle_refusal import refusal
from saih.store.bundle_verify import Verified
from saih.store.bundle_writer import write_bundle
from saih.store.sweep_folder import SweepFolder

_MAX_CREDIT = 200
"""Characters of a license or an author."""
_SECRET_WORDS = ("TOKEN", "KEY", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL")
_SHORTEST_SECRET = 8


def bundle(
    folder: SweepFolder, output: Path | None, credit: Credit, *, is_anonymised: bool
) -> tuple[Path, Verified]:
    """Write a sweep as a bundle file; gives where it is and what is in it.

    Raises:
        UsageError: when there is nothing to bundle, or the credit cannot stand in one.
        DamagedData: when something of the sweep does not verify.
    """
    for option, text in (("--license", credit.license), ("--author", credit.author)):
        if len(text) > _MAX_CREDIT or not text.isprintable() or (option == "--license" and " " in text):
            raise UsageError(
                f"{option} {text[:_MAX_CREDIT]!r} is not plain text", f"give {option} shorter, in one line."
            )
    names = _names_here() if is_anonymised else None
    return write_bundle(folder, output, names=names, credit=credit, saih_version=version("saih"))


def require_own_points(verified: Verified) -> None:
    """Refuse a bundle with points that its own definition does not ask for.

    Raises:
        DamagedData: then.
    """
    name = verified.about.name
    try:
        plan = make_plan(restore(verified.definition, f"the definition of {name}"), Limits())
    except SaihError as error:
        raise refusal(f"its definition is no sweep of this SAIH: {error.problem}") from error
    asked = {planned.point.point_id for planned in plan.points}
    asked |= {dropped.point.point_id for dropped in plan.dropped}
    foreign = sorted(verified.point_ids - asked)
    if foreign:
        raise refusal(
            f"it holds records of another sweep: {foreign[0]} is not among the {len(asked)} points that its "
            "definition asks for"
        )


def bundle_json(verified: Verified) -> Mapping[str, Any]:
    """What a bundle holds, as JSON values."""
    about = verified.about
    return {
        "fingerprint": verified.fingerprint,
        "is_signed": False,
        "statement": UNVERIFIED,
        "name": about.name,
        "bundle_schema": about.bundle_schema,
        "saih_version": about.saih_version,
        "num_points": about.num_points,
        "num_attempts": about.num_attempts,
        "num_files": verified.num_files,
        "environment_ids": list(about.environment_ids),
        "last_finished_utc": about.last_finished_utc,
        "is_anonymised": about.is_anonymised,
        "license": about.credit.license,
        "author": about.credit.author,
    }


def _names_here() -> Names:
    """What names this machine, who uses it, and what must stay secret."""
    users = {os.environ.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER")}
    with suppress(OSError, KeyError):  # nobody may be called by the number of this user
        users.add(getpass.getuser())
    secrets = {
        value
        for name, value in os.environ.items()
        if any(word in name.upper() for word in _SECRET_WORDS) and len(value) >= _SHORTEST_SECRET
    }
    return Names(
        hosts=frozenset({socket.gethostname()}),
        users=frozenset(users - {"", "root"}),
        secrets=frozenset(secrets),
    )
