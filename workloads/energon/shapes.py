"""An inference problem in its own words: typed sizes instead of named ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from augment.problem import Problem, ProblemError
from workloads.transformer import model_shape
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.model_shape import Bounds

DATA_SIZES: Mapping[str, str] = {
    "sequence": "tokens of the longest sequence; padding goes up to it",
    "valid_percent": "mean length of the sequences as a share of the longest [%]; if not given, 100",
    "packed": "1: no work on padding; 0: every sequence is padded to the longest; if not given, 1",
    "batches": "forward passes of one step that follow each other through the pipeline; if not given, 1",
    "new_tokens": "decode passes behind each of them, one token a sequence with its keys and values kept; "
    "if not given, 0",
}
MODEL_SIZES: Mapping[str, str] = {
    **model_shape.MODEL_SIZES,
    "name": "a published model, such as gpt2-124m; then only parked may stand beside it",
    "parked": "layers of each stage kept outside the memory of its device; if not given, 0",
}
_BOUNDS: Mapping[str, Bounds] = {
    "sequence": Bounds(default=None, least=1, most=2**20),
    "valid_percent": Bounds(default=100, least=1, most=100),
    "packed": Bounds(default=1, least=0, most=1),
    "batches": Bounds(default=1, least=1, most=10**6),
    "new_tokens": Bounds(default=0, least=0, most=2**20),
}
_PARKED = Bounds(default=0, least=0, most=10**4)


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
        return _known_shape(problem, problem.kinds)

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
    faults = model_shape.unknown_sizes("data", problem.data, DATA_SIZES)
    faults += model_shape.unknown_sizes("model", problem.model, MODEL_SIZES)
    data = {name: model_shape.number_of(problem.data, name, one, faults) for name, one in _BOUNDS.items()}
    numbers = model_shape.model_numbers(problem.model, ("parked",), faults)
    num_parked = model_shape.number_of(problem.model, "parked", _PARKED, faults)
    if faults:
        raise ProblemError("\n".join(faults))
    architecture = model_shape.model_of(problem.model, numbers, data["sequence"] + data["new_tokens"])
    model_shape.check_length(architecture, data["sequence"], data["new_tokens"])
    return EnergonShape(
        architecture=architecture,
        model_label=_label(problem, architecture),
        sequence=data["sequence"],
        valid_percent=data["valid_percent"],
        is_packed=data["packed"] == 1,
        num_batches=data["batches"],
        num_new_tokens=data["new_tokens"],
        num_parked=_checked_parked(num_parked, architecture),
    )


def _checked_parked(num_parked: int, architecture: TransformerArchitecture) -> int:
    if num_parked > architecture.num_layers:
        raise ProblemError(
            f"parked is {num_parked}, but the model has {architecture.num_layers} layers; park at most these."
        )
    return num_parked


def _label(problem: Problem, architecture: TransformerArchitecture) -> str:
    """Such as ``gpt2-124m`` or ``4 x 256, llama, 8 heads, 2 kv heads``."""
    words = model_shape.model_words(problem.model, architecture)
    num_parked = problem.model.get("parked")
    return ", ".join(words + ([f"{num_parked} parked"] if num_parked else []))
