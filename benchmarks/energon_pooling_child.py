"""Runs a model larger than its budget where the kernel allows no more memory; what it took, as JSON.

``energon_pooling_child SIZES TOKENS SEED BUDGET_BYTES FOLDER [GROUP]``: the anonymous memory of this
process is watched; in the control group GROUP the page cache is limited too, so that parked layers come
from the disk.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.anonymous_memory import Watch, anonymous_bytes
from benchmarks.energon_pooling_model import Model, gpt2
from workloads.energon.layer_record import held_bytes, record_of
from workloads.energon.parking import ParkedStore, build_store
from workloads.energon.parking_plan import StageBytes, fewest_parked
from workloads.energon.plan import plan_engine
from workloads.transformer.random_weights import RandomWeights

DISTANCE = 1
_NUM_PASSES = 3


def main(words: Sequence[str]) -> int:
    """Load, run a few passes, and write what it took."""
    torch.set_num_threads(1)
    architecture = gpt2(json.loads(words[0]))
    weights = RandomWeights(architecture, int(words[2]))
    model = Model(architecture, weights, torch.device("cpu"), json.loads(words[1]))
    budget_bytes, folder = int(words[3]), Path(words[4])
    layer_bytes = record_of(model.load(0)).num_bytes
    if len(words) > 5:
        Path(words[5], "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    base_bytes, watch = anonymous_bytes(), Watch()
    stage = StageBytes(
        num_layers=len(model.layers), layer_bytes=layer_bytes, other_bytes=held_bytes(model.ends())
    )
    num_parked = fewest_parked(budget_bytes, stage, DISTANCE)
    plan = replace(plan_engine(architecture, num_parked=num_parked), prefetch_distance=DISTANCE)
    store = build_store(model.load, model.layers, plan, folder=folder, clock=time.perf_counter_ns)
    read_bytes = _read_bytes()
    begun_s = time.perf_counter()
    logits = [model.forward(store) for _ in range(_NUM_PASSES)]
    pass_s = (time.perf_counter() - begun_s) / _NUM_PASSES
    found: dict[str, Any] = {  # Any: JSON
        "num_parked": num_parked,
        "model_bytes": stage.resident_bytes(0, 0),
        "peak_bytes": watch.peak_bytes() - base_bytes,
        "read_bytes": (_read_bytes() - read_bytes) // _NUM_PASSES,
        "pass_s": pass_s,
        "waited_s": store.waited_ns / 1e9 / _NUM_PASSES if isinstance(store, ParkedStore) else 0.0,
        "logits": logits[-1][0].tolist(),
    }
    store.close()
    print(json.dumps(found))
    return 0


def _read_bytes() -> int:
    """Bytes that this process has had read from disks."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes:"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
