"""What Slurm's commands print, as values. Pure; what cannot be understood is left out, never guessed.

Formats are asked for explicitly (``*_FORMAT``), with the one field that may hold anything, the name, last.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from saih.launch.job_view import JobView

QUEUE_FORMAT = "%F|%K|%T|%N|%r|%j"
"""squeue(1): array job id, element, state, nodes, reason, name."""
ACCOUNTS_FORMAT = "JobID,State,ExitCode,NodeList,JobName"
NODES_FORMAT = "%P|%a|%l|%N|%o|%c|%m|%G|%T"
"""sinfo(1): partition, up or down, time limit, node, address, CPUs, memory [MiB], devices, state."""
STATES = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "COMPLETING", "CONFIGURING", "DEADLINE", "FAILED", "NODE_FAIL",
    "OUT_OF_MEMORY", "PENDING", "PREEMPTED", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESIZING",
    "RESV_DEL_HOLD", "REVOKED", "RUNNING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "SUSPENDED",
    "TIMEOUT",
)  # fmt: skip
"""Job states of squeue(1) and sacct(1)."""
_NUMBER = re.compile(r"[0-9]{1,10}")
_WORD = re.compile(r"[A-Z][A-Z_,+]{0,63}")
_JOB = re.compile(r"([0-9]{1,10})(?:_(?:([0-9]{1,9})|\[([0-9,:%-]{1,4000})\]))?")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9})(?::([1-9][0-9]{0,8}))?)?")
_MAX_ELEMENTS = 100_000
_GPUS = re.compile(r"gpu(?::[^:,(]+)?:([0-9]{1,4})(?=[,(]|$)")
_TIME = re.compile(r"(?:([0-9]{1,6})-)?(?:([0-9]{1,6}):)?([0-9]{1,6}):([0-9]{1,6})")
_UNSAID = ("(null)", "None assigned", "None", "N/A", "n/a", "Unknown", "NONE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of a partition."""

    name: str
    address: str
    cores: int
    """CPUs in Slurm's sense: hardware threads where it counts those."""
    memory_bytes: int
    gpus: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition."""

    name: str
    is_default: bool
    is_up: bool
    max_time_s: float | None
    """None without a limit."""
    nodes: tuple[Node, ...]


def parse_queue(text: str) -> tuple[JobView, ...]:
    """The jobs of ``squeue --noheader --array --format QUEUE_FORMAT``, one view for each array element.

    A state that is not among ``STATES``, as a later Slurm may have, is passed on: the job is in the queue.
    """
    views: list[JobView] = []
    for line in text.splitlines():
        fields = line.split("|", 5)
        if len(fields) == 6 and _NUMBER.fullmatch(fields[0]) and _WORD.fullmatch(fields[2]):
            number, element, state, nodes, reason, name = fields
            view = JobView(
                job_id=number,
                name=name,
                state=state_of(state) or state,
                reason=_said(reason),
                nodes=_said(nodes),
                index=None,
            )
            views += [replace(view, index=index) for index in _elements(element)]
    return tuple(views)


def parse_accounts(text: str) -> tuple[JobView, ...]:
    """The jobs of ``sacct --noheader --parsable2 --format ACCOUNTS_FORMAT``; of a job told twice the last."""
    found: dict[tuple[str, int | None], JobView] = {}
    for line in text.splitlines():
        fields = line.split("|", 4)
        job = _JOB.fullmatch(fields[0])  # steps such as 12.batch and 12_3.0 are none
        state = state_of(fields[1]) if len(fields) == 5 else None
        if job is None or state is None:
            continue
        detail = " ".join(fields[1].split()[1:]) or (f"exit {fields[2]}" if fields[2] != "0:0" else "")
        for index in [int(job[2])] if job[2] else _elements(job[3] or ""):
            key = (job[1], index)
            found.pop(key, None)
            found[key] = JobView(
                job_id=job[1], name=fields[4], state=state, reason=detail, nodes=_said(fields[3]), index=index
            )
    return tuple(found.values())


def parse_nodes(text: str) -> tuple[Partition, ...]:
    """The partitions of ``sinfo --noheader --Node --format NODES_FORMAT``, each with its nodes."""
    heads: dict[str, tuple[bool, bool, float | None]] = {}
    nodes: dict[str, dict[str, Node]] = {}
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != 9 or not fields[0].rstrip("*"):
            continue
        partition, is_up, limit, name, address, cores, memory, devices, state = fields
        key = partition.rstrip("*")
        heads[key] = (partition.endswith("*"), is_up == "up", parse_time_s(limit))
        nodes.setdefault(key, {})
        if name:
            nodes[key][name] = Node(
                name=name,
                address=address or name,
                cores=_number(cores),
                memory_bytes=_number(memory) * 2**20,
                gpus=parse_gpus(devices),
                state=state,
            )
    return tuple(
        Partition(
            name=key, is_default=head[0], is_up=head[1], max_time_s=head[2], nodes=tuple(nodes[key].values())
        )
        for key, head in heads.items()
    )


def parse_job_id(text: str) -> str | None:
    """The id in ``sbatch --parsable``'s answer, ``ID`` or ``ID;CLUSTER`` on its last line."""
    lines = text.split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "").strip()
    found = re.fullmatch(r"([0-9]{1,10})(;[A-Za-z0-9._-]+)?", last)
    return found[1] if found else None


def parse_mpi_plugins(text: str) -> tuple[str, ...]:
    """The plugins that ``srun --mpi=list`` offers."""
    named = [line.strip() for line in text.splitlines()]
    plugins = [line for line in named if re.fullmatch(r"[a-z][a-z0-9_]*", line)]
    specific = [line.partition(":")[2] for line in named if line.startswith("specific pmix plugin")]
    more = [word.strip() for part in specific for word in part.split(",") if word.strip()]
    return tuple(dict.fromkeys([*plugins, *more]))


def parse_setting(text: str, name: str) -> str | None:
    """A value of ``scontrol show config``."""
    found = re.search(rf"^{re.escape(name)}\s*=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE)
    return found[1] if found else None


def parse_time_s(text: str) -> float | None:
    """A time limit such as ``1-02:00:00``, ``30:00`` or ``infinite`` [s]; None without one."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def parse_gpus(text: str) -> int:
    """The GPUs in a list of generic resources such as ``gpu:a100:4(S:0-1),shard:8``."""
    return sum(int(count) for count in _GPUS.findall(text.strip()))


def state_of(text: str) -> str | None:
    """The state in a word such as ``RUNNING``, ``CANCELLED by 1001`` or ``OUT_OF_ME+``; None for no state."""
    word = next(iter(text.split(maxsplit=1)), "")
    if word in STATES:
        return word
    cut = [state for state in STATES if word.endswith("+") and len(word) > 4 and state.startswith(word[:-1])]
    return cut[0] if len(cut) == 1 else None


def _elements(text: str) -> Iterator[int | None]:
    """The elements of ``3``, ``3-5%2`` or ``0-8:4,11``; one None where there are none."""
    ranges = [_RANGE.fullmatch(part) for part in text.partition("%")[0].split(",")]
    if not all(ranges):
        yield None
        return
    left = _MAX_ELEMENTS
    for found in filter(None, ranges):
        begin, end, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
        for index in range(begin, end + 1, step):
            if left == 0:
                return
            left -= 1
            yield index


def _said(text: str) -> str:
    return "" if text.strip() in _UNSAID else text.strip()


def _number(text: str) -> int:
    """A count; Slurm appends ``+`` where it varies within a group."""
    digits = text.strip().rstrip("+")
    return int(digits) if digits.isascii() and digits.isdigit() else 0
