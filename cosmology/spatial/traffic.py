"""What ranks that share samples send each other, and who is told while one waits for the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor


class Traffic:
    """Counts what one rank brings to exchanges; ``listen`` names who is told before and after a wait."""

    def __init__(self) -> None:
        self.num_bytes = 0
        """That this rank brought to all exchanges so far."""
        self.num_exchanges = 0
        """Exchanges so far; planes to and from both neighbours at a time are one."""
        self.listen(_nobody, _nobody)

    def listen(self, before: Callable[[], None], after: Callable[[], None]) -> None:
        """From now on call these before and after each wait of the host."""
        self._before, self._after = before, after

    def add(self, *brought: Tensor) -> None:
        """Count one exchange to which this rank brings these."""
        self.num_exchanges += 1
        self.num_bytes += sum(tensor.numel() * tensor.element_size() for tensor in brought)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While the host waits for others."""
        self._before()
        yield
        self._after()


def _nobody() -> None:
    """Nobody listens."""
