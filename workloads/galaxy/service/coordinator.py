"""Answers requests one at a time by the devices that are there, and plans anew when things changed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from math import inf
from secrets import token_hex
from typing import Any

from workloads.galaxy.documents import as_document
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.service.admission import Newcomer
from workloads.galaxy.service.busy import Busy
from workloads.galaxy.service.conversation import Conversation, CutOffError, MemberLostError
from workloads.galaxy.service.errors import ServiceError
from workloads.galaxy.service.line import Heard
from workloads.galaxy.service.planning import Foreseen, Planning
from workloads.galaxy.service.request import Answered, Request
from workloads.galaxy.service.second_look import SecondLook
from workloads.galaxy.service.watch import TOLERATED, Measured, Watch, is_tolerated, is_worth
from workloads.galaxy.service.welcome import Welcome
from workloads.transport.frames import Frame
from workloads.transport.tensor_frames import tensor_frame, tensor_of

ReadClock = Callable[[], int]
"""Gives the present moment [ns]; only differences mean anything."""
MOST_ATTEMPTS = 5


class Closing:
    """Put into the queue to end the coordinator, behind all that was asked before."""


@dataclass(slots=True, kw_only=True)
class Coordinator:
    """The state of a service, owned by one thread."""

    conversation: Conversation
    planning: Planning
    welcome: Welcome
    clock: ReadClock
    look_again_s: float
    _second_look: SecondLook = field(init=False)
    _watch: Watch = field(default_factory=Watch)
    _epoch: int = 0
    """Counts plans; what devices say of an older one is passed over."""
    _key: int = 0
    _foreseen: Foreseen | None = None
    """The plan in force, by the numbers of members; None where devices have none."""
    _has_changed: bool = True
    """Whether there may be a better plan."""
    _length_class: int = 0
    """Binary digits of the length that the plan was made for."""
    _bias: float = 1.0
    """How much later than foreseen answers come by this plan when nothing has changed."""

    def __post_init__(self) -> None:
        self._second_look = SecondLook(
            conversation=self.conversation, welcome=self.welcome, every_s=self.look_again_s
        )

    def run(self) -> None:
        """Work until told to close; a request that fails, why ever, fails alone."""
        while not isinstance(event := self.conversation.next(self._second_look.due_s), Closing):
            if event is None or isinstance(event, Heard):
                self._look_again(event)
            elif isinstance(event, Newcomer):
                self._has_changed |= self.welcome.admit(event, self.conversation)
            elif isinstance(event, Request) and event.answer.set_running_or_notify_cancel():
                self._answer(event)
        roster = self.conversation.roster
        self.conversation.send(roster.numbers, Frame(header={"kind": "close"}))
        for member in roster.members.values():
            member.line.close()

    def _look_again(self, said: Heard | None) -> None:
        """Go on with what is due of devices that rest, or with what one of them says."""
        members, current = self.conversation.roster.members, self._foreseen
        resting = set() if current is None else members.keys() - set(current.plan.devices)
        try:
            if said is None:
                self._has_changed |= self._second_look.go_on(resting)
            else:
                self._second_look.heard(said, resting)
        except Exception as error:  # whatever it is, it is looked at again
            self.conversation.tell(f"a device that rests was not measured: {error!r}")

    def _answer(self, request: Request) -> None:
        """Answer a request, or say why not; a device that is lost in the middle of it does not end it."""
        for attempt in count(1):
            try:
                answered, measured = self._attempted(request, attempt)
            except MemberLostError as error:
                self._abandon()
                if isinstance(error, CutOffError):
                    self._measured_change(error.devices)
                if attempt < MOST_ATTEMPTS:
                    continue
                request.answer.set_exception(ServiceError(f"{attempt} attempts failed; the last: {error}"))
            except Exception as error:  # whatever it is, others wait for their answers
                self._abandon()
                request.answer.set_exception(error)
            else:
                request.answer.set_result(answered)
                self._learn_if_possible(measured, len(request.tokens))
            return

    def _learn_if_possible(self, measured: Measured, num_tokens: int) -> None:
        """As ``_learn``; whatever goes wrong, the request has its answer and others wait for theirs."""
        try:
            self._learn(measured, num_tokens)
        except Exception as error:
            self.conversation.tell(f"a request taught nothing: {error!r}")
            self._has_changed = True

    def _abandon(self) -> None:
        """Devices may be in the middle of something: they break off, and the next request makes a plan."""
        roster = self.conversation.roster
        self.conversation.send(roster.numbers, Frame(header={"kind": "abort", "epoch": self._epoch}))
        self._foreseen = None

    def _attempted(self, request: Request, attempt: int) -> tuple[Answered, Measured]:
        foreseen = self._prepared(len(request.tokens))
        devices = set(foreseen.plan.devices)
        self._key += 1
        header = {"kind": "request", "epoch": self._epoch, "key": self._key, "want": request.want}
        names = self._names(foreseen.plan)
        begin_ns = self.clock()
        self.conversation.send(devices, tensor_frame(header, request.tokens))
        done = self.conversation.gathered("done", devices, {"epoch": self._epoch, "key": self._key})
        latency_ns = self.clock() - begin_ns
        answered = Answered(
            rows=tensor_of(done[foreseen.plan.devices[0]]),
            latency_ns=latency_ns,
            foreseen_ns=foreseen.latency_ns,
            devices=names,
            num_attempts=attempt,
        )
        measured = Measured(
            foreseen=foreseen.busy,
            taken={device: Busy(**frame.header["busy"]) for device, frame in done.items()},
            foreseen_latency_ns=foreseen.latency_ns * self._bias,
            latency_ns=latency_ns,
        )
        return answered, measured

    def _names(self, plan: ParallelPlan) -> tuple[str, ...]:
        """Of the devices of a plan.

        Raises:
            MemberLostError: when one is gone.
        """
        members = self.conversation.roster.members
        if not self.conversation.roster.has_all(plan.devices):
            raise MemberLostError("a device of the plan is gone")
        return tuple(members[device].name for device in plan.devices)

    def _prepared(self, num_tokens: int) -> Foreseen:
        """What the plan in force is foreseen to take; a better one is put in force first."""
        roster = self.conversation.roster
        if not roster.members:
            raise ServiceError("no device is there; start `python -m workloads.galaxy.service.agent` on one.")
        current, is_new = self._current(num_tokens), False
        if current is None or self._has_changed or self._length_class != num_tokens.bit_length():
            best = self.planning.plan(roster.cluster(), num_tokens)
            if current is None or is_worth(current.latency_ns, best.latency_ns):
                current, is_new = best, True
            self._has_changed, self._length_class = False, num_tokens.bit_length()
        # Places mean other members once one that rests is lost, which is heard while a plan is put in force.
        self._foreseen = _numbered(current, roster.together)
        if is_new:
            self._put_in_force(self._foreseen.plan)
        return self._foreseen

    def _current(self, num_tokens: int) -> Foreseen | None:
        """The plan in force, by places, as it is foreseen now; None where none can stay in force."""
        roster, current = self.conversation.roster, self._foreseen
        if current is None or not set(current.plan.devices) <= set(roster.together):  # since it was made
            return None
        found = self.planning.foresee(roster.cluster(), roster.placed(current.plan), num_tokens)
        return found if found.fits else None

    def _put_in_force(self, plan: ParallelPlan) -> None:
        """All devices of a plan load what they miss and meet each other; the others rest."""
        roster = self.conversation.roster
        self._epoch, self._bias = self._epoch + 1, 1.0
        devices, key = set(plan.devices), token_hex(16)
        for number in devices:
            callers = [each for each in devices if each < number]
            expected = {"kind": "expect", "key": key, "as": number, "callers": callers}
            self.conversation.send([number], Frame(header=expected))
        self.conversation.gathered("expecting", devices, {"key": key})
        names = ", ".join(self._names(plan))
        where = {str(number): _where(roster.members[number]) for number in plan.devices}
        order = {"kind": "plan", "epoch": self._epoch, "key": key, "plan": as_document(plan), "where": where}
        for number in devices:
            self.conversation.send([number], Frame(header=order | {"as": number}))
        resting = roster.members.keys() - devices
        self.conversation.send(resting, Frame(header={"kind": "abort", "epoch": self._epoch}))
        self.conversation.gathered("ready", devices, {"epoch": self._epoch})
        self.conversation.tell(f"plan {self._epoch}: {plan.strategy} on {names}")

    def _learn(self, measured: Measured, num_tokens: int) -> None:
        """Believe what a request showed, so that the next one is planned by it."""
        found = self._watch.finding(measured)
        self.conversation.roster.believe(found)
        if found.is_as_foreseen:
            return
        current = self._current(num_tokens)
        if current is None:
            self._has_changed = True
            return
        left = measured.latency_ns / (current.latency_ns * self._bias)
        is_explained = not found.has_new_links and is_tolerated(left)
        if not is_explained and self._measured_change(measured.foreseen) <= TOLERATED:
            # Neither devices nor links are it: by this plan answers come so much later than foreseen.
            self._bias *= left
            if not found.speeds:
                return
        self._has_changed = True

    def _measured_change(self, devices: Iterable[int]) -> float:
        """How much the links among some devices have changed since they were measured."""
        try:
            return self.welcome.measure_links(devices, self.conversation)
        except Exception as error:  # whatever it is, the service goes on by what it believed
            self.conversation.tell(f"links could not be measured: {error}")
            return inf


def _numbered(foreseen: Foreseen, numbers: Sequence[int]) -> Foreseen:
    """What is foreseen of a cluster, by the numbers of its members."""
    parts = tuple(replace(part, device=numbers[part.device]) for part in foreseen.plan.parts)
    return replace(
        foreseen,
        plan=replace(foreseen.plan, parts=parts),
        busy={numbers[place]: each for place, each in foreseen.busy.items()},
    )


def _where(member: Any) -> dict[str, Any]:  # Any: as JSON has it
    return {"addresses": list(member.addresses), "port": member.port}
