"""Momentum SGD as an execution does it, with the loss scaled where gradients would vanish otherwise."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from workloads.cosmoflow.schedule import MOMENTUM
from workloads.execution import Optimizer

FIRST_SCALE = 2.0**12
"""Of a loss in float16: with torch's own, 2^16, gradients may overflow at first, and steps are skipped."""


class Descent:
    """Takes steps down the gradients of some parameters."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], rate: float, kind: Optimizer, scaled_on: str = ""
    ) -> None:
        """``scaled_on`` is the type of the device on which the loss is scaled; empty where it is not."""
        self._optimizer = torch.optim.SGD(
            parameters, lr=rate, momentum=MOMENTUM, foreach=kind == "foreach", fused=kind == "fused"
        )
        self._scaler = torch.amp.GradScaler(scaled_on, init_scale=FIRST_SCALE) if scaled_on else None

    def scaled(self, loss: Tensor) -> Tensor:
        """What to differentiate in place of the loss."""
        return loss if self._scaler is None else self._scaler.scale(loss)

    def step(self) -> None:
        """One step; none where a scaled gradient is not finite, and the scale is halved then."""
        if self._scaler is None:
            self._optimizer.step()
            return
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def forget(self) -> None:
        """Drop the gradients."""
        self._optimizer.zero_grad(set_to_none=True)
