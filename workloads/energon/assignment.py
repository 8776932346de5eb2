"""What a worker is told to be, as the first message of its controller."""

from dataclasses import asdict, dataclass, field
from typing import Any

from workloads.energon.plan import EnginePlan
from workloads.energon.ranks import Carrier
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.split import Span, TensorShare
from workloads.transport.frames import Frame, WireError


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A rank of an engine."""

    rank: int
    architecture: TransformerArchitecture
    plan: EnginePlan
    checkpoint: str
    """Folder of the weights; empty: random ones by ``seed``."""
    seed: int
    device: str
    """``cpu`` or ``cuda:N``."""
    dtype: str
    """Of weights and activations, by its name in torch."""
    num_threads: int
    cache_bytes: int
    """Most memory for kept keys and values."""
    folder: str
    """Where a CPU parks layers."""
    carrier: Carrier = Carrier.HOST
    """What ranks tell each other by."""
    meeting_path: str = ""
    """The file where the ranks find each other, which is theirs alone; empty where they have met already."""
    secret: str = field(default="", repr=False)
    """What the ranks of this engine know and nobody else; empty where they were not told any."""


def assignment_frame(assignment: Assignment) -> Frame:
    """An assignment as it is sent."""
    return Frame(header={"kind": "assignment"} | asdict(assignment))


def assignment_of(frame: Frame) -> Assignment:
    """The assignment in a frame.

    Raises:
        WireError: for anything else.
    """
    header = dict(frame.header)
    if header.pop("kind") != "assignment":
        raise WireError(f"a {frame.header['kind']} came in place of an assignment.")
    try:
        model = header.pop("architecture")
        kinds = {"family": Family(model["family"]), "activation": Activation(model["activation"])}
        nested = {
            "architecture": TransformerArchitecture(**model | kinds),
            "plan": _plan(header.pop("plan")),
            "carrier": Carrier(header.pop("carrier")),
        }
        return Assignment(**header | nested)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"a message is no assignment: {error!r}") from error


def _plan(document: dict[str, Any]) -> EnginePlan:  # Any: as JSON gives it
    stages = tuple(Span(**stage) for stage in document.pop("stages"))
    return EnginePlan(stages=stages, shares=tuple(map(_share, document.pop("shares"))), **document)


def _share(document: dict[str, Any]) -> TensorShare:  # Any: as JSON gives it
    spans = {name: Span(**document[name]) for name in ("kv_heads", "ffn_columns", "vocabulary")}
    sizes = tuple(document["vocabulary_sizes"])
    return TensorShare(**document | spans | {"vocabulary_sizes": sizes})
