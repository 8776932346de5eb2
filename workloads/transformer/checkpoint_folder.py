"""Which files of a folder are a checkpoint: plain names, no pickles, nothing outside of it."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from workloads.transformer.errors import WeightError

CONFIG = "config.json"
_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_SHARD = r"model-\d{1,6}-of-\d{1,6}\.safetensors"
_PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
_MAX_JSON_BYTES = 64 << 20
_LISTED = 8
_SHOWN = 120


def files_of(folder: Path) -> tuple[list[Path], Mapping[str, str] | None]:
    """Its safetensors files, and the file of each tensor where there is an index.

    Raises:
        WeightError: when there are none, or when one is a pickle or outside of the folder.
    """
    if not folder.is_dir():
        kind = "a pickle, which runs what it holds when it is loaded" if _is_pickle(folder) else "no folder"
        raise WeightError(
            f"{folder} is {kind}; give the folder into which save_pretrained wrote safetensors."
        )
    names = {path.name for path in folder.iterdir()}
    if _SINGLE in names:
        _refuse_two(folder, names)
        return [_inside(folder, _SINGLE)], None
    if _INDEX not in names:
        raise WeightError(_nothing_there(folder, names))
    listed = read_json(folder, _INDEX).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(file, str) for file in listed.values()):
        raise WeightError(f"{folder / _INDEX} has no weight_map from tensors to files; write it again.")
    return [_inside(folder, file) for file in sorted(set(listed.values()))], listed


def read_json(folder: Path, name: str) -> Mapping[str, object]:
    """The JSON mapping in a file of the folder.

    Raises:
        WeightError: when it is absent, too long, or holds something else.
    """
    path = _inside(folder, name)
    try:
        num_bytes = path.stat().st_size
        content = json.loads(path.read_bytes()) if num_bytes <= _MAX_JSON_BYTES else None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: neither JSON nor UTF-8
        raise WeightError(f"{path} is no JSON ({error}); write the checkpoint again.") from error
    if not isinstance(content, dict):
        raise WeightError(
            f"{path} holds no mapping in at most {_MAX_JSON_BYTES} bytes; write the checkpoint again."
        )
    return content


def some(texts: Iterable[str]) -> str:
    """The first few of many texts, and how many more there are."""
    listed = list(texts)
    more = len(listed) - _LISTED
    return ", ".join(listed[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def shown(name: str) -> str:
    """A name that anybody may have written."""
    return repr(name if len(name) <= _SHOWN else name[:_SHOWN] + "...")


def _refuse_two(folder: Path, names: Iterable[str]) -> None:
    # Saving several files leaves the one file of an older model there, and transformers reads the old one.
    shards = sorted(name for name in names if re.fullmatch(_SHARD, name))
    if shards and _INDEX in names:
        raise WeightError(
            f"{folder} holds two models: {_SINGLE}, and {some(shards)}; remove the one that is not meant."
        )


def _inside(folder: Path, name: str) -> Path:
    """A file of the folder.

    In the cache of Hugging Face's hub links leave it by design: from its ``snapshots`` to its ``blobs``.
    """
    if _is_pickle(Path(name)):
        raise WeightError(
            f"{folder} uses {shown(name)}, a pickle, which runs what it holds when it is loaded; "
            "get the same model as safetensors."
        )
    if not re.fullmatch(r"[\w.-]{1,200}\.(safetensors|json)", name, re.ASCII):
        raise WeightError(
            f"{folder} uses {shown(name)}, no plain name of a safetensors file in it; write it again."
        )
    path = folder.absolute() / name
    try:
        home = folder.resolve(strict=True)
        found = path.resolve(strict=True)
        is_file = found.is_file()
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise WeightError(
            f"{path} cannot be opened ({error}); write or copy the checkpoint again."
        ) from error
    homes = [home, home.parent.parent / "blobs"] if home.parent.name == "snapshots" else [home]
    if not any(found.is_relative_to(allowed) for allowed in homes):
        raise WeightError(f"{path} leads to {found}, outside of the folder; put the file itself there.")
    if not is_file:
        raise WeightError(f"{path} is no file; write or copy the checkpoint again.")
    return path


def _nothing_there(folder: Path, names: Iterable[str]) -> str:
    pickles = sorted(name for name in names if _is_pickle(Path(name)))
    if pickles:
        return (
            f"{folder} holds pickles ({some(map(shown, pickles))}) and no safetensors: pickles run what they "
            "hold when they are loaded. Get the same model as safetensors, or convert it with "
            "save_pretrained of transformers where that is no danger."
        )
    return f"{folder} holds neither {_SINGLE} nor {_INDEX}; give the folder into which save_pretrained wrote."


def _is_pickle(path: Path) -> bool:
    return path.suffix.lower() in _PICKLES
