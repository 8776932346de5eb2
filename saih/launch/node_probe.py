"""Whether all nodes of an allocation still answer, asked by starting a trifle on each."""

import subprocess
from dataclasses import dataclass

from saih.domain.point import Placement
from saih.launch.starter import Starter

_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProbe:
    """Starts one trivial process on every node, in the way that ranks are started."""

    starter: Starter
    num_nodes: int

    def is_well(self) -> bool:
        """Whether that works. A single node answers by running this."""
        if self.num_nodes == 1:
            return True
        start = self.starter.start(Placement(nodes=self.num_nodes, data_parallel=self.num_nodes), ("true",))
        try:
            done = subprocess.run(
                start.command,
                env=dict(start.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0
