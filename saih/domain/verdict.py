"""What can hold a point back, in one word each."""

from enum import StrEnum


class Limit(StrEnum):
    """What holds a point back. The last five are legal answers, not failures of the analysis."""

    COMPUTE = "compute"
    MEMORY = "memory"
    INTERCONNECT = "interconnect"
    STORAGE = "shared storage"
    """Waiting for input whose making is reading from storage, not from the page cache."""
    INPUT = "input"
    """All other waiting for input: decoding, and reading that the page cache serves."""
    LAUNCH = "launch/host"
    IMBALANCE = "load imbalance"
    """Waiting for the rank that comes last, in the exchange or, where a pipeline divides the model, for a
    stage that is busy; and what even the stage waits that waits least, as when the pipeline fills."""
    CONTENTION = "CPU contention"
    """Work of the deciding rank that stands still because something else has its processor."""
    CEILING = "at the ceiling"
    BEYOND = "above the ceiling"
    """The step is faster than the measured peak allows, so that peak is wrong and nothing can be told."""
    MIXED = "mixed"
    UNEXPLAINED = "unexplained"
    UNKNOWN = "no ceilings measured"
