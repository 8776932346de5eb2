"""The applications by name; arithmetic only, so that a login node needs no torch."""

from collections.abc import Mapping
from types import MappingProxyType

from augment.problem import ProblemError
from workloads.cosmoflow.cost import CosmoFlow
from workloads.energon.cost import Energon
from workloads.galaxy.cost import Galaxy
from workloads.protocol import Workload

WORKLOADS: Mapping[str, Workload] = MappingProxyType(
    {"cosmoflow": CosmoFlow(), "energon": Energon(), "galaxy": Galaxy()}
)


def workload(name: str) -> Workload:
    """The application called ``name``.

    Raises:
        ProblemError: when there is none, with the names that are.
    """
    if name not in WORKLOADS:
        raise ProblemError(f"workload {name!r} is unknown; use {', '.join(WORKLOADS)}.")
    return WORKLOADS[name]
