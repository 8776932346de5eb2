"""How a training step is executed: choices that change how long it takes, not what is learnt.

Number formats are the one exception: they change results within their rounding, so a search that may choose
them is asked for by name.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal

Layout = Literal["channels_first", "channels_last"]
Kernels = Literal["torch", "own"]
Compiler = Literal["none", "inductor"]
Graph = Literal["none", "step"]
Optimizer = Literal["loop", "foreach", "fused"]
Inputs = Literal["float32", "counts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution plan, by the name under which it was asked for."""

    name: str = "plain"
    precision: str = ""
    """Number format of products and activations; empty: that of the point."""
    layout: Layout = "channels_last"
    """Order of a grid's values in memory."""
    kernels: Kernels = "torch"
    """``own``: the faster forms of single operations that come with the application, where it has any."""
    compiler: Compiler = "none"
    """What makes one program of the network before the first step."""
    graph: Graph = "none"
    """``step``: forward and backward pass are recorded once on a GPU and started as one."""
    optimizer: Optimizer = "foreach"
    """Weights one by one, many at a time, or by one kernel."""
    inputs: Inputs = "float32"
    """What the loader hands over: normalised values, or counts, which the device normalises."""
    bucket_mib: int = 25
    """Most gradients that ranks exchange at a time [MiB]; 25 is torch's own."""
    threads: int = 0
    """Threads of one rank's arithmetic on a CPU; 0: all that it has."""

    @property
    def is_plain(self) -> bool:
        """Whether it is what every application does unasked."""
        return self == PLAIN

    @property
    def is_searched(self) -> bool:
        """Whether the settings follow from measurements before the point."""
        return self.name in SEARCHED

    @property
    def words(self) -> str:
        """The settings that differ from the plain ones, such as ``bfloat16, fused optimizer``."""
        return ", ".join(_WORDS[name].format(value).replace("_", " ") for name, value in self.chosen.items())

    @property
    def found_words(self) -> str:
        """The settings of one that ran, such as ``bfloat16, own kernels``, or ``plain in float32``."""
        return f"plain in {self.precision}" if set(self.chosen) == {"precision"} else self.words

    @property
    def chosen(self) -> dict[str, str | int]:
        """The settings that differ from the plain ones, by name."""
        return {name: value for name in SETTINGS if (value := getattr(self, name)) != getattr(PLAIN, name)}

    @property
    def label(self) -> str:
        """What tells it from others: its name, or the settings of one that was given."""
        return self.words if self.name == GIVEN else self.name


_WORDS = {
    "precision": "{}",
    "layout": "{}",
    "kernels": "{} kernels",
    "compiler": "{}",
    "graph": "{} as a graph",
    "optimizer": "{} optimizer",
    "inputs": "{} as input",
    "bucket_mib": "buckets of {} MiB",
    "threads": "threads {}",
}
GIVEN = "given"
"""Name of an execution of which settings were written out."""
PLAIN = Execution()
"""Channels last, eager, in the precision of the point."""
REFERENCE = Execution(name="reference", precision="float32", layout="channels_first", optimizer="foreach")
"""What a plain loop in torch does: the same on every system, to compare by."""
TUNED = Execution(name="tuned")
"""The fastest that a short search finds, in any number format of the device."""
TUNED_AT_PRECISION = Execution(name="tuned_at_precision")
"""The fastest that a short search finds in the point's own number format."""
SEARCHED = (TUNED.name, TUNED_AT_PRECISION.name)
NAMED = {one.name: one for one in (PLAIN, REFERENCE, TUNED, TUNED_AT_PRECISION)}
SETTINGS = tuple(one.name for one in fields(Execution) if one.name != "name")


def settled(execution: Execution, precision: str) -> Execution:
    """The execution with its number format written out."""
    return execution if execution.precision else replace(execution, precision=precision)
