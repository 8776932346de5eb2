"""An agent that loses all other devices with SIGUSR1, and not the service: they cannot call it any more."""

import signal
import sys
import threading
from typing import Any

from workloads.galaxy.service import agent


class ShutAgent(agent.Agent):
    """Takes part until the signal."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=self._shut).start())

    def _shut(self) -> None:
        self._doorway.close()
        self._work.abort(None)


if __name__ == "__main__":
    agent.Agent = ShutAgent  # type: ignore[misc]
    sys.exit(agent.main(sys.argv[1:]))
