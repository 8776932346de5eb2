"""Several unequal devices give what one gives: every kind of model and parallelism, 1 to 8 real processes.

Devices are processes of their own that talk over loopback, their speeds as uneven as can be (whole heads and
columns, down to one head on a device); models compute in float64. Greedy tokens are generated with keys and
values kept. What links round has a bound on each tensor that they carry (``WireCodec``, and tests that hold
it); of answers it is judged that they are near.

    python -m benchmarks.galaxy_exactness [--quick]
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

from benchmarks.bars import judge

COUNTS, QUICK_COUNTS = (1, 2, 3, 4, 8), (2, 3)
LIMIT = 1e-9
ROUNDED = 0.03
"""No derived bound: what models so small have been seen to stay within; each tensor on a link has its own."""
_LIMIT_S = 1800


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 and 3 devices only")
    counts = QUICK_COUNTS if parser.parse_args(arguments).quick else COUNTS
    print(f"{'devices':>7} {'parallelism':11} {'links':9} {'cases':>5}  largest error of an answer")
    cases = []
    for count in counts:
        found = measured(count)
        cases += found
        for row in _table(found):
            print(f"{count:7} {row}", flush=True)
    exact = [case["error"] if isfinite(case["error"]) else inf for case in cases if case["wire"] == "exact"]
    rounded = [case["error"] if isfinite(case["error"]) else inf for case in cases if case["wire"] != "exact"]
    greedy = [case["greedy"] for case in cases if case["wire"] == "exact" and case["greedy"] is not None]
    met = [judge(f"error of {len(exact)} answers over exact links", max(exact), "relative", "<=", LIMIT)]
    met.append(
        judge(f"of {len(greedy)} greedy continuations, alike", sum(greedy) / len(greedy), "", ">=", 1.0)
    )
    met.append(judge(f"error of {len(rounded)} answers over rounding links", max(rounded), "", "<=", ROUNDED))
    return 0 if all(met) else 1


def measured(count: int) -> list[Mapping[str, Any]]:
    """All cases of so many devices.

    Raises:
        RuntimeError: when one of them fails.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
    }
    devices = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.galaxy_exactness_worker"],
            env=environ | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        outs = [device.communicate(timeout=_LIMIT_S)[0] for device in devices]
    finally:
        for device in devices:
            device.kill()
            device.wait()
    if any(device.returncode for device in devices):
        raise RuntimeError(f"devices ended with {[device.returncode for device in devices]}; see above")
    return json.loads(outs[0].strip().splitlines()[-1])


def _table(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    kinds = dict.fromkeys((case["strategy"], case["wire"]) for case in cases)
    rows = []
    for strategy, wire in kinds:
        errors = [case["error"] for case in cases if (case["strategy"], case["wire"]) == (strategy, wire)]
        rows.append(f"{strategy:11} {wire:9} {len(errors):5}  {max(errors):.2g}")
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
