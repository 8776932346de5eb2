"""An inference problem in its own words: typed sizes instead of named ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from augment.problem import Problem, ProblemError, Shape
from workloads.energon.sized_model import KINDS, sized
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.ladder import named

DATA_SIZES: Mapping[str, str] = {
    "sequence": "tokens of the longest sequence; padding goes up to it",
    "valid_percent": "mean length of the sequences as a share of the longest [%]; if not given, 100",
    "packed": "1: no work on padding; 0: every sequence is padded to the longest; if not given, 1",
    "batches": "forward passes of one step that follow each other through the pipeline; if not given, 1",
    "new_tokens": "decode passes behind each of them, one token a sequence with its keys and values kept; "
    "if not given, 0",
}
MODEL_SIZES: Mapping[str, str] = {
    "name": "a published model, such as gpt2-124m; then only parked may stand beside it",
    "family": f"{', '.join(KINDS)}; if not given, gpt2",
    "layers": "layers",
    "hidden": "columns of the hidden state",
    "heads": "attention heads",
    "kv_heads": "heads of keys and values; if not given, as many as heads",
    "ffn": "columns of the MLP; if not given, 4 x hidden, or 8/3 of it with a gate (llama)",
    "vocab": "tokens of the vocabulary; if not given, those of the family's first model",
    "parked": "layers of each stage kept outside the memory of its device; if not given, 0",
}
_NUMBERS: Mapping[str, tuple[int | None, int, int]] = {
    "sequence": (None, 1, 2**20),
    "valid_percent": (100, 1, 100),
    "packed": (1, 0, 1),
    "batches": (1, 1, 10**6),
    "new_tokens": (0, 0, 2**20),
    "layers": (None, 1, 10**4),
    "hidden": (None, 1, 2**18),
    "heads": (None, 1, 2**14),
    "kv_heads": (0, 1, 2**14),
    "ffn": (0, 1, 2**20),
    "vocab": (0, 1, 2**22),
    "parked": (0, 0, 10**4),
}
"""Default (None: must be given), least and most of each size; a default of 0 leaves it to the model."""
_BESIDE_NAME = ("name", "parked")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergonShape:
    """The sizes of one problem, checked."""

    architecture: TransformerArchitecture
    model_label: str
    sequence: int
    valid_percent: int
    is_packed: bool
    num_batches: int
    num_new_tokens: int
    num_parked: int

    @staticmethod
    def from_problem(problem: Problem) -> "EnergonShape":
        """The problem's sizes.

        Raises:
            ProblemError: when the problem cannot be built, with all that is wrong at once.
        """
        # Equal sizes of another type, such as 1.0 and True for 1, are other problems: they are refused.
        kinds = tuple(type(value) for shape in (problem.data, problem.model) for _, value in shape.entries)
        return _known_shape(problem, kinds)

    @property
    def data_label(self) -> str:
        """Such as ``128 tokens, 50 % real, 8 passes`` or ``128 padded, 50 % real``."""
        words = [f"{self.sequence} {'tokens' if self.is_packed else 'padded'}"]
        words += [f"{self.valid_percent} % real"] if self.valid_percent < 100 else []
        words += [f"{self.num_batches} passes"] if self.num_batches > 1 else []
        words += [f"{self.num_new_tokens} new"] if self.num_new_tokens else []
        return ", ".join(words)

    @property
    def mean_rows(self) -> float:
        """Rows that linear layers work on in one step, for each sequence of a pass."""
        prompt = self.sequence * (self.valid_percent / 100 if self.is_packed else 1.0)
        return self.num_batches * (max(prompt, 1.0) + self.num_new_tokens)


@lru_cache(maxsize=4096)
def _known_shape(problem: Problem, _kinds: tuple[type, ...]) -> EnergonShape:
    """The sizes of a problem, found once: plans and analyses ask for those of each point several times."""
    faults = [
        f"the {axis} shape has no size {name!r}; its sizes are {', '.join(sizes)}."
        for axis, shape, sizes in (("data", problem.data, DATA_SIZES), ("model", problem.model, MODEL_SIZES))
        for name in shape
        if name not in sizes
    ]
    data = {name: _number(problem.data, name, faults) for name in DATA_SIZES}
    model = _model(problem.model, faults)
    if faults:
        raise ProblemError("\n".join(faults))
    longest = data["sequence"] + data["new_tokens"]
    architecture = _architecture(problem.model, model, longest)
    _check_length(architecture, longest, data["new_tokens"])
    return EnergonShape(
        architecture=architecture,
        model_label=_label(problem.model, architecture),
        sequence=data["sequence"],
        valid_percent=data["valid_percent"],
        is_packed=data["packed"] == 1,
        num_batches=data["batches"],
        num_new_tokens=data["new_tokens"],
        num_parked=_checked_parked(model["parked"], architecture),
    )


def _number(shape: Shape, name: str, faults: list[str]) -> int:
    """A size within its limits or its default; anything else adds a fault."""
    default, least, most = _NUMBERS[name]
    if name not in shape and default is not None:
        return default
    try:
        if least == 0 and type(shape.get(name)) is int and shape[name] == 0:
            return 0
        return shape.count(name, at_most=most)
    except ProblemError as error:
        words = str(error)
        faults.append(words.replace("from 1 to", "from 0 to") if least == 0 else words)
        return 1


def _model(shape: Shape, faults: list[str]) -> dict[str, int]:
    """The numbers of a model; those of a published one are its own."""
    if "name" not in shape:
        return {name: _number(shape, name, faults) for name in MODEL_SIZES if name in _NUMBERS}
    more = [name for name in shape if name not in _BESIDE_NAME and name in MODEL_SIZES]
    if more:
        faults.append(
            f"the model shape has a name and {', '.join(more)}; a published model has sizes of its own: "
            "remove them, or the name."
        )
    return {"parked": _number(shape, "parked", faults)}


def _architecture(shape: Shape, model: Mapping[str, int], longest: int) -> TransformerArchitecture:
    if "name" in shape:
        return named(str(shape["name"]))
    return sized(str(shape.get("family", Family.GPT2)), model, longest)


def _check_length(architecture: TransformerArchitecture, longest: int, num_new_tokens: int) -> None:
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


def _checked_parked(num_parked: int, architecture: TransformerArchitecture) -> int:
    if num_parked > architecture.num_layers:
        raise ProblemError(
            f"parked is {num_parked}, but the model has {architecture.num_layers} layers; park at most these."
        )
    return num_parked


def _label(shape: Shape, architecture: TransformerArchitecture) -> str:
    """Such as ``gpt2-124m`` or ``4 x 256, llama, 8 heads, 2 kv heads``."""
    sizes = f"{architecture.num_layers} x {architecture.hidden_size}"
    words = [sizes, str(architecture.family), f"{architecture.num_heads} heads"]
    words = [str(shape["name"])] if "name" in shape else words
    told = (
        ("kv_heads", "kv heads"),
        ("ffn", "columns of the MLP"),
        ("vocab", "words"),
        ("parked", "parked"),
    )
    words += [f"{shape[name]} {word}" for name, word in told if shape.get(name)]
    return ", ".join(words)
