"""One device's part of every request that a plan answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

import torch
from jaxtyping import Int
from torch import Tensor

from workloads.galaxy.engine.arithmetic import Arithmetic
from workloads.galaxy.engine.candidates import NotFiniteError
from workloads.galaxy.engine.desk import Expected
from workloads.galaxy.engine.holding import Holding, load_holding
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.pieces import Pieces
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.engine.station import UNKNOWN, Station
from workloads.galaxy.engine.tokens import told_tokens
from workloads.galaxy.engine.ways import Way, Ways
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.plan_check import check_plan
from workloads.galaxy.profile import DeviceProfile
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.kv_cache import SequenceCache
from workloads.transformer.layer_store import WeightSource
from workloads.transformer.layout import Layout
from workloads.transformer.pass_check import check_pass, check_room
from workloads.transformer.place import Place
from workloads.transformer.want import Want


@dataclass(slots=True, kw_only=True)
class Executor:
    """A device of a plan, with its part of the model. All devices of the plan make the same calls in order.

    Raises:
        ProblemError: for a plan that does not fit the model, or in which the device takes no part.
        WeightError: for weights that cannot be used.
    """

    architecture: TransformerArchitecture
    plan: ParallelPlan
    device: int
    """Its number in the cluster."""
    weights: WeightSource
    ring: Ring
    """Who made it closes it."""
    place: Place
    arithmetic: Arithmetic
    profile: DeviceProfile | None = None
    """How long work takes where it is paced."""
    epoch: int = 0
    """Of the plan: the same on all devices, and higher than that of any plan before."""
    holding: Holding = field(default_factory=Holding)
    """What the device holds already; it is used up."""
    _station: Station = field(init=False)
    _ways: Ways = field(init=False)
    _tag: int = field(init=False)

    def __post_init__(self) -> None:
        check_plan(self.architecture, self.plan, self.device)
        part = self.plan.part_of(self.device)
        if self.arithmetic.computes:
            self.holding = load_holding(self.architecture, part, self.weights, self.place, self.holding)
        self._station = Station(
            architecture=self.architecture,
            plan=self.plan,
            position=self.plan.devices.index(self.device),
            holding=self.holding,
            ring=self.ring,
            place=self.place,
            arithmetic=self.arithmetic,
            times=WorkTimes.of(
                self.architecture,
                self.profile or UNKNOWN,
                part.share,
                self.place.dtype.itemsize,
                self.plan.wire,
            ),
        )
        self._ways = Ways(self._station)
        self._tag = crc32(f"{self.architecture} {self.plan} {self.place.dtype}".encode())

    def forward(
        self,
        tokens: Int[Tensor, " rows"],
        layout: Layout,
        want: Want,
        caches: Sequence[SequenceCache] | None = None,
    ) -> Tensor | None:
        """What is wanted, as ``Stage.forward`` gives it, on the first device of the plan; None on others.

        NEXT_TOKENS are given on every device, because all need them for the next pass. ``tokens`` are the
        same on all devices (see ``told``); ``caches`` of each sequence hold its past on this device, and keep
        its new tokens.

        Raises:
            RequestError: for what the model cannot do, on every device, before anything is sent.
            CacheError: when a cache has no room, likewise.
            NotFiniteError: where logits predict no token, on every device.
            LinkError: when another device is gone, or works by another plan. This one has parted from all
                then, and so it has after any error that is not named here: the others fail at once, where
                they would wait.
        """
        check_pass(self.architecture, tokens.shape[0], layout, want, caches)
        check_room(layout, caches or ())
        with torch.inference_mode():
            try:
                way = self._ways.way(layout, want, is_kept=bool(caches))
                self.ring.begin(self._expected(way, f"{layout} {want} {bool(caches)}"))
                answer = self._answered(way, tokens, layout, caches)
            except NotFiniteError:
                raise
            except BaseException:
                self.ring.abort()
                raise
        for cache, length in zip(caches or (), layout.lengths, strict=bool(caches)):
            cache.advance(length)
        return answer

    def told(self, tokens: Int[Tensor, " rows"] | None, num_tokens: int) -> Int[Tensor, " rows"]:
        """The tokens of the first device, on all; the others give None.

        Raises:
            ValueError: where the first device gives none, or another number of them.
            LinkError: when another device is gone.
        """
        return told_tokens(self._station, tokens, num_tokens, tag=self._tag, epoch=self.epoch)

    def new_cache(self, capacity: int) -> SequenceCache:
        """Keys and values of one sequence, for this device's heads of its layers."""
        part = self.plan.part_of(self.device)
        return SequenceCache(self.architecture, part.layers, part.share, self.place, capacity)

    def replanned(
        self, plan: ParallelPlan, *, epoch: int | None = None, ring: Ring | None = None
    ) -> "Executor":
        """The same device in another plan: of weights, only what it does not hold yet is read.

        This executor is not to be used any more. Caches of sequences are not kept.

        Raises:
            ProblemError: for a plan that does not fit, or without this device; nothing is lost then.
            WeightError: for weights that cannot be used.
        """
        check_plan(self.architecture, plan, self.device)
        self._ways = Ways(self._station)  # its rooms are not needed beside new weights
        return Executor(
            architecture=self.architecture,
            plan=plan,
            device=self.device,
            weights=self.weights,
            ring=ring or self.ring,
            place=self.place,
            arithmetic=self.arithmetic,
            profile=self.profile,
            epoch=self.epoch + 1 if epoch is None else epoch,
            holding=self.holding,
        )

    def close(self) -> None:
        """Release memory."""
        self.holding.groups.clear()
        self.holding.parts.clear()
        self._ways = Ways(self._station)

    def _answered(
        self, way: Way, tokens: Tensor, layout: Layout, caches: Sequence[SequenceCache] | None
    ) -> Tensor | None:
        self.arithmetic.waited()  # for the request
        pieces, inbox = Pieces(self._station, layout, caches), Inbox(self._station)
        hidden = way.course.run(tokens.to(self.place.device), pieces, inbox)
        return way.answer.made(hidden, pieces, inbox)

    def _expected(self, way: Way, request: str) -> Expected:
        tag = crc32(request.encode(), self._tag)
        return Expected(rooms=way.rooms, tag=tag, epoch=self.epoch, devices=self.plan.devices)
