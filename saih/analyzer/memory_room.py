"""How much memory a rank has for its tensors, as far as the facts of an environment tell."""

import re
from collections.abc import Mapping

from saih.domain.point import Placement

_UNITS = {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_AMOUNT = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?(KiB|MiB|GiB|TiB|MB|GB|TB)\b")


def memory_room(facts: Mapping[str, str], placement: Placement) -> float | None:
    """Bytes for one rank: an equal part of the node's memory, or those of its GPUs; None where unknown."""
    if placement.device == "cpu":
        whole = _amount(facts.get("memory", ""))
        return whole / placement.ranks_per_node if whole is not None else None
    own = _amount(facts.get("gpus", ""))
    return own * placement.gpus_per_rank if own is not None else None


def _amount(text: str) -> float | None:
    """The one amount of memory that a text names; None for none or several."""
    found = _AMOUNT.findall(text)
    return float(found[0][0]) * _UNITS[found[0][1]] if len(found) == 1 else None
