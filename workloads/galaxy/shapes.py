"""An inference problem of unequal devices: typed sizes instead of named ones; arithmetic only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from augment.problem import Problem, ProblemError, Shape
from workloads.galaxy.given_devices import CLUSTER_SIZES, GivenDevices, given_devices
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer import model_shape
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.model_shape import Bounds


class Parallelism(StrEnum):
    """How a plan is found: by the planner among all kinds, or only one of them."""

    AUTO = "auto"
    """Whatever is foreseen to be fastest."""
    HYBRID = "hybrid"
    TENSOR = "tensor"
    SEQUENCE = "sequence"
    PIPELINE = "pipeline"
    LOCAL = "local"
    HEURISTIC = "heuristic"
    """Galaxy's own: hybrid, shares by compute power first, then memory."""
    EVEN = "even"
    """Megatron-LM: tensor parallelism of equal shares, what cannot be divided on the fastest."""


REQUEST_SIZES: Mapping[str, str] = {
    "sequence": "tokens of a request",
    "new_tokens": "tokens that are generated behind it, one by one; if not given, 0",
}
MODEL_SIZES: Mapping[str, str] = {
    **model_shape.MODEL_SIZES,
    "strategy": f"{', '.join(Parallelism)}: how the devices share the model; if not given, auto",
    "wire": f"{', '.join(WireFormat)}: how hidden states are written on links; if not given, exact",
    "tiles": "tiles that a device's rows are cut into; 0 or not given: as many as the planner chooses",
}
_BOUNDS = {
    "sequence": Bounds(default=None, least=1, most=2**20),
    "new_tokens": Bounds(default=0, least=0, most=2**20),
}
_TILES = Bounds(default=0, least=0, most=1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyShape:
    """The sizes of one problem, checked."""

    architecture: TransformerArchitecture
    model_name: str
    sequence: int
    num_new_tokens: int
    devices: GivenDevices
    parallelism: Parallelism
    wire: WireFormat
    num_tiles: int
    """0: the planner chooses."""

    @staticmethod
    def from_problem(problem: Problem) -> "GalaxyShape":
        """The problem's sizes.

        Raises:
            ProblemError: when the problem cannot be built, with all that is wrong at once.
        """
        # Equal sizes of another type, such as 1.0 and True for 1, are other problems: they are refused.
        kinds = tuple(type(value) for shape in (problem.data, problem.model) for _, value in shape.entries)
        return _known_shape(problem, kinds)

    @property
    def request_label(self) -> str:
        """Such as ``284 tokens, 16 new``."""
        return f"{self.sequence} tokens" + (f", {self.num_new_tokens} new" if self.num_new_tokens else "")

    @property
    def model_label(self) -> str:
        """Such as ``bert-large, hybrid, int8, 4 tiles``."""
        words = [self.model_name, str(self.parallelism)]
        words += [str(self.wire)] if self.wire is not WireFormat.EXACT else []
        words += [f"{self.num_tiles} tiles"] if self.num_tiles else []
        return ", ".join(words)

    @property
    def num_rows(self) -> int:
        """Rows that linear layers work on for one request."""
        return self.sequence + self.num_new_tokens


@lru_cache(maxsize=4096)
def _known_shape(problem: Problem, _kinds: tuple[type, ...]) -> GalaxyShape:
    """The sizes of a problem, found once: plans and analyses ask for those of each point several times."""
    data, model = problem.data, problem.model
    faults = model_shape.unknown_sizes("data", data, {**REQUEST_SIZES, **CLUSTER_SIZES})
    faults += model_shape.unknown_sizes("model", model, MODEL_SIZES)
    request = {name: model_shape.number_of(data, name, bounds, faults) for name, bounds in _BOUNDS.items()}
    devices = given_devices(data, faults)
    numbers = model_shape.model_numbers(model, ("strategy", "wire", "tiles"), faults)
    parallelism = _word(model, "strategy", Parallelism, faults)
    wire = _word(model, "wire", WireFormat, faults)
    num_tiles = model_shape.number_of(model, "tiles", _TILES, faults)
    if faults:
        raise ProblemError("\n".join(faults))
    sequence, num_new_tokens = request["sequence"], request["new_tokens"]
    architecture = model_shape.model_of(model, numbers, sequence + num_new_tokens)
    model_shape.check_length(architecture, sequence, num_new_tokens)
    return GalaxyShape(
        architecture=architecture,
        model_name=", ".join(model_shape.model_words(model, architecture)),
        sequence=sequence,
        num_new_tokens=num_new_tokens,
        devices=devices,
        parallelism=Parallelism(parallelism),
        wire=WireFormat(wire),
        num_tiles=num_tiles,
    )


def _word(shape: Shape, name: str, words: type[StrEnum], faults: list[str]) -> str:
    """A word of an enumeration, its first one where none is given; anything else adds a fault."""
    known = [str(word) for word in words]
    given = shape.get(name, known[0])
    if given in known:
        return str(given)
    faults.append(f"{name} is {str(given)[:60]!r}; use {', '.join(known)}.")
    return known[0]
