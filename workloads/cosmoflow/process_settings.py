"""What all sessions of a process share in torch: threads, and how GPUs do products and convolutions."""

from dataclasses import dataclass, replace
from typing import Self

import torch

from augment.problem import ProblemError
from workloads.execution import Execution
from workloads.precision import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """Settings of the process; those of GPUs are None where none is used."""

    num_threads: int
    """Of arithmetic on the CPU."""
    uses_tf32: tuple[bool, bool] | None = None
    """Whether products of float32 are rounded to tf32 in convolutions, and in matrix products."""
    times_convolutions: bool | None = None
    """Whether cuDNN chooses algorithms of convolutions by a trial, not by its rules."""

    @classmethod
    def now(cls, device: torch.device) -> Self:
        """As the process is set."""
        if device.type == "cpu":
            return cls(num_threads=torch.get_num_threads())
        cudnn, cublas = torch.backends.cudnn, torch.backends.cuda.matmul
        return cls(
            num_threads=torch.get_num_threads(),
            uses_tf32=(cudnn.allow_tf32, cublas.allow_tf32),
            times_convolutions=cudnn.benchmark,
        )

    def apply(self) -> None:
        """Set the process so."""
        if torch.get_num_threads() != self.num_threads:
            torch.set_num_threads(self.num_threads)
        if self.uses_tf32 is not None:
            torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = self.uses_tf32
        if self.times_convolutions is not None:
            torch.backends.cudnn.benchmark = self.times_convolutions


class ProcessSettings:
    """The settings of one session; the process has its own again when the last session has left.

    Several sessions may be open at once and stepped in turns: each calls ``resume`` before its turn.
    """

    _own: ProcessState | None = None
    """Before the first of the sessions that are open; there is one process, so it stands on the class."""
    _num_open = 0

    def __init__(self, execution: Execution, device: torch.device) -> None:
        """Enter, and set the process.

        Raises:
            ProblemError: for more threads than the rank has.
        """
        own = ProcessSettings._own or ProcessState.now(device)
        self._state = _state(execution, own)
        ProcessSettings._own = own
        ProcessSettings._num_open += 1
        self.resume()

    def resume(self) -> None:
        """Set the process again, after others."""
        self._state.apply()

    def leave(self) -> bool:
        """Leave; gives whether nobody else is open, so that the process is as it was before."""
        ProcessSettings._num_open -= 1
        own = ProcessSettings._own
        if ProcessSettings._num_open or own is None:
            return False
        own.apply()
        ProcessSettings._own = None
        return True


def _state(execution: Execution, own: ProcessState) -> ProcessState:
    """What an execution asks of a process."""
    if execution.threads > own.num_threads:
        raise ProblemError(
            f"threads is {execution.threads}, but a rank has {own.num_threads}; use at most as many, or give "
            "its placement more threads_per_rank."
        )
    state = replace(own, num_threads=execution.threads or own.num_threads)
    if own.uses_tf32 is None:
        return state
    is_tf32 = execution.precision == Precision.TF32
    return replace(state, uses_tf32=(is_tf32, is_tf32), times_convolutions=execution.kernels == "own")
