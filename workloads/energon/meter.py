"""Who is told what the time of a rank was spent on."""

from collections.abc import Callable
from typing import Literal

Activity = Literal["compute", "communication", "wait"]
"""``communication``: with the ranks of its own stage, their lateness included, and while bytes are on a link
between stages; ``wait``: for another stage, which has not given yet, or is too busy to take."""

Meter = Callable[[Activity], None]
"""Called when a part ends, by the thread that runs passes: the time since the last call was spent so."""


def unmetered(activity: Activity) -> None:
    """Measure nothing."""
