"""Making a data set: only what is missing, on any number of ranks, whatever was killed before."""

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cosmology.dataset_error import MissingCodecError
from cosmology.definition import DatasetDefinition, DatasetError
from cosmology.layout import dataset_folder, shard_path
from cosmology.manifest import is_outdated, read_manifest, write_manifest
from cosmology.pace import Pace, ReadClock, no_clock
from cosmology.shard_record import read_record
from cosmology.slabs.crew import Crew
from cosmology.slabs.making import Leader, follow
from cosmology.slabs.memory import ranks_per_universe
from cosmology.slabs.universe import Block
from cosmology.universe import make_universe
from cosmology.universe_definition import UniverseDefinition
from cosmology.universe_file import check_universe, read_universe, universe_path, write_universe
from cosmology.universe_shard import write_shard

Progress = Callable[[str], None]


def nobody(num_ranks: int) -> Any:
    """Where nobody is to be met.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(f"a rank that is alone has no group of {num_ranks} to join.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one rank may use to make a data set."""

    device: str = "cpu"
    memory_bytes: int = sys.maxsize
    """What one rank may take of its device's memory; all ranks are told the same number."""
    join: Callable[[int], Any] = nobody  # Any: torch.distributed.ProcessGroup
    """``join(n)`` joins a process group of n consecutive ranks, counted from rank 0; all call it, once
    for each data set, and get the same group each time."""
    clock: ReadClock = no_clock


