"""How two definitions of one sweep differ, in words."""

from collections.abc import Mapping
from typing import Any

_ABSENT = "(absent)"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """One line ``path: old -> new`` for each leaf of plain JSON values that differs."""
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    paths = [*before, *(path for path in after if path not in before)]
    return tuple(
        f"{path}: {_words(before, path)} -> {_words(after, path)}"
        for path in paths
        if _words(before, path) != _words(after, path)
    )


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [
            leaf
            for key, item in value.items()
            for leaf in _leaves(item, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list | tuple) and value:
        return [leaf for index, item in enumerate(value) for leaf in _leaves(item, f"{path}[{index}]")]
    return [(path, value)]


def _words(leaves: Mapping[str, Any], path: str) -> str:
    return repr(leaves[path]) if path in leaves else _ABSENT
