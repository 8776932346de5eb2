"""The sweeps that come with the product."""

from collections.abc import Iterable
from importlib.resources import files

from saih.config.mistake import nearest
from saih.config.sweep_file import parse_sweep
from saih.domain.errors import UsageError
from saih.domain.sweep import Sweep

PRESETS = {
    "laptop": "two ranks on one small machine, 12 points, a few minutes",
    "energon": "inference of a Transformer by two ranks that share every layer, 12 points, 3 minutes",
    "galaxy": "inference by two unequal devices at three rates of their link, 12 points, 3 minutes",
    "node": "one node with four GPUs, 12 points",
    "cluster": "sixteen nodes with four GPUs each, 16 points up to 512^3",
    "share-of-peak": "one rank of two threads, 8 points as reference and tuned, about 10 minutes",
    "iso": "two ranks on one small machine, 3 points of equal FLOP at different resolutions",
    "ladder": "models from 1 GFLOP to 1 PFLOP a sample on one node with four GPUs, 7 points",
    "official": "the official data set, 9216 universes of 512^3 particles: for `saih plan --on-paper`",
}
"""Every preset with its one-line meaning."""


def preset_sweep(name: str, overrides: Iterable[str] = ()) -> Sweep:
    """The preset ``name`` with ``key.sub=value`` overrides.

    Raises:
        UsageError: for an unknown preset or a mistaken override.
    """
    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}", f"{nearest(name, tuple(PRESETS))}.")
    text = (files("saih.config") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_sweep(text, f"preset {name}", overrides)
