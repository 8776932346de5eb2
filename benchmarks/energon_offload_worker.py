"""Runs in the environment of accelerate: a checkpoint of transformers with layers on the disk, in turns.

``energon_offload_worker FOLDER SIZES TOKENS PARKED``: SIZES and the lists are JSON. Where FOLDER holds no
checkpoint, one is made. Each line on the standard input, ``MODE BYTES_PER_S``, is a forward pass, answered
by its seconds and the logits of the last token. ``some``: the PARKED layers lie on the disk, the others
stay; ``all``: all weights lie there (disk_offload); ``host``: all weights lie in other host memory
(cpu_offload); ``none``: plain transformers.
"""

import importlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.energon_models import Sizes, reference_model, write_checkpoint
from workloads.transformer.architecture import Family

accelerate: Any = importlib.import_module("accelerate")  # Any: it has no types
offloading: Any = importlib.import_module("accelerate.utils.offload")  # Any: as above


@dataclass
class Link:
    """Between the disk and accelerate."""

    bytes_per_s: float = float("inf")


def pace(link: Link) -> None:
    """Let weights on the disk come no faster than over the link: real bytes, then a pause."""
    load = offloading.OffloadedWeightsLoader.__getitem__

    def paced(loader: object, name: str) -> torch.Tensor:
        begun_s = time.perf_counter()
        weight: torch.Tensor = load(loader, name)
        due_s = begun_s + weight.numel() * weight.element_size() / link.bytes_per_s
        time.sleep(max(0.0, due_s - time.perf_counter()))
        return weight

    offloading.OffloadedWeightsLoader.__getitem__ = paced


def main(words: Sequence[str]) -> int:
    """Answer turns until the standard input ends."""
    folder, sizes, tokens, parked = Path(words[0]), *(json.loads(word) for word in words[1:])
    torch.set_num_threads(1)
    link = Link()
    pace(link)
    if not (folder / "config.json").is_file():
        write_checkpoint(Sizes(family=Family.GPT2, **sizes), folder)
    models = _models(folder, parked)
    prompt = torch.tensor([tokens])
    print("ready", flush=True)
    for line in sys.stdin:
        mode, rate = line.split()
        link.bytes_per_s = float(rate)
        with torch.inference_mode():
            begun_s = time.perf_counter()
            states = models[mode].transformer(prompt).last_hidden_state[:, -1]
            logits = models[mode].lm_head(states)
            seconds = time.perf_counter() - begun_s
        print(f"turn {json.dumps([seconds, logits[0].tolist()])}", flush=True)
    return 0


def _models(folder: Path, parked: Sequence[int]) -> dict[str, Any]:  # Any: transformers has no types
    plain, all_on_disk, some_on_disk, on_host = (
        reference_model(folder, Family.GPT2, torch.float32) for _ in range(4)
    )
    accelerate.disk_offload(all_on_disk, str(folder / "all"), execution_device=torch.device("cpu"))
    accelerate.cpu_offload(on_host, execution_device=torch.device("cpu"))
    places = {f"transformer.h.{layer}": "disk" for layer in parked}
    others = [f"transformer.h.{layer}" for layer in range(plain.config.n_layer) if layer not in set(parked)]
    places |= dict.fromkeys(["transformer.wte", "transformer.wpe", "transformer.ln_f", *others], "cpu")
    accelerate.dispatch_model(
        some_on_disk, places | {"lm_head": "cpu"}, main_device="cpu", offload_dir=str(folder / "some")
    )
    return {"none": plain, "all": all_on_disk, "some": some_on_disk, "host": on_host}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
