"""Where the ranks of a sweep run: the keys of a placement, and the ``Placement`` that they mean."""

import math
from typing import get_args

from saih.config.entry import Entries, Path
from saih.config.key import Key, Section
from saih.config.kind import Choice, Whole
from saih.domain.point import Binding, Device, Placement

_DEGREES = ("tensor_parallel", "pipeline_parallel", "spatial_parallel")
_SEATS = ("nodes", "ranks_per_node", "threads_per_rank", "device", "gpus_per_rank", "binding", *_DEGREES)
_PLAIN = Placement()
PLACEMENT = Section(
    is_repeatable=True,
    keys=(
        Key(name="nodes", kind=Whole(low=1, high=1_000_000), meaning="machines", default=_PLAIN.nodes),
        Key(
            name="ranks_per_node",
            kind=Whole(low=1, high=4096),
            meaning="MPI processes on each machine",
            default=_PLAIN.ranks_per_node,
        ),
        Key(
            name="threads_per_rank",
            kind=Whole(low=1, high=4096),
            meaning="CPU threads of each process",
            default=_PLAIN.threads_per_rank,
        ),
        Key(
            name="device",
            kind=Choice(words=get_args(Device)),
            meaning="what computes",
            default=_PLAIN.device,
        ),
        Key(
            name="gpus_per_rank",
            kind=Whole(low=1, high=64),
            meaning="GPUs of each process on device: cuda",
            default=_PLAIN.gpus_per_rank,
        ),
        Key(
            name="binding",
            kind=Choice(words=get_args(Binding)),
            meaning="core: each process keeps to threads_per_rank cores of its own; none: it may move",
            default=_PLAIN.binding,
        ),
        Key(
            name="tensor_parallel",
            kind=Whole(low=1, high=4096),
            meaning="ranks that share every layer of a model, where the workload can divide one",
            default=_PLAIN.tensor_parallel,
        ),
        Key(
            name="pipeline_parallel",
            kind=Whole(low=1, high=4096),
            meaning="groups of layers that follow each other on ranks of their own; the ranks make "
            "replicas of tensor_parallel x pipeline_parallel x spatial_parallel ranks",
            default=_PLAIN.pipeline_parallel,
        ),
        Key(
            name="spatial_parallel",
            kind=Whole(low=1, high=4096),
            meaning="ranks that share every sample, each with a slab of its planes, where the workload can "
            "divide one",
            default=_PLAIN.spatial_parallel,
        ),
    ),
)


def check_degrees(entries: Entries) -> None:
    """Report placements whose ranks make no whole replicas of the model."""
    for path in placement_paths(entries):
        if all((*path, name) in entries.values for name in _SEATS) and _rest(entries, path):
            degrees = [entries.whole((*path, name)) for name in _DEGREES]
            told = degrees if degrees[-1] > 1 else degrees[:-1]
            names, values = " x ".join(_DEGREES[: len(told)]), " x ".join(map(str, told))
            entries.report(
                entries.places[path],
                path,
                f"{entries.whole((*path, 'nodes')) * entries.whole((*path, 'ranks_per_node'))} ranks",
                f"whole replicas of {names} = {values} ranks",
                f"use multiples of {math.prod(degrees)} ranks, or lower one of them",
            )


def placement_paths(entries: Entries) -> tuple[Path, ...]:
    """Where the placements of a file stand in it."""
    return tuple(path for path in entries.places if path[:1] == ("placement",))


def whole_placements(entries: Entries) -> tuple[Placement, ...]:
    """The placements of which every value could be typed."""
    paths = placement_paths(entries)
    typed = [path for path in paths if all((*path, name) in entries.values for name in _SEATS)]
    return tuple(_placement(entries, path) for path in typed if not _rest(entries, path))


def _rest(entries: Entries, path: Path) -> int:
    """Ranks that are left over when the others make whole replicas."""
    num_ranks = entries.whole((*path, "nodes")) * entries.whole((*path, "ranks_per_node"))
    return num_ranks % math.prod(entries.whole((*path, name)) for name in _DEGREES)


def _placement(entries: Entries, path: Path) -> Placement:
    nodes, ranks_per_node = entries.whole((*path, "nodes")), entries.whole((*path, "ranks_per_node"))
    tensor, pipeline, spatial = (entries.whole((*path, name)) for name in _DEGREES)
    return Placement(
        nodes=nodes,
        ranks_per_node=ranks_per_node,
        threads_per_rank=entries.whole((*path, "threads_per_rank")),
        device=_device(entries.word((*path, "device"))),
        data_parallel=nodes * ranks_per_node // (tensor * pipeline * spatial),
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        spatial_parallel=spatial,
        gpus_per_rank=entries.whole((*path, "gpus_per_rank")),
        binding=_binding(entries.word((*path, "binding"))),
    )


def _binding(word: str) -> Binding:
    return "core" if word == "core" else "none"


def _device(word: str) -> Device:
    return "cuda" if word == "cuda" else "cpu"
