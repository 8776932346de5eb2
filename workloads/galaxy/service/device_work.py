"""What a device does when it is told: measure itself and links, follow plans, do its part of requests."""

import threading
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from workloads.galaxy.device_memory import free_bytes
from workloads.galaxy.documents import architecture_of, as_document, plan_of
from workloads.galaxy.engine.arithmetic import RealArithmetic
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.link_probe import answer_probe, probe_link
from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.profiler import profile_device
from workloads.galaxy.service.busy import TimedArithmetic
from workloads.galaxy.service.neighbourhood import Doorway, Matter, called
from workloads.galaxy.service.weights_digest import weights_digest
from workloads.protocol import ReadClock
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.layer_store import WeightSource
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.want import Want
from workloads.transport.frames import Frame, Header
from workloads.transport.link_error import LinkError
from workloads.transport.tensor_frames import tensor_frame, tensor_of

_PROBE_S = 30.0
_PROFILED_TOKENS = 256
_PROFILING_BYTES = 1 << 27
"""More than a profile takes while it is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """What is served."""

    architecture: TransformerArchitecture
    weights: WeightSource
    place: Place


@dataclass(slots=True, kw_only=True)
class DeviceWork:
    """One device: ``profiled`` and ``done`` are for one thread, ``expect`` and ``abort`` for any."""

    name: str
    memory_bytes: int
    """What it may hold; 0: what is free when it starts."""
    num_threads: int
    doorway: Doorway
    clock: ReadClock
    _model: _Model | None = None
    _profile: DeviceProfile | None = None
    _executor: Executor | None = None
    _ring: Ring | None = None
    _arithmetic: TimedArithmetic = field(init=False)
    _aborted_epoch: int = -1
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._arithmetic = TimedArithmetic(RealArithmetic(), self.clock)

    def profiled(self, told: Header) -> dict[str, object]:
        """Get to know the model, and measure how fast this device is with it; gives what the service asks."""
        torch.set_num_threads(self.num_threads)
        place = Place(device=torch.device("cpu"), dtype=getattr(torch, str(told["dtype"])))
        architecture = architecture_of(told["architecture"])
        weights: WeightSource = RandomWeights(architecture, int(told["seed"]))
        digest = ""
        if told["checkpoint"]:
            architecture, weights = open_checkpoint(Path(told["checkpoint"]))
            digest = weights_digest(architecture, weights)
        self._model = _Model(architecture=architecture, weights=weights, place=place)
        self._profile = self._measured(self._model, self.memory_bytes or free_bytes())
        return {
            "profile": as_document(self._profile),
            "architecture": as_document(architecture),
            "weights": digest,
        }

    def expect(self, header: Header) -> None:
        """Other devices call soon; one that probes the link is answered by a thread of its own."""
        callers = [int(number) for number in header["callers"]]
        matter = Matter(key=str(header["key"]), called=int(header["as"]), callers=callers)
        self.doorway.expect(matter)
        if header.get("is_probe"):
            threading.Thread(target=self._answer_probe, args=(matter.key, callers[0]), daemon=True).start()

    def abort(self, epoch: int | None) -> None:
        """Break off whatever is done by the plan of this epoch or an older one; None: all."""
        with self._changing:
            if epoch is not None:
                self._aborted_epoch = max(self._aborted_epoch, epoch)
            if self._ring is not None:
                self._ring.abort()
        self.doorway.expect()

    def done(self, frame: Frame) -> Frame:
        """Do what a frame says; gives the answer, also where it failed."""
        header = frame.header
        marks = {name: header[name] for name in ("epoch", "key") if name in header}
        try:
            if header["kind"] == "probe":
                return Frame(header={"kind": "probed", **marks, "link": self._probed(header)})
            if header["kind"] == "profile":
                return Frame(header={"kind": "profiled", "profile": as_document(self._profiled_again())})
            if header["kind"] == "plan":
                return Frame(header={"kind": "ready", **marks, **self._planned(header)})
            return self._answered(frame, marks)
        except LinkError as error:
            return Frame(header={"kind": "broken", **marks, "why": str(error)})
        except Exception as error:  # whatever it is, the service must not wait for this device
            traceback.print_exc()  # for who looks at the device
            self.abort(None)  # the others wait for this one
            return Frame(header={"kind": "failed", **marks, "why": f"{type(error).__name__}: {error}"})

    def close(self) -> None:
        """Part from the other devices."""
        if self._ring is not None:
            self._ring.abort()

    def _measured(self, model: _Model, memory_bytes: int) -> DeviceProfile:
        return profile_device(
            model.architecture,
            model.place,
            self.clock,
            name=self.name,
            memory_bytes=memory_bytes,
            num_tokens=min(_PROFILED_TOKENS, model.architecture.max_length),
        )

    def _profiled_again(self) -> DeviceProfile:
        """This device as it is now; weights go where there is no room to measure beside them."""
        model, known = self._known()
        if self._executor is not None:
            groups = self._executor.holding.groups.values()
            held = sum(weight.nbytes for group in groups for weight in group.values())
            if held + _PROFILING_BYTES > known.memory_bytes:
                self._executor.close()
        return self._measured(model, known.memory_bytes)

    def _probed(self, header: Header) -> dict[str, object]:
        own, other, reach_s = int(header["as"]), int(header["to"]), float(header["reach_s"])
        connection = called(header["where"], str(header["key"]), own, other, reach_s)
        with connection:
            connection.settimeout(_PROBE_S)
            try:
                return as_document(probe_link(connection, self.clock))
            except OSError as error:
                raise LinkError(f"a link could not be measured: {error}") from error

    def _answer_probe(self, key: str, prober: int) -> None:
        with suppress(LinkError, OSError):
            (connection,) = self.doorway.callers(key, [prober]).values()
            with connection:
                connection.settimeout(_PROBE_S)
                answer_probe(connection)

    def _planned(self, header: Header) -> dict[str, object]:
        """Meet the others of a plan, and load what is missing of this device's part."""
        plan, own, key = plan_of(header["plan"]), int(header["as"]), str(header["key"])
        higher = {int(number): where for number, where in header["where"].items() if int(number) > own}
        lower = [int(number) for number in header["where"] if int(number) < own]
        if self._ring is not None:
            self._ring.abort()
        connections = {number: called(where, key, own, number) for number, where in higher.items()}
        connections |= self.doorway.callers(key, lower)
        ring = Ring(own, connections)
        with self._changing:
            self._ring = ring
            if self._aborted_epoch >= int(header["epoch"]):
                ring.abort()
        model, profile = self._known()
        epoch = int(header["epoch"])
        if self._executor is not None:
            self._executor = self._executor.replanned(plan, epoch=epoch, ring=ring)
        else:
            self._executor = Executor(
                architecture=model.architecture,
                plan=plan,
                device=own,
                weights=model.weights,
                ring=ring,
                place=model.place,
                arithmetic=self._arithmetic,
                profile=profile,
                epoch=epoch,
            )
        return {}

    def _answered(self, frame: Frame, marks: Header) -> Frame:
        tokens, executor = tensor_of(frame), self._executor
        if executor is None:
            raise LinkError("this device has no plan")
        self._arithmetic.begin()
        with torch.inference_mode():
            rows = executor.forward(tokens, Layout(lengths=(len(tokens),)), Want(frame.header["want"]))
        header = {"kind": "done", **marks, "busy": asdict(self._arithmetic.busy)}
        return Frame(header=header) if rows is None else tensor_frame(header, rows.to("cpu"))

    def _known(self) -> tuple[_Model, DeviceProfile]:
        if self._model is None or self._profile is None:
            raise LinkError("this device does not know the model yet")
        return self._model, self._profile
