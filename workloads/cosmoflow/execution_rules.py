"""Which executions of CosmoFlow's step a device cannot do, whatever is installed on it."""

from augment.problem import ProblemError
from workloads.execution import Execution, settled
from workloads.precision import Precision

_GPU_FORMATS = {
    Precision.TF32: "products in tf32 are done by GPUs only; use float32 or bfloat16",
    Precision.FLOAT16: "training in float16 scales its loss on GPUs only; use bfloat16",
}
_EXCHANGE_WITHOUT_GRAPH = "horovod"
"""Its sums are started by the host in the middle of the backward pass, where a graph has no place for them."""


def check_execution(execution: Execution, *, precision: str, device: str, exchange: str) -> None:
    """Do nothing for an execution that a rank on ``device`` (``cpu`` or ``cuda``) may be able to do.

    Raises:
        ProblemError: otherwise, with the setting and what would do.
    """
    chosen = settled(execution, precision)
    number_format = Precision.named(chosen.precision)
    if device == "cpu" and number_format in _GPU_FORMATS:
        raise ProblemError(f"precision is {number_format} on device cpu; {_GPU_FORMATS[number_format]}.")
    if chosen.graph == "step" and device == "cpu":
        raise ProblemError("graph is step on device cpu; a step is recorded on GPUs only: use none.")
    if chosen.graph == "step" and exchange == _EXCHANGE_WITHOUT_GRAPH:
        raise ProblemError(
            f"graph is step with exchange {exchange}, whose sums cannot be recorded; use graph none, or "
            "exchange ddp."
        )
    if chosen.threads and device != "cpu":
        raise ProblemError(
            f"threads is {chosen.threads} on device {device}; they are those of a CPU: leave the key out."
        )
