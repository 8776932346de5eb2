"""The sizes of a Transformer in the model shape of a problem, for workloads that run one; arithmetic only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augment.problem import ProblemError, Shape
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.ladder import named
from workloads.transformer.sized_model import KINDS, sized


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a whole number may be."""

    default: int | None
    """None: it must be given. 0 may stand for what the model has of itself."""
    least: int
    most: int


MODEL_SIZES: Mapping[str, str] = {
    "name": "a published model, such as gpt2-124m, in place of all other sizes of a model",
    "family": f"{', '.join(KINDS)}; if not given, gpt2",
    "layers": "layers",
    "hidden": "columns of the hidden state",
    "heads": "attention heads",
    "kv_heads": "heads of keys and values; if not given, as many as heads",
    "ffn": "columns of the MLP; if not given, 4 x hidden, or 8/3 of it with a gate (llama)",
    "vocab": "tokens of the vocabulary; if not given, those of the family's first model",
}
"""Each size of a model with its meaning."""
MODEL_BOUNDS: Mapping[str, Bounds] = {
    "layers": Bounds(default=None, least=1, most=10**4),
    "hidden": Bounds(default=None, least=1, most=2**18),
    "heads": Bounds(default=None, least=1, most=2**14),
    "kv_heads": Bounds(default=0, least=1, most=2**14),
    "ffn": Bounds(default=0, least=1, most=2**20),
    "vocab": Bounds(default=0, least=1, most=2**22),
}
_TOLD = (("kv_heads", "kv heads"), ("ffn", "columns of the MLP"), ("vocab", "words"))


def unknown_sizes(axis: str, shape: Shape, sizes: Mapping[str, str]) -> list[str]:
    """What is wrong with each size that a shape has and the workload does not know."""
    return [
        f"the {axis} shape has no size {name!r}; its sizes are {', '.join(sizes)}."
        for name in shape
        if name not in sizes
    ]


def number_of(shape: Shape, name: str, bounds: Bounds, faults: list[str]) -> int:
    """A size within its bounds or its default; anything else adds a fault."""
    if name not in shape and bounds.default is not None:
        return bounds.default
    try:
        if bounds.least == 0 and type(shape.get(name)) is int and shape[name] == 0:
            return 0
        return shape.count(name, at_most=bounds.most)
    except ProblemError as error:
        words = str(error)
        faults.append(words.replace("from 1 to", "from 0 to") if bounds.least == 0 else words)
        return 1


def model_numbers(shape: Shape, beside_name: Sequence[str], faults: list[str]) -> dict[str, int]:
    """The numbers of a model; none of a published one, whose numbers are its own.

    ``beside_name`` are the sizes of the workload that may stand beside a name.
    """
    if "name" not in shape:
        return {name: number_of(shape, name, bounds, faults) for name, bounds in MODEL_BOUNDS.items()}
    more = [name for name in shape if name in MODEL_SIZES and name not in ("name", *beside_name)]
    if more:
        faults.append(
            f"the model shape has a name and {', '.join(more)}; a published model has sizes of its own: "
            "remove them, or the name."
        )
    return {}


def model_of(shape: Shape, numbers: Mapping[str, int], longest: int) -> TransformerArchitecture:
    """The model that a shape with these ``numbers`` means; one without a name takes ``longest`` tokens.

    Raises:
        ProblemError: for an unknown name or family, or heads that do not divide.
    """
    if "name" in shape:
        return named(str(shape["name"]))
    return sized(str(shape.get("family", Family.GPT2)), numbers, longest)


def check_length(architecture: TransformerArchitecture, sequence: int, num_new_tokens: int) -> None:
    """Do nothing where the model takes such a sequence and can add tokens to it.

    Raises:
        ProblemError: otherwise, with what would do.
    """
    longest = sequence + num_new_tokens
    if longest > architecture.max_length:
        raise ProblemError(
            f"sequence and new_tokens are {longest} tokens together, but the model's context is "
            f"{architecture.max_length}; shorten them."
        )
    if num_new_tokens and not architecture.is_decoder:
        raise ProblemError(
            f"new_tokens is {num_new_tokens}, but {architecture.family} is an encoder, which generates "
            "nothing; give 0, or another family."
        )


def model_words(shape: Shape, architecture: TransformerArchitecture) -> list[str]:
    """Such as ``gpt2-124m``, or ``4 x 256``, ``llama``, ``8 heads``, ``2 kv heads``."""
    sizes = f"{architecture.num_layers} x {architecture.hidden_size}"
    words = [sizes, str(architecture.family), f"{architecture.num_heads} heads"]
    words = [str(shape["name"])] if "name" in shape else words
    return words + [f"{shape[name]} {word}" for name, word in _TOLD if shape.get(name)]
