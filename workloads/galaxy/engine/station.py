"""One device at its place in a plan, and all that it works with."""

from dataclasses import dataclass, field
from math import inf

import torch
from torch import Tensor

from workloads.galaxy.engine.arithmetic import Arithmetic
from workloads.galaxy.engine.holding import Holding
from workloads.galaxy.engine.message import Kind
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.engine.wire_codec import WireCodec
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.plan import DevicePart, ParallelPlan
from workloads.galaxy.profile import DeviceProfile
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.place import Place
from workloads.transport.host_bytes import bytes_of

UNKNOWN = DeviceProfile(
    name="unknown",
    product_rows=(1,),
    product_rates=(inf,),
    attention_rate=inf,
    memory_rate=inf,
    call_ns=0.0,
    memory_bytes=0,
)
"""A device whose work is not paced: nothing costs anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A device of a plan."""

    architecture: TransformerArchitecture
    plan: ParallelPlan
    position: int
    """On the ring."""
    holding: Holding
    ring: Ring
    place: Place
    arithmetic: Arithmetic
    times: WorkTimes
    _blanks: dict[int, Tensor] = field(default_factory=dict)

    @property
    def part(self) -> DevicePart:
        """What this device holds and does."""
        return self.plan.parts[self.position]

    @property
    def num_places(self) -> int:
        """Devices of the plan."""
        return len(self.plan.parts)

    @property
    def following(self) -> int:
        """The number of the next device on the ring."""
        return self.plan.parts[(self.position + 1) % self.num_places].device

    @property
    def others(self) -> tuple[int, ...]:
        """The places of all other devices, the next one first."""
        num = self.num_places
        return tuple((self.position + distance) % num for distance in range(1, num))

    @property
    def codec(self) -> WireCodec:
        """Writes and reads what goes over links."""
        return WireCodec(wire=self.plan.wire, place=self.place)

    def blank(self, num_rows: int, num_columns: int) -> Tensor:
        """Zeros in place of what was not computed; nobody writes into them."""
        held = self._blanks.get(num_columns)
        if held is None or held.shape[0] < num_rows:
            held = torch.zeros((num_rows, num_columns), dtype=self.place.dtype, device=self.place.device)
            self._blanks[num_columns] = held
        return held[:num_rows]

    def send(self, place: int, kind: Kind, half: int, index: int, body: Tensor) -> None:
        """Send a tensor that lies on the host to another place of the plan.

        Raises:
            LinkError: when that device is gone.
        """
        self.ring.send(self.plan.parts[place].device, kind, half, index, bytes_of(body))

    def encoded(self, rows: Tensor, coding_ns: float) -> Tensor:
        """Rows as they travel."""
        codec = self.codec
        if codec.is_exact:
            return codec.encoded(rows)
        return self.arithmetic.do(lambda: codec.encoded(rows), lambda: codec.room(*rows.shape), coding_ns)

    def decoded(self, raw: Tensor, num_rows: int, num_columns: int, coding_ns: float) -> Tensor:
        """Rows that have travelled."""
        codec = self.codec
        if codec.is_exact:
            return codec.decoded(raw, num_rows)
        return self.arithmetic.do(
            lambda: codec.decoded(raw, num_rows), lambda: self.blank(num_rows, num_columns), coding_ns
        )
