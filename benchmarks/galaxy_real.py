"""Two real devices, each a core of its own, against Megatron-LM's tensor parallelism: nothing is paced.

Links are held to 125 and 500 Mbit/s by the kernel. The devices measure themselves and their link, the plan is
made from that, and both ways take turns. Where the planner finds one device faster than two, ours is that one
device.

    python -m benchmarks.galaxy_real [--quick]
"""

import argparse
import sys
from collections.abc import Sequence
from statistics import median

from benchmarks.bars import judge
from benchmarks.galaxy_rig import devices

MODEL = {"family": "bert", "layers": 6, "hidden": 1024, "heads": 16, "vocab": 1024}
"""A quarter of BERT-L, of the same width."""
QUICK_MODEL = MODEL | {"layers": 2}
NUM_TOKENS = 284
RATES_MBIT = (125.0, 500.0)
WAYS = ("ours", "megatron", "local")
REPEATS, QUICK_REPEATS = 9, 3
NOT_SLOWER = 0.98
"""A plan may be so much slower than one device: what timings scatter."""
FORECAST_ERROR = 0.20
"""How far a median may be from what was foreseen by what the devices measured of themselves."""


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer layers and turns")
    is_quick = parser.parse_args(arguments).quick
    asked = {
        "data": {"sequence": NUM_TOKENS},
        "model": QUICK_MODEL if is_quick else MODEL,
        "ways": WAYS,
        "repeats": QUICK_REPEATS if is_quick else REPEATS,
    }
    met = []
    print("real devices, one core each; medians of turns [ms]")
    print(f"{'Mbit/s':>6}" + "".join(f" {way:>9}" for way in WAYS) + "  foreseen  plan")
    for rate_mbit in RATES_MBIT:
        with devices(("d0", "d1"), rate_mbit, cores=[[0], [1]]) as rig:
            ways = rig.run("benchmarks.galaxy_latency_worker", asked)["ways"]
        took_ms = {way: median(ways[way]["took_ns"]) / 1e6 for way in WAYS}
        times = "".join(f" {took_ms[way]:9.1f}" for way in WAYS)
        foreseen_ms = ways["ours"]["foreseen_ns"] / 1e6
        print(f"{rate_mbit:6g}{times} {foreseen_ms:9.1f}  {ways['ours']['plan']}", flush=True)
        name = f"real, 2 devices, {rate_mbit:g} Mbit/s: over Megatron"
        met.append(judge(name, took_ms["megatron"] / took_ms["ours"], "x", ">", 1.0))
        name = f"real, 2 devices, {rate_mbit:g} Mbit/s: over the faster one alone"
        met.append(judge(name, took_ms["local"] / took_ms["ours"], "x", ">=", NOT_SLOWER))
        name = f"real, 2 devices, {rate_mbit:g} Mbit/s: error of the forecast"
        met.append(judge(name, abs(took_ms["ours"] / foreseen_ms - 1.0), "share", "<=", FORECAST_ERROR))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
