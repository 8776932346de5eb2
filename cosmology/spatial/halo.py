"""The planes beyond a slab's ends: how convolutions of neighbouring slabs become that of the whole grid.

A convolution is linear, so each rank convolves its slab as if zeros lay around it, while its end planes
travel to the neighbours; what those add to the first and last plane of the result comes after:

    y = conv(x);  y[first] += conv(x[last] of the rank before, weight[first]);  y[last] likewise

The way back is the same, mirrored: the gradients of the planes that came from the neighbours travel while the
own convolution's backward pass runs, and are added to the end planes of its result. No padded copy of a slab
is made, and whatever computes the convolution itself stays as it is.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from cosmology.kernels.convolution import arithmetic_dtype
from cosmology.slabs.crew import Crew, Message, begun
from cosmology.spatial.traffic import Traffic

_ONE = (1, 1, 1)
"""Stride and dilation."""
_PADDING = (0, 1, 1)
"""Of an edge plane: nothing lies before and behind it, zeros beside it."""


def joined_by_halos(convolution: nn.Module, crew: Crew, traffic: Traffic) -> None:
    """Let a convolution give this rank's slab of what it would give of the whole grid.

    It is any module with a ``weight`` [out, in, 3, 3, 3] that convolves with stride 1 between zeros, and
    whose result may be written to. Every rank of the crew calls it equally often from here on, in one order.
    """
    open_halos: list[_Halo] = []

    def depart(_: nn.Module, arguments: tuple[Tensor]) -> Tensor:
        open_halos.append(_Halo(crew, traffic, has_gradient=arguments[0].requires_grad))
        departed: Tensor = _Depart.apply(arguments[0], open_halos[-1])  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return departed

    def arrive(module: nn.Module, _: tuple[Tensor], y_BCXYZ: Tensor) -> Tensor:
        arrived: Tensor = _Arrive.apply(y_BCXYZ, module.weight, open_halos.pop())  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return arrived

    convolution.register_forward_pre_hook(depart)
    convolution.register_forward_hook(arrive)


class _Halo:
    """The end planes of one convolution's input on their way, and later the gradients of those that came."""

    def __init__(self, crew: Crew, traffic: Traffic, *, has_gradient: bool) -> None:
        self.has_gradient = has_gradient
        """Whether anybody asks for the gradient of the input; the same on all ranks."""
        self._crew = crew
        self._traffic = traffic
        self._works: Sequence[dist.Work] = ()
        self._sent: list[Message] = []
        self._received: dict[int, Tensor] = {}

    @property
    def neighbours(self) -> dict[int, int]:
        """End of the slab (0 the first plane, -1 the last) at which each neighbour begins."""
        ends = {self._crew.rank - 1: 0, self._crew.rank + 1: -1}
        return {other: end for other, end in ends.items() if 0 <= other < self._crew.num_ranks}

    def send(self, planes: dict[int, Float[Tensor, "batch c 1 y z"]]) -> None:
        """Begin to send each neighbour the plane of its end of the slab, and to receive one."""
        self._sent = [Message(other, _packed(planes[end])) for other, end in self.neighbours.items()]
        received = [Message(message.other, torch.empty_like(message.tensor)) for message in self._sent]
        self._received = {self.neighbours[message.other]: _unpacked(message.tensor) for message in received}
        self._traffic.add(*(message.tensor for message in self._sent))
        self._works = begun(self._crew, self._sent, received)

    def received(self) -> dict[int, Float[Tensor, "batch c 1 y z"]]:
        """The plane beyond each end of the slab, once it is there."""
        with self._traffic.waiting():
            for work in self._works:
                work.wait()
        planes, self._received = self._received, {}
        self._works, self._sent = (), []
        return planes


class _Depart(Function):
    """Before a convolution: its input, whose end planes begin to travel."""

    @staticmethod
    def forward(ctx: Any, x_BCXYZ: Tensor, halo: _Halo) -> Tensor:
        ctx.halo = halo
        dtype = arithmetic_dtype(x_BCXYZ)  # planes travel in it
        halo.send({end: _plane(x_BCXYZ, end).to(dtype) for end in halo.neighbours.values()})
        return x_BCXYZ.view_as(x_BCXYZ)

    @staticmethod
    def backward(ctx: Any, gradient_BCXYZ: Tensor) -> tuple[Tensor, None]:
        # In place: it was made by the convolution's backward pass just now, for nobody else.
        for end, plane in ctx.halo.received().items():
            _plane(gradient_BCXYZ, end).add_(plane)
        return gradient_BCXYZ, None


class _Arrive(Function):
    """Behind a convolution: its result, to which the planes that came add."""

    @staticmethod
    def forward(ctx: Any, y_BCXYZ: Tensor, weight: Tensor, halo: _Halo) -> Tensor:
        came = halo.received()
        for end, plane in came.items():
            _plane(y_BCXYZ, end).add_(functional.conv3d(plane, _tap(weight, end, plane), padding=_PADDING))
        ctx.halo = halo
        ctx.ends = tuple(came)
        ctx.save_for_backward(weight, *came.values())
        ctx.mark_dirty(y_BCXYZ)
        return y_BCXYZ

    @staticmethod
    def backward(ctx: Any, gradient_BCXYZ: Tensor) -> tuple[Tensor, Tensor | None, None]:
        weight, *came = ctx.saved_tensors
        wanted = (ctx.halo.has_gradient, ctx.needs_input_grad[1])
        differentiate = partial(_differentiated, wanted=wanted)
        found = {
            end: differentiate(_plane(gradient_BCXYZ, end), plane, _tap(weight, end, plane))
            for end, plane in zip(ctx.ends, came, strict=True)
        }
        if ctx.halo.has_gradient:
            ctx.halo.send({end: of_plane for end, (of_plane, _) in found.items()})
        of_weight = torch.zeros_like(weight) if wanted[1] else None
        for end, (_, of_tap) in found.items():
            if of_weight is not None:
                _plane(of_weight, end).copy_(of_tap)
        return gradient_BCXYZ, of_weight, None


def _differentiated(
    gradient: Tensor, plane: Tensor, tap: Tensor, *, wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor]:
    """Gradients of a plane and of the weights' tap that met it; None in place of what nobody wants."""
    of_plane, of_tap, _ = torch.ops.aten.convolution_backward(
        gradient.to(plane.dtype),
        plane,
        tap,
        None,
        _ONE,
        _PADDING,
        _ONE,
        False,  # noqa: FBT003  # not transposed
        (0, 0, 0),
        1,
        (*wanted, False),
    )
    return of_plane, of_tap


def _plane(grid: Tensor, end: int) -> Tensor:
    """A view of the first or last plane: of a grid, or of weights."""
    return grid[:, :, :1] if end == 0 else grid[:, :, -1:]


def _tap(weight: Tensor, end: int, plane: Tensor) -> Tensor:
    """The weights through which a plane beyond an end reaches that end, in its number format."""
    return _plane(weight, end).to(plane.dtype)


def _packed(plane_BC1YZ: Tensor) -> Tensor:
    """Contiguous, with channels last: as the planes of the fastest layout lie anyway."""
    return plane_BC1YZ.permute(0, 2, 3, 4, 1).contiguous()


def _unpacked(plane_B1YZC: Tensor) -> Tensor:
    return plane_B1YZC.permute(0, 4, 1, 2, 3)