ALONE = Resources()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """Every ``of``-th universe, and who makes it."""

    number: int
    of: int
    makers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What does not change from universe to universe."""

    definition: DatasetDefinition
    folder: Path
    share: _Share
    make: Callable[[int], Iterable[Block]]
    device: str
    clock: ReadClock
    progress: Progress


def complete(
    definition: DatasetDefinition,
    folder: Path,
    rank: int,
    num_ranks: int,
    progress: Progress,
    *,
    resources: Resources = ALONE,
) -> None:
    """Make this rank's missing shards (every ``num_ranks``-th universe); then ``seal``.

    Where one rank has not the memory for a universe (``slabs.memory``), as few consecutive ranks as have
    it make each of every so many universes together. The files are the same, bit for bit.

    Safe to repeat, to kill at any moment, and to run twice at once: a file appears whole or not at all,
    and all writers of a file write the same bytes.

    Raises:
        DatasetError: when the disk or the memory is too small for what is missing, or cannot be written to.
    """
    universes = definition.universes
    try:
        size = ranks_per_universe(universes, resources.memory_bytes, num_ranks)
    except DatasetError:
        if is_complete(definition, folder):  # made where there was more memory
            return
        raise
    if size > 1:
        _complete_together(definition, folder, rank, num_ranks, progress, resources=resources)
        return
    task = _Task(
        definition=definition,
        folder=folder,
        share=_Share(number=rank, of=num_ranks, makers=f"rank {rank}"),
        make=partial(_made_alone, universes, resources.device),
        device=resources.device,
        clock=resources.clock,
        progress=progress,
    )
    _make_missing(task)


def seal(definition: DatasetDefinition, folder: Path) -> None:
    """Write the manifest, which makes the data set usable; one rank calls it when all have completed.

    Raises:
        DatasetError: when a shard is missing.
    """
    if not is_complete(definition, folder) or is_outdated(folder, definition):
        write_manifest(folder, definition)


def is_complete(definition: DatasetDefinition, folder: Path) -> bool:
    """Whether the manifest stands and every file has its full length."""
    try:
        read_manifest(folder, definition)
    except DatasetError:
        return False
    return True


def missing_bytes(definition: DatasetDefinition, folder: Path, missing: Sequence[int]) -> int:
    """Upper bound of what the shards of these universes, and the universes not cached, will take on disk."""
    universes = sum(
        not universe_path(folder, definition.universes, universe).exists() for universe in missing
    )
    return len(missing) * definition.shard_disk_bytes + universes * definition.universes.universe_bytes


def _made_alone(definition: UniverseDefinition, device: str, number: int) -> Iterator[Block]:
    """From the earliest redshift on, as a group gives them: the bytes of a file depend on the order."""
    counts = make_universe(definition, number, device).counts
    for channel in sorted(range(len(counts)), key=lambda channel: -definition.redshifts[channel]):
        yield channel, counts[channel]


def _complete_together(
    definition: DatasetDefinition,
    folder: Path,
    rank: int,
    num_ranks: int,
    progress: Progress,
    *,
    resources: Resources,
) -> None:
    """The leader of each group makes the missing shards, with universes that all of its ranks simulate."""
    size = ranks_per_universe(definition.universes, resources.memory_bytes, num_ranks)
    crew = Crew(group=resources.join(size), device=torch.device(resources.device))
    first = rank // size * size
    if first + size > num_ranks:
        progress(f"rank {rank} has no part: universes take {size} ranks each, of {num_ranks}")
    elif crew.rank > 0:
        follow(crew, definition.universes, progress)
    else:
        with Leader(crew, definition.universes, progress) as leader:
            task = _Task(
                definition=definition,
                folder=folder,
                share=_Share(
                    number=first // size, of=num_ranks // size, makers=f"ranks {first} to {first + size - 1}"
                ),
                make=leader.make,
                device=resources.device,
                clock=resources.clock,
                progress=progress,
            )
            _make_missing(task)


def _make_missing(task: _Task) -> None:
    definition, folder, share = task.definition, task.folder, task.share
    if is_complete(definition, folder):
        return
    numbers = definition.universe_numbers
    own = numbers[share.number :: share.of]
    # One share looks for all: what is missing must fit the disk together.
    looked_for = numbers if share.number == 0 else own
    lacking = [universe for universe in looked_for if not _has_shard(definition, folder, universe)]
    _check_space(definition, folder, lacking)
    missing = [universe for universe in lacking if universe in own]
    begin_ns = task.clock()
    for done, universe in enumerate(missing, start=1):
        universe_begin_ns = task.clock()
        was_simulated = _make_shard(task, universe)
        now_ns = task.clock()
        pace = Pace(
            num_particle_steps=definition.simulation_side**3 * definition.num_steps * was_simulated,
            duration_ns=now_ns - universe_begin_ns,
            elapsed_ns=now_ns - begin_ns,
            num_done=done,
            num_left=len(missing) - done,
        )
        told = f"; {pace}" if str(pace) else ""
        task.progress(f"universe {universe:06d} is ready ({done} of {len(missing)} on {share.makers}{told})")


def _has_shard(definition: DatasetDefinition, folder: Path, universe: int) -> bool:
    try:
        read_record(shard_path(dataset_folder(folder, definition), universe))
    except DatasetError:
        return False
    return True


def _check_space(definition: DatasetDefinition, folder: Path, missing: Sequence[int]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be made ({error}); choose another data folder.") from error
    needed, free = missing_bytes(definition, folder, missing), shutil.disk_usage(folder).free
    if needed > free:
        raise DatasetError(
            f"{len(missing)} missing shards of data set {definition.dataset_id} need up to "
            f"{needed / 1e9:.3g} GB, but {folder} has {free / 1e9:.3g} GB free; free some, choose another "
            "folder, or a smaller data set."
        )


def _make_shard(task: _Task, universe: int) -> bool:
    """Make a shard, from the cached universe where there is one; gives whether a universe was simulated."""
    definition, folder = task.definition, task.folder
    if _has_shard(definition, folder, universe):  # another writer came first
        return False
    path = universe_path(folder, definition.universes, universe)
    is_simulated = False
    try:
        counts = read_universe(path, definition.universes, definition.num_channels)
    except MissingCodecError:  # nothing is wrong with the file
        raise
    except DatasetError as error:
        if path.exists():
            task.progress(f"{error} (made anew)")
        _write_if_first(
            partial(write_universe, path, definition.universes, universe, task.make(universe), task.device),
            partial(_has_universe, path),
        )
        counts = read_universe(path, definition.universes, definition.num_channels)
        is_simulated = True
    shard = shard_path(dataset_folder(folder, definition), universe)
    if not _has_shard(definition, folder, universe):  # simulating takes long: another writer may be done
        _write_if_first(
            partial(write_shard, shard, definition, universe, counts, task.device),
            partial(_has_shard, definition, folder, universe),
        )
    return is_simulated


def _write_if_first(write: Callable[[], object], is_there: Callable[[], bool]) -> None:
    """Write a file, unless another writer finishes it first and clears away what this one has begun.

    Raises:
        DatasetError: when it could not be written, and nobody else did.
    """
    try:
        write()
    except DatasetError:
        if not is_there():
            raise


def _has_universe(path: Path) -> bool:
    try:
        check_universe(path)
    except DatasetError:
        return False
    return True
