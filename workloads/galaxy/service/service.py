"""Galaxy's service as its user sees it: devices come and go, and a request is a call that gives a future."""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType

from torch import Tensor

from workloads.galaxy.documents import as_document
from workloads.galaxy.profile import Pace
from workloads.galaxy.service.admission import Admission
from workloads.galaxy.service.conversation import Conversation
from workloads.galaxy.service.coordinator import Closing, Coordinator
from workloads.galaxy.service.errors import ServiceError
from workloads.galaxy.service.planning import Planning
from workloads.galaxy.service.request import Answered, Request, checked_tokens
from workloads.galaxy.service.roster import Roster
from workloads.galaxy.service.welcome import Welcome
from workloads.steady_clock import steady_ns
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.want import Want

_CLOSE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is served, and where devices find the service."""

    architecture: TransformerArchitecture
    planning: Planning
    checkpoint: str = ""
    """Folder of the weights of ``architecture``, by the same path on every device; empty: random ones."""
    seed: int = 1
    dtype: str = "float32"
    address: str = "127.0.0.1"
    """Interface to listen on."""
    port: int = 0
    """0: any that is free; see ``Service.port``."""
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    """Devices must know it; it travels as it is, like all that devices say: use networks that are trusted."""
    promised_rates: Mapping[str, float] = field(default_factory=dict)
    """Bytes/s that the links of a device shall reach, by its name."""
    pace: Pace = Pace.REAL
    look_again_s: float = 30.0
    """How often one of the devices that a plan leaves out is measured again."""


class Service:
    """Requests go in, answers come out, whatever happens to the devices in between."""

    def __init__(self, served: Served, tell: Callable[[str], None] = lambda _: None) -> None:
        if not served.token:
            raise ServiceError("the token is empty, so anybody could join; give one, or leave it out.")
        self._served = served
        self._events: SimpleQueue[object] = SimpleQueue()
        self._roster = Roster(pace=served.pace)
        self._is_closed = False
        self._closing = threading.Lock()
        conversation = Conversation(roster=self._roster, events=self._events, tell=tell)
        coordinator = Coordinator(
            conversation=conversation,
            planning=served.planning,
            welcome=Welcome(promised_rates=served.promised_rates),
            clock=steady_ns,
            look_again_s=served.look_again_s,
        )
        model = {
            "architecture": as_document(served.architecture),
            "checkpoint": served.checkpoint,
            "seed": served.seed,
            "dtype": served.dtype,
        }
        self._admission = Admission(served.address, served.port, served.token, model, self._events.put)
        self._thread = threading.Thread(target=coordinator.run, name="galaxy coordinator", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where devices find it."""
        return self._admission.port

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices that are there."""
        return tuple(member.name for member in tuple(self._roster.members.values()))

    def submit(self, tokens: Sequence[int] | Tensor, want: Want = Want.LAST_ROWS) -> "Future[Answered]":
        """Ask for what the model makes of a sequence; requests are answered one after the other.

        Raises:
            RequestError: for tokens that the model does not take.
            ServiceError: when the service is closed. The future has one when devices cannot answer.
        """
        request = Request(tokens=checked_tokens(tokens, self._served.architecture), want=want)
        with self._closing:  # nothing is asked behind the last word
            if self._is_closed:
                raise ServiceError("the service is closed.")
            self._events.put(request)
        return request.answer

    def close(self) -> None:
        """Answer what was asked, and let go of all devices, which then end."""
        with self._closing:
            if not self._is_closed:
                self._is_closed = True
                self._admission.close()
                self._events.put(Closing())
        self._thread.join(_CLOSE_S)

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
