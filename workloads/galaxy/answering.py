"""Requests answered by the devices of a plan, as one of them does its part."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from workloads.galaxy.agreement import Agreed
from workloads.galaxy.checked import WHY_UNCHECKED, is_checked
from workloads.galaxy.engine.arithmetic import Arithmetic, RealArithmetic
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.link_pace import LinkPace
from workloads.galaxy.engine.metered import Activity, MeteredArithmetic
from workloads.galaxy.engine.paced import PacedArithmetic
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.group_words import told_by_all
from workloads.galaxy.profile import Pace
from workloads.galaxy.seat import Seat
from workloads.galaxy.shapes import GalaxyShape
from workloads.galaxy.undivided import Undivided, relative_error, tolerated
from workloads.protocol import PhaseName
from workloads.transformer.layout import Layout
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.want import Want

Marked = Callable[[PhaseName], None]


class Answering:
    """One device of a plan."""

    def __init__(self, shape: GalaxyShape, agreed: Agreed, seat: Seat, seed: int) -> None:
        self._shape = shape
        self._agreed = agreed
        self._seat = seat
        self._weights = RandomWeights(shape.architecture, seed, seat.place.dtype)
        self._executor: Executor | None = None
        self._ring = _ring(shape, agreed, seat)

    @property
    def sent_bytes(self) -> int:
        """Bytes that this device has sent so far."""
        return 0 if self._ring is None else self._ring.sent_bytes

    def check(self, tokens: Sequence[int]) -> str:
        """Compute one request for real, and hold the answer against that of one device; all ranks call it.

        Raises:
            ArithmeticError: on all ranks, when it is another one.
        """
        if not is_checked(self._shape):
            return WHY_UNCHECKED
        error = None
        if self._ring is not None:
            self._executor = self._loaded(RealArithmetic(), epoch=0)
            answer, seen = self._answered(torch.tensor(tokens))
            self._executor.close()
            if answer is not None:
                undivided = Undivided(
                    architecture=self._shape.architecture, weights=self._weights, place=self._seat.place
                )
                error = relative_error(answer, undivided.answer(seen))
        (found,) = (each for each in told_by_all(error, self._seat.group) if each is not None)
        most = tolerated(self._agreed.plan.wire, self._seat.place.dtype)
        if not found <= most:
            raise ArithmeticError(
                f"the devices together answer otherwise than one of them alone: relative error {found:.3g}, "
                f"where {most:.3g} may be."
            )
        return f"relative error {found:.3g} against one device"

    def begin(self, marked: Marked | None) -> None:
        """Load this device's part to answer in the mode of the cluster; ``marked`` hears what took time."""
        if self._ring is None:
            return
        is_paced = self._agreed.cluster.pace is Pace.PACED
        arithmetic: Arithmetic = PacedArithmetic(self._seat.clock) if is_paced else RealArithmetic()
        if marked is not None:
            arithmetic = MeteredArithmetic(arithmetic, self._meter(marked))
        self._executor = self._loaded(arithmetic, epoch=1)

    def answer(self, tokens: Tensor) -> Tensor | None:
        """What is wanted of the last token [1, columns], on the plan's first device; None on others."""
        return None if self._executor is None else self._answered(tokens)[0]

    def close(self) -> None:
        """Part from the other devices, and release memory."""
        if self._executor is not None:
            self._executor.close()
        if self._ring is not None:
            self._ring.close()

    def _loaded(self, arithmetic: Arithmetic, epoch: int) -> Executor:
        if self._ring is None:
            raise ValueError("a device that takes no part loads nothing")
        rank = self._seat.rank
        return Executor(
            architecture=self._shape.architecture,
            plan=self._agreed.plan,
            device=rank,
            weights=self._weights,
            ring=self._ring,
            place=self._seat.place,
            arithmetic=arithmetic,
            profile=self._agreed.cluster.devices[rank],
            epoch=epoch,
        )

    def _answered(self, tokens: Tensor) -> tuple[Tensor | None, list[int]]:
        """The answer to a request, and all tokens that it was made from; new ones are added one by one."""
        executor, num_new, seen = self._executor, self._shape.num_new_tokens, tokens.tolist()
        if executor is None:
            raise ValueError("a device that takes no part answers nothing")
        is_first = self._seat.rank == self._agreed.plan.devices[0]
        told = executor.told(tokens if is_first else None, len(seen))
        prompt = Layout(lengths=(len(seen),))
        if not num_new:
            return executor.forward(told, prompt, Want.LAST_ROWS), seen
        caches = [executor.new_cache(len(seen) + num_new)]
        made = executor.forward(told, prompt, Want.NEXT_TOKENS, caches)
        for left in range(num_new, 0, -1):
            if made is None:
                raise ValueError("a device was not told which token is next")
            layout = Layout(lengths=(1,), past=(len(seen),))
            seen += made.tolist()
            made = executor.forward(made, layout, Want.NEXT_TOKENS if left > 1 else Want.LAST_ROWS, caches)
        return made, seen

    def _meter(self, marked: Marked) -> Callable[[Activity], None]:
        # Bytes on a link are in every wait for a message, a pipeline's too.
        phases: dict[Activity, PhaseName] = {"compute": "forward", "wait": "communication"}
        return lambda activity: marked(phases[activity])


def _ring(shape: GalaxyShape, agreed: Agreed, seat: Seat) -> Ring | None:
    """The ways to the other devices of the plan; None for one that takes no part."""
    devices = agreed.plan.devices
    if seat.rank not in devices:
        return None
    connections = {other: way for other, way in seat.connections.items() if other in devices}
    if not shape.devices.has_paced_links:
        return Ring(seat.rank, connections)
    link = shape.devices.link
    pace = LinkPace(link.rate, link.delay_ns)  # all links of a device are one way out
    return Ring(seat.rank, connections, dict.fromkeys(connections, pace))
