"""The forward and the backward pass of a training step: operation by operation, or recorded on a GPU."""

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from augment.problem import ProblemError
from workloads.cosmoflow.descent import Descent
from workloads.cosmoflow.grid_reader import Batch
from workloads.cosmoflow.normaliser import Normalise
from workloads.cosmoflow.number_format import NumberFormat

_REHEARSALS = 3
"""Libraries make their work spaces and choose algorithms in the first passes, which cannot be recorded."""
_OF_THIS_THREAD = "thread_local"
"""Loaders lock pages of memory meanwhile, which would spoil what the whole process records."""


class Passes(Protocol):
    """What a step does with a batch before the weights move."""

    def receive(self, batch: Batch) -> Batch:
        """The batch on the device."""

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """Mean squared error of a batch on the device."""

    def backward(self, loss: Float[Tensor, ""]) -> None:
        """Leave the gradients of the loss at the weights."""

    def end(self) -> None:
        """The weights have moved."""


class EagerPasses:
    """Operation by operation."""

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        normalise: Normalise,
        descent: Descent,
        device: torch.device,
        numbers: NumberFormat,
    ) -> None:
        self._model = model
        self._normalise = normalise
        self._descent = descent
        self._device = device
        self._numbers = numbers

    def receive(self, batch: Batch) -> Batch:
        """The batch on the device."""
        grids, targets = batch
        return grids.to(self._device, non_blocking=True), targets.to(self._device, non_blocking=True)

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """Mean squared error of a batch on the device; counts are normalised first."""
        grids, targets = batch
        if grids.dtype == torch.uint16:
            grids = self._normalise(grids)
        with self._numbers.casting():
            predicted = self._model(grids)
        return functional.mse_loss(predicted.to(self._numbers.weights), targets)

    def backward(self, loss: Float[Tensor, ""]) -> None:
        """Leave the gradients of the loss at the weights."""
        self._descent.scaled(loss).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def end(self) -> None:
        """Nobody needs the gradients any more."""
        self._descent.forget()

    def rehearse(self, batch: Batch) -> None:
        """Both passes for nothing but what libraries and compilers make in the first ones."""
        self.backward(self.forward(batch))
        self.end()


class GraphedPasses:
    """Both passes recorded as a CUDA graph each, so that a step starts two of them.

    Batches are copied to where the recorded passes read. Gradients stay where they were recorded and are
    overwritten by every pass, so nothing zeroes them. The two share one pool of memory: what the forward
    pass frees, the backward pass may use.
    """

    def __init__(self, passes: EagerPasses, batch: Batch) -> None:
        """``batch`` is on the device, of the sizes of all to come, which overwrite it."""
        self._batch = batch
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves its making untyped
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_REHEARSALS):
                passes.rehearse(batch)  # it leaves no gradients, so the recorded pass makes them
        torch.cuda.current_stream().wait_stream(aside)
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._forward, capture_error_mode=_OF_THIS_THREAD):
            self._loss = passes.forward(batch)
        pool = self._forward.pool()
        with torch.cuda.graph(self._backward, pool=pool, capture_error_mode=_OF_THIS_THREAD):
            passes.backward(self._loss)

    def receive(self, batch: Batch) -> Batch:
        """The batch where the recorded passes read it."""
        for kept, new in zip(self._batch, batch, strict=True):
            kept.copy_(new, non_blocking=True)
        return self._batch

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """Mean squared error of the batch that was received last."""
        self._forward.replay()
        return self._loss.detach().clone()

    def backward(self, loss: Float[Tensor, ""]) -> None:
        """Leave the gradients of that loss at the weights."""
        self._backward.replay()

    def end(self) -> None:
        """Nothing: the next pass overwrites the gradients."""


def recorded(passes: EagerPasses, batch: Batch) -> GraphedPasses:
    """The passes as CUDA graphs; ``batch`` is on the device, of the sizes of all to come, and taken over.

    Raises:
        ProblemError: for passes that cannot be recorded.
    """
    try:
        return GraphedPasses(passes, batch)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ProblemError(
            f"graph is step, but the step cannot be recorded: {first_line}; use none."
        ) from error
