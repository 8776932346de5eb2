"""How the gradients of a learner become steps of its weights."""

from collections.abc import Mapping
from enum import StrEnum

import torch
from torch import Tensor, nn

from workloads.cosmoflow.schedule import MOMENTUM


class Optimizer(StrEnum):
    """How gradients become steps."""

    SGD = "sgd"
    """With momentum, as the reference trains."""
    ADAM = "adam"
    MUON = "muon"
    """Steps of convolutions and hidden products are made orthogonal (Muon; Jordan et al. 2024), scaled to the
    size of Adam's (Liu et al., arXiv:2502.16982); all else, the last product too, learns by Adam."""


class Optimizers:
    """Those of one network; each weight belongs to one of them."""

    def __init__(self, kind: Optimizer, network: nn.Module, *, rate: float, weight_decay: float) -> None:
        """The last product of a network gives its answer."""
        self._rows: list[tuple[nn.Parameter, nn.Parameter]] = []
        if kind is Optimizer.MUON:
            *inner, _answer = (p for p in network.parameters() if p.dim() > 1)
            self._rows = [(parameter, _rows(parameter)) for parameter in inner]
        others = _groups(network, {id(parameter) for parameter, _ in self._rows}, weight_decay)
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.SGD(others, lr=rate, momentum=MOMENTUM)
            if kind is Optimizer.SGD
            else torch.optim.AdamW(others, lr=rate)
        ]
        if self._rows:
            rows = [rows for _, rows in self._rows]
            muon = torch.optim.Muon(rows, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
            self._parts.append(muon)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)
        for parameter, _ in self._rows:
            parameter.grad = None

    def step(self, rate: float) -> None:
        """Change all weights by their gradients, at this learning rate."""
        for parameter, rows in self._rows:
            rows.grad = None if parameter.grad is None else _ordered(parameter.grad, parameter).flatten(1)
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()

    def state_dict(self) -> dict[str, Tensor]:
        """What it takes to go on, as ``place.name``; places count over all weights."""
        state: dict[str, Tensor] = {}
        for begin, part in zip(self._begins, self._parts, strict=True):
            for place, values in part.state_dict()["state"].items():
                state |= {f"{begin + place}.{name}": value for name, value in values.items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where ``state_dict`` was taken."""
        for begin, part in zip(self._begins, self._parts, strict=True):
            end = begin + _num_weights(part)
            slots: dict[int, dict[str, Tensor]] = {}
            for name, value in state.items():
                place, kind = name.split(".", 1)
                if begin <= int(place) < end:
                    slots.setdefault(int(place) - begin, {})[kind] = value
            part.load_state_dict({"state": slots, "param_groups": part.state_dict()["param_groups"]})

    @property
    def _begins(self) -> list[int]:
        return [sum(map(_num_weights, self._parts[:number])) for number in range(len(self._parts))]


def _groups(network: nn.Module, left_out: set[int], weight_decay: float) -> list[dict[str, object]]:
    """Products and convolutions, which decay, and biases, which do not."""
    kept = [parameter for parameter in network.parameters() if id(parameter) not in left_out]
    return [
        {"params": [p for p in kept if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in kept if p.dim() <= 1], "weight_decay": 0.0},
    ]


def _rows(parameter: nn.Parameter) -> nn.Parameter:
    """The same memory as a matrix [out, in * taps]: torch's Muon takes nothing else."""
    values = parameter.detach()
    return nn.Parameter(_ordered(values, values).view(len(values), -1))


def _ordered(values: Tensor, like: Tensor) -> Tensor:
    """Values [out, in, x, y, z] with their dimensions as those of ``like`` follow each other in memory."""
    return values if like.is_contiguous() else values.permute(0, 2, 3, 4, 1)


def _num_weights(part: torch.optim.Optimizer) -> int:
    return sum(len(group["params"]) for group in part.param_groups)
