"""Where the batches of a point come from: its data set, a copy of it on each node, or memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Input = Literal["real", "synthetic"]
"""``synthetic``: a few batches made in memory before the first step; no data set is made or read."""
Staging = Literal["none", "node"]
"""``node``: what its ranks read is copied to a folder of the node before the first step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Where the batches of a point come from."""

    input: Input = "real"
    staging: Staging = "none"

    @property
    def techniques(self) -> Mapping[str, str]:
        """What differs from reading the data folder, in words; a trend never joins two of them."""
        found = {"input": "synthetic"} if self.input == "synthetic" else {}
        return found | ({"staging": "node"} if self.staging == "node" else {})

    @property
    def contradiction(self) -> str:
        """What is wrong with the two together; empty where nothing is."""
        if self.input == "synthetic" and self.staging == "node":
            return (
                "synthetic batches are made in memory, so there is nothing to stage; ask for one of the two."
            )
        return ""


FROM_DATA_FOLDER = Supply()
"""Real samples, read where the data set is."""
