"""A session in which causes can be switched on and off while it runs; it does not know of it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from saih.domain.verification import NOTHING, Intervention, Toggle
from saih.harness.clock import ReadClock, host_ns
from saih.harness.exchange import Communication, MeasuredExchange
from saih.harness.intervention_load import Load
from workloads.protocol import Mark, PhaseName, Session

_WITHOUT_INPUT = (Intervention.DUMMY_INPUT, Intervention.COMPUTE_ONLY)
_WITHOUT_EXCHANGE = (Intervention.NO_EXCHANGE, Intervention.COMPUTE_ONLY)
_WORK: tuple[PhaseName, ...] = ("forward",)
_EXCHANGES: tuple[PhaseName, ...] = ("backward", "communication")
"""With which of them an exchange ends: of gradients, or inside a step."""


class SwitchedExchange:
    """A gradient exchange that remembers the model, so that its weights can be put back."""

    def __init__(self, exchange: MeasuredExchange) -> None:
        self._exchange = exchange
        self._tensors: list[Tensor] = []
        self._kept: list[Tensor] = []

    def attach(self, model: nn.Module) -> nn.Module:
        """The model to call in its place; its weights are the same on all ranks from here."""
        attached = self._exchange.attach(model)
        self._tensors += [*model.parameters(), *model.buffers()]
        self._kept = [tensor.detach().clone() for tensor in self._tensors]
        return attached

    def end_backward(self) -> None:
        """As the exchange does."""
        self._exchange.end_backward()

    def take(self, ends_ns: Sequence[int]) -> list[Communication]:
        """As the exchange does."""
        return self._exchange.take(ends_ns)

    def pause(self, *, is_paused: bool) -> None:
        """As the exchange does."""
        self._exchange.pause(is_paused=is_paused)

    def restore(self) -> None:
        """Put the weights back that the model was attached with: those of ranks that did not exchange differ.

        What an optimizer keeps beside them stays; it dies out within a window.
        """
        with torch.no_grad():
            for tensor, kept in zip(self._tensors, self._kept, strict=True):
                tensor.copy_(kept)


class SwitchedSession:
    """A session with one intervention at a time. ``switch`` is for between two runs of steps."""

    def __init__(self, session: Session[Any], exchange: SwitchedExchange, device: str, rank: int) -> None:
        self._session = session
        self._exchange = exchange
        self._device = torch.device(device)
        self._rank = rank
        self._toggle = NOTHING
        self._load: Load | None = None
        self._clock: ReadClock = host_ns
        self._batch: Any = None
        self._took: list[int] = []
        self._is_added = False

    def switch(self, toggle: Toggle, loads: Mapping[Intervention, Load], clock: ReadClock) -> None:
        """From the next batch and step on, do what ``toggle`` says; the weights begin anew."""
        self._exchange.pause(is_paused=toggle.intervention in _WITHOUT_EXCHANGE)
        self._exchange.restore()
        self._clock = clock
        is_ours = toggle.rank is None or toggle.rank == self._rank
        self._load = loads.get(toggle.intervention) if is_ours else None
        self._toggle = toggle
        self._took = []

    def forget(self) -> None:
        """Count what the intervention takes from here on."""
        self._took = []

    def took_ns(self) -> float:
        """What the intervention added on this rank since the last ``forget``, in the mean over steps."""
        took = list(self._took)
        return sum(took) / len(took) if took else 0.0

    def produce(self, step: int) -> Any:
        """The next batch; the kept one without input, and later with a delay."""
        toggle = self._toggle
        if toggle.intervention in _WITHOUT_INPUT and self._batch is not None:
            return self._batch
        batch = self._session.produce(step)
        if self._batch is None:
            self._batch = _on_device(batch, self._device)
        if toggle.intervention is Intervention.DELAYED_INPUT:
            begin_ns = host_ns()
            time.sleep(toggle.dose_ns / 1e9)
            self._took.append(host_ns() - begin_ns)
        return batch

    def step(self, batch: Any, mark: Mark) -> Any:
        """One step, with the load of the intervention in it."""
        if self._load is None and self._toggle.intervention is not Intervention.THROTTLED_EXCHANGE:
            return self._session.step(batch, mark)

        self._is_added = False

        def loaded(phase: PhaseName) -> None:
            self._add(phase)
            mark(phase)

        return self._session.step(batch, loaded)

    def close(self) -> None:
        """As the session does."""
        self._session.close()

    def _add(self, phase: PhaseName) -> None:
        """Work goes behind the first forward part, waiting behind the last gradients or the first sum."""
        is_waiting = self._load is None
        if self._is_added or phase not in (_EXCHANGES if is_waiting else _WORK):
            return
        self._is_added = True
        begin_ns = self._clock()
        if self._load is not None:
            self._load.run(self._toggle.dose_ns)
        else:
            time.sleep(self._toggle.dose_ns / 1e9)
        self._took.append(self._clock() - begin_ns)


def _on_device(batch: Any, device: torch.device) -> Any:
    """The tensors of a batch where the step wants them: a dummy input is not even copied."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, tuple | list):
        return type(batch)(_on_device(part, device) for part in batch)
    if isinstance(batch, dict):
        return {key: _on_device(part, device) for key, part in batch.items()}
    return batch
