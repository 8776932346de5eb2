"""What an application does in a step: it trains, or only computes answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What an application does in a step, in words for readers."""

    has_gradients: bool
    """Whether ranks exchange gradients, so that a loss falls; else they only compute answers."""
    scalar: str
    """What a step gives and is checked to be finite, such as ``loss``."""
    verb: str
    """What a rank does with a model, such as ``trains``."""


TRAINING = Activity(has_gradients=True, scalar="loss", verb="trains")
INFERENCE = Activity(has_gradients=False, scalar="mean output", verb="serves")
