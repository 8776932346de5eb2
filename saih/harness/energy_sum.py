"""What the ranks of a point read of their counters, added up over all nodes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saih.domain.energy import CountedEnergy, EnergyPart

_NODE_PARTS = (EnergyPart.PACKAGES, EnergyPart.MEMORY, EnergyPart.PLATFORM)
_NEVER = "network, storage, fans, power supplies"
_LONGEST = 300
Report = Mapping[str, Any]
"""``EnergyLog.report`` of a rank, and of the first rank of a node also its ``machine`` and ``num_cores``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Who read, and on what."""

    first_ranks: tuple[int, ...]
    """The first rank of each node."""
    has_gpus: bool
    num_cores_used: int
    """Cores of a node that the ranks compute on."""
    is_alone: bool
    """Whether the nodes were asked for whole."""


def together(reports: Sequence[Report], crew: Crew) -> CountedEnergy | str:
    """The energy of all ranks; the reason in words where what the ranks compute on was not counted.

    A part counts only if it was read wherever it is: half of the nodes would halve the energy of a sample.
    Nodes that are emulated on one machine share its counters, which count once.
    """
    nodes = [reports[rank] for rank in crew.first_ranks]
    machines = list({node["machine"] or f"node {index}": node for index, node in enumerate(nodes)}.values())
    readers = dict.fromkeys(_NODE_PARTS, machines)
    readers |= {EnergyPart.GPUS: list(reports)} if crew.has_gpus else {}
    whole = {part: own for part, own in readers.items() if all(part in _blocks(report) for report in own)}
    needed = EnergyPart.GPUS if crew.has_gpus else EnergyPart.PACKAGES
    if needed not in whole:
        return _reason(needed, readers[needed])
    joules_of = {part: sum(_sums(part, own)) / 1e6 for part, own in whole.items()}
    added = [part for part in whole if part is not EnergyPart.PLATFORM]
    block_uj = [sum(parts) for parts in zip(*(_sums(part, whole[part]) for part in added), strict=True)]
    try:
        return CountedEnergy(
            joules_of=joules_of,
            source=_source(added),
            coverage=_coverage(whole, nodes, machines, crew),
            block_joules=tuple(uj / 1e6 for uj in block_uj),
            block_steps=tuple(reports[0]["block_steps"]),
        )
    except ValueError as error:  # a counter that tells nonsense must not end a measured point
        return f"what the counters told makes no sense: {error}"


def _blocks(report: Report) -> Mapping[str, Sequence[int]]:
    """What a rank counted; nothing where it had no counter."""
    found: Mapping[str, Sequence[int]] = report.get("blocks_uj", {})
    return found


def _sums(part: EnergyPart, reports: Sequence[Report]) -> list[int]:
    """Each block [uJ] over all who read the part."""
    return [sum(blocks) for blocks in zip(*(_blocks(report)[part] for report in reports), strict=True)]


def _source(added: Sequence[EnergyPart]) -> str:
    nvml = ["nvml_counter"] if EnergyPart.GPUS in added else []
    rapl = ["rapl"] if EnergyPart.PACKAGES in added or EnergyPart.MEMORY in added else []
    return "+".join(nvml + rapl)


def _reason(part: EnergyPart, reports: Sequence[Report]) -> str:
    lacking = [report for report in reports if part not in _blocks(report)]
    said = str(lacking[0].get("reasons", {}).get(part, "nobody read it"))[:_LONGEST]
    if len(lacking) == len(reports):
        return said
    who, what = ("ranks", "GPUs") if part is EnergyPart.GPUS else ("nodes", str(part))
    return f"only {len(reports) - len(lacking)} of {len(reports)} {who} could read the {what}: {said}"


def _coverage(
    whole: Mapping[EnergyPart, Sequence[Report]],
    nodes: Sequence[Report],
    machines: Sequence[Report],
    crew: Crew,
) -> str:
    """What is counted and what is not, in words."""
    count = f"{len(nodes)} of {len(nodes)} node{'' if len(nodes) == 1 else 's'}"
    if len(machines) < len(nodes):
        count += f" (they are {len(machines)} machine{'' if len(machines) == 1 else 's'}, counted once)"
    counted = [
        f"{words} of {count}"
        for part, words in ((EnergyPart.PACKAGES, "CPU packages"), (EnergyPart.MEMORY, "memory"))
        if part in whole
    ]
    gpus = whole.get(EnergyPart.GPUS, ())
    counted.append(f"GPUs {len(gpus)} of the {len(gpus)} in use" if crew.has_gpus else "GPUs 0")
    lacking = [
        words
        for part, words in ((EnergyPart.PACKAGES, "CPU packages"), (EnergyPart.MEMORY, "memory"))
        if part not in whole
    ]
    sentences = ["; ".join(counted), f"no {', '.join((*lacking, _NEVER))}"]
    if EnergyPart.PACKAGES in whole or EnergyPart.MEMORY in whole:
        sentences += _sharing(nodes[0].get("num_cores"), crew)
    return "; ".join(sentences)


def _sharing(num_cores: int | None, crew: Crew) -> list[str]:
    """Packages are counted whole, whoever works on them."""
    said = []
    if num_cores is not None and crew.num_cores_used < num_cores:
        said.append(f"ranks compute on {crew.num_cores_used} of {num_cores} cores of a node, all are counted")
    if not crew.is_alone:
        said.append("the nodes were not reserved whole, so other programs on them are counted too")
    return said
