"""The functions between the two products of an MLP."""

from torch import Tensor
from torch.nn import functional

from workloads.transformer.architecture import Activation


def activated(columns: Tensor, activation: Activation) -> Tensor:
    """The function of every element; ``columns`` may be overwritten."""
    match activation:
        case Activation.GELU:
            return functional.gelu(columns)
        case Activation.GELU_TANH:
            return functional.gelu(columns, approximate="tanh")
        case Activation.RELU:
            return columns.relu_()
        case Activation.SILU:
            return functional.silu(columns, inplace=True)
