"""Training from milestone to milestone: judged at each, the best weights kept, and resumed after a kill."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from cosmology.durable_file import durable_file
from workloads.cosmoflow.examples import Examples
from workloads.cosmoflow.learning import Learner

_LEARNER, _BEST = "learner.", "best."
_STEPS, _ERRORS = "milestones", "errors"


class Milestones:
    """A learner, its mean absolute errors on samples it never saw, and the weights that had the least."""

    def __init__(self, learner: Learner, judged_by: Examples, path: Path | None = None) -> None:
        """``path`` is where its state is kept; a state that is there is gone on from."""
        self._learner = learner
        self._judged_by = judged_by
        self._path = path
        self._errors: dict[int, float] = {}
        self._best: dict[str, Tensor] = {}
        if path is not None:
            self._resume(path)

    def reach(self, num_steps: int) -> float:
        """Mean absolute error over all targets after so many steps; at once where it was there before."""
        if num_steps not in self._errors:
            self._learner.advance(num_steps - self._learner.num_steps_done)
            errors = self._learner.mean_absolute_errors(self._judged_by)
            self._errors[num_steps] = sum(errors) / len(errors)
            if self.best_error == self._errors[num_steps]:
                self._best = _copied(self._learner.network.state_dict())
            self._keep()
        return self._errors[num_steps]

    @property
    def best_error(self) -> float:
        """The least error so far that is a number; infinite where there is none."""
        return min((error for error in self._errors.values() if math.isfinite(error)), default=math.inf)

    def best_learner(self) -> Learner:
        """The learner, with the weights that had the least error."""
        if self._best:
            self._learner.network.load_state_dict(self._best)
        return self._learner

    def forget(self) -> None:
        """Delete what is kept on disk."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _keep(self) -> None:
        if self._path is None:
            return
        state = {
            **_under(_LEARNER, self._learner.state_dict()),
            **_under(_BEST, self._best),
            _STEPS: torch.tensor([*self._errors], dtype=torch.int64),
            _ERRORS: torch.tensor([*self._errors.values()], dtype=torch.float64),
        }
        with durable_file(self._path) as temporary:
            save_file({name: value.contiguous() for name, value in state.items()}, temporary)

    def _resume(self, path: Path) -> None:
        try:
            state = load_file(path)
        except (OSError, SafetensorError):
            return  # A file that is not there, or not whole, costs only time.
        self._learner.load_state_dict(_below(_LEARNER, state))
        self._best = _below(_BEST, state)
        self._errors = dict(zip(state[_STEPS].tolist(), state[_ERRORS].tolist(), strict=True))


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().to("cpu", copy=True) for name, value in state.items()}


def _under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


def _below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
