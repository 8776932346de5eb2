"""The ceilings that a plan may rest on, as far as they were measured."""

from collections.abc import Sequence
from pathlib import Path

from saih.domain.ceiling import Ceilings
from saih.domain.point import Placement
from saih.machine.environment import capture
from saih.planner.duration import NO_CEILINGS, KnownCeilings
from saih.store.ceilings_file import CEILINGS, ceilings_of_any_environment


def known_ceilings(results_folder: Path, placements: Sequence[Placement], *, is_here: bool) -> KnownCeilings:
    """Ceilings of some of the placements: of this machine, or of the one system besides that has any.

    Nodes of a cluster are another environment than the machine on which a sweep is planned. Where several
    other environments have ceilings of a placement, nobody knows which of them is meant: none is taken.
    """
    if not (results_folder / CEILINGS).is_dir():
        return NO_CEILINGS
    own_id = capture().environment_id
    found = {one.seats_label: _meant(results_folder, one, own_id, is_here=is_here) for one in placements}
    return {label: ceilings for label, ceilings in found.items() if ceilings is not None}


def _meant(results_folder: Path, placement: Placement, own_id: str, *, is_here: bool) -> Ceilings | None:
    every = ceilings_of_any_environment(results_folder, placement)
    able = [one for one in every if (one.environment_id == own_id) is is_here]
    return able[0] if len(able) == 1 else None
