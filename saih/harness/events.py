"""Events: what rank 0 tells the launcher while it works, one JSON object a line on stdout."""

import json
import sys
from typing import Any

from saih.domain.job import EVENT_PREFIX


def tell(event: str, /, **fields: Any) -> None:  # Any: JSON values
    """Print one event whole and at once, so that lines of several ranks do not mix."""
    line = EVENT_PREFIX + json.dumps({"event": event, **fields}, allow_nan=False)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
