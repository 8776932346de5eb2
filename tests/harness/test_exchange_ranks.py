import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("exchanging_ranks.py")
LIMIT_S = 120
LAYER_NS, STRAGGLE_NS = 80e6, 50e6
KINDS, SIZES = ("ddp", "horovod"), (2, 4)


@functools.cache
def found(kind: str, num_ranks: int) -> Mapping[str, Any]:
    """What the ranks found; they have checked for themselves by then."""
    # A parameter that no rank uses is an error of DDP's own, in the second step.
    own = ["unused"] if kind == "horovod" else ["waiting"]
    done = start(kind, num_ranks, "means", "weights", *own, "overlap", "straggler", "sums")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: value for line in lines for name, value in line.items()}


def start(kind: str, num_ranks: int, *checks: str) -> subprocess.CompletedProcess[str]:
    launcher = str(Path(sys.executable).with_name("mpirun"))
    ranks = [launcher, "-n", str(num_ranks), "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    program = [sys.executable, "-m", "mpi4py", str(PROGRAM), kind, *checks]
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    environ = {**os.environ, **allowed, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*ranks, *program], env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.mark.parametrize("num_ranks", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_odd_sizes_types_and_layouts_become_the_means_over_ranks(
    kind: str, num_ranks: int
) -> None:
    assert found(kind, num_ranks)["means"] == 11


@pytest.mark.parametrize("num_ranks", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_all_ranks_begin_with_the_weights_of_rank_0(kind: str, num_ranks: int) -> None:
    assert found(kind, num_ranks)["weights"] == 7


@pytest.mark.parametrize("num_ranks", SIZES)
def test_threads_that_wait_for_messages_take_no_core_from_a_step(num_ranks: int) -> None:
    scheduled = {"waiting": [os.SCHED_BATCH], "stepping": os.SCHED_OTHER}
    assert found("ddp", num_ranks)["waiting"] == [scheduled] * num_ranks


@pytest.mark.parametrize("num_ranks", SIZES)
def test_a_parameter_that_only_one_rank_used_is_averaged_with_zeros(num_ranks: int) -> None:
    assert found("horovod", num_ranks)["unused"] == num_ranks


@pytest.mark.parametrize("num_ranks", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_phases_sum_to_the_step_and_the_whole_exchange_holds_its_exposed_part(
    kind: str, num_ranks: int
) -> None:
    assert found(kind, num_ranks)["sums"] == 20


@pytest.mark.parametrize("kind", KINDS)
def test_an_exchange_that_ends_during_a_long_layer_does_not_count_to_that_layers_end(kind: str) -> None:
    assert 0 < min(found(kind, 2)["overlap"]) < LAYER_NS / 2


@pytest.mark.parametrize("num_ranks", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_waiting_for_a_late_rank_is_exposed_on_the_others(kind: str, num_ranks: int) -> None:
    *others, late = (row["exposed_ns"] for row in found(kind, num_ranks)["straggler"])
    assert all(max(exposed_ns) > 0.9 * STRAGGLE_NS for exposed_ns in others)
    assert min(late) < 0.5 * STRAGGLE_NS
