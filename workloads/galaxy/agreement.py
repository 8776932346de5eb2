"""The plan of a replica: its first rank makes it from what all have told, and all follow it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from augment.problem import ProblemError
from workloads.galaxy.documents import as_document, plan_of
from workloads.galaxy.group_words import told_by_all
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.planning.choice import Chosen, choose
from workloads.galaxy.profile import ClusterProfile, Pace
from workloads.galaxy.seat import Seat
from workloads.galaxy.shapes import GalaxyShape
from workloads.galaxy.survey import survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What all ranks of a replica know."""

    cluster: ClusterProfile
    plan: ParallelPlan
    told: Mapping[str, Any]
    """What was foreseen, as JSON values."""


def agree_on_plan(shape: GalaxyShape, seat: Seat) -> Agreed:
    """Survey the devices and plan; all ranks call it.

    Raises:
        ProblemError: on all ranks, when no plan fits, or a link is slower than it is to be.
        LinkError: when a rank is lost meanwhile.
    """
    cluster = survey(shape, seat)
    own: dict[str, Any] = {}
    if seat.rank == 0:
        try:
            chosen = choose(shape, cluster, seat.place.dtype.itemsize)
            own = {"plan": as_document(chosen.plan), "told": _told(shape, cluster, chosen)}
        except ProblemError as error:
            own = {"failure": str(error)}
    first = told_by_all(own, seat.group)[0]
    if "failure" in first:
        raise ProblemError(first["failure"])
    return Agreed(cluster=cluster, plan=plan_of(first["plan"]), told=first["told"])


def _told(shape: GalaxyShape, cluster: ClusterProfile, chosen: Chosen) -> dict[str, Any]:
    devices = "paced" if cluster.pace is Pace.PACED else "real"
    links = "paced" if shape.devices.has_paced_links else "real"
    foreseen = chosen.forecast
    return {
        "words": " ".join(chosen.words),
        "mode": f"{devices} devices, {links} links",
        "predicted_ns": foreseen.latency_ns,
        "bound_ns": foreseen.bound_ns,
        "memory_bytes": list(foreseen.memory_bytes),
    }
