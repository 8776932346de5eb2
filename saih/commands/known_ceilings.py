"""The ceilings of this machine, as far as they were measured."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from saih.domain.errors import DamagedData
from saih.domain.point import Placement
from saih.machine.environment import capture
from saih.planner.duration import NO_CEILINGS, KnownCeilings
from saih.store.ceilings_file import CEILINGS, read_ceilings


def ceilings_here(results_folder: Path, placements: Sequence[Placement]) -> KnownCeilings:
    """The ceilings of this machine that were measured for some of the placements."""
    if not (results_folder / CEILINGS).is_dir():
        return NO_CEILINGS
    environment_id = capture().environment_id
    found = {}
    for placement in placements:
        with suppress(DamagedData):  # a plan needs none
            ceilings = read_ceilings(results_folder, environment_id, placement)
            if ceilings is not None:
                found[placement.seats_label] = ceilings
    return found
