"""A model of twice the budget in a process of its own: its greatest memory, passes from the disk."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.bars import judge
from benchmarks.energon_pooling_model import Model, gpt2
from workloads.energon.layer_record import held_bytes
from workloads.transformer.layer_store import ResidentStore
from workloads.transformer.random_weights import RandomWeights

_ROOT = Path(__file__).parents[1]
_LIMIT_S = 600
_BESIDE_BYTES = 64 * 2**20
"""What a limited group is given on top of the budget: activations, random numbers, pages on their way."""
_PATIENCE_S = 20.0


def limited_run(sizes: Mapping[str, int], tokens: Sequence[int], seed: int, folder: Path) -> list[bool]:
    """Print what the process took and its bars."""
    architecture = gpt2(sizes)
    model = Model(architecture, RandomWeights(architecture, seed), torch.device("cpu"), tokens)
    layers = {index: model.load(index) for index in model.layers}
    model_bytes = sum(map(held_bytes, layers.values())) + held_bytes(model.ends())
    resident = model.forward(ResidentStore(layers))[0].tolist()
    with _memory_group(model_bytes // 2 + _BESIDE_BYTES) as group:
        words = [
            json.dumps(dict(sizes)),
            json.dumps(list(tokens)),
            str(seed),
            str(model_bytes // 2),
            str(folder),
        ]
        found = _run([*words, *group])
    place = f"group limited to {model_bytes // 2 + _BESIDE_BYTES} bytes" if group else "no group: not root"
    print(
        f"\nprocess of its own ({place}): {found['num_parked']} of {len(layers)} layers parked, anonymous "
        f"memory at most {found['peak_bytes'] / 1e6:.0f} MB, {found['read_bytes'] / 1e6:.0f} MB from the "
        f"disk and {found['pass_s']:.3f} s a pass, of which {found['waited_s']:.3f} s waiting"
    )
    budget_bytes = model_bytes // 2
    differing = sum(one != other for one, other in zip(resident, found["logits"], strict=True))
    return [
        judge("pooling anonymous memory", found["peak_bytes"] / budget_bytes, "of the budget", "<=", 1.0),
        judge("pooling model that ran", found["model_bytes"] / budget_bytes, "of the budget", ">=", 2.0),
        judge("pooling logits that differ there", differing, "", "<=", 0),
    ]


def _run(words: Sequence[str]) -> dict[str, Any]:  # Any: JSON
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.energon_pooling_child", *words],
        cwd=_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the limited process ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextlib.contextmanager
def _memory_group(limit_bytes: int) -> Iterator[list[str]]:
    """The folder of a control group with so much memory, page cache included; none where none can be made."""
    for parent, file in (
        (Path("/sys/fs/cgroup"), "memory.max"),
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    ):
        group = parent / f"saih-pooling-{os.getpid()}"
        if not (parent / "cgroup.procs").is_file():  # of version 1 the parent of all is no group
            continue
        try:
            group.mkdir()
            (group / file).write_text(str(limit_bytes), encoding="ascii")
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        try:
            yield [str(group)]
        finally:
            _remove(group)
        return
    yield []


def _remove(group: Path) -> None:
    """Remove a group; the kernel may need a moment to let go of its last process."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.05)
        else:
            return
