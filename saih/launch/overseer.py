"""What may end the work from outside, as seen by whoever runs one set of ranks after the other."""

from pathlib import Path
from typing import Protocol

from saih.domain.errors import SaihError
from saih.launch.local import Ending


class Overseer(Protocol):
    """Says when to stop, and whether ranks that ended badly ended by themselves."""

    def is_asked(self) -> bool:
        """Whether it is time to stop; asked several times a second."""

    def error(self) -> SaihError:
        """Why it is time to stop."""

    def consider(self, ending: Ending, log_path: Path) -> None:
        """Do nothing when ranks that ended badly did so by themselves.

        Raises:
            SaihError: when the whole job is ending, so that the open attempt says nothing of its point.
        """
