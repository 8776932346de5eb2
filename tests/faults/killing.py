"""Run a command, kill it at random moments, and run it again: the same for every worker.

By hand, over the real worker: ``python tests/faults/killing.py KILLS SECONDS saih sweep FILE ...`` kills
the command that often, each time within SECONDS of its start, then lets it end and prints the counts.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence


def run_and_kill(command: Sequence[str], num_kills: int, within_s: float, seed: int) -> Counter[str]:
    """Kill the command with SIGKILL, in turn alone and with its group; counts what happened.

    Gives up early when the command ends by itself with 0; any other end of its own is an error.
    """
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    for number in range(num_kills):
        process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.0, within_s))
        except subprocess.TimeoutExpired:
            kill, how = (os.kill, "alone") if number % 2 else (os.killpg, "group")
            kill(process.pid, signal.SIGKILL)
            process.wait()
            counts[how] += 1
        else:
            if process.returncode:
                raise RuntimeError(f"{command} ended with {process.returncode}")
            counts["ended"] += 1
            break
    return counts


def run_to_the_end(command: Sequence[str]) -> float:
    """Run the command undisturbed; gives its duration [s]."""
    begin_s = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin_s


if __name__ == "__main__":
    found = run_and_kill(sys.argv[3:], int(sys.argv[1]), float(sys.argv[2]), seed=1)
    duration_s = run_to_the_end(sys.argv[3:])
    sys.stdout.write(f"killed {dict(found)}; then ended by itself in {duration_s:.1f} s\n")
