"""The reference network of MLPerf HPC in its own framework, TensorFlow, against the step of SAIH.

TensorFlow is installed in an environment of its own below the user's cache, once. Both train the same
layers on batches of the same shape in memory, with the same number of threads, in turns: TensorFlow by
the model and the settings of the reference (Keras, stochastic gradient descent with momentum, mean
squared error), in float32 and in its mixed format with bfloat16, each compiled to a graph as Keras does.
"""

import argparse
import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.bars import judge
from benchmarks.training_contest import Member, own_threads, session
from benchmarks.tuned_execution import QUICK_SEARCH_S, SEARCH_S, found_execution
from benchmarks.turn_takers import TurnTaker, all_ready
from saih.domain.interval import Interval, median, median_interval
from workloads.execution import REFERENCE, Execution

PACKAGE = "tensorflow-cpu==2.20.0"
_WORKER = Path(__file__).with_name("training_peer_worker.py")
_INSTALL_LIMIT_S = 900
_POLICIES = ("float32", "mixed_bfloat16")
MEMBERS = ((64, 32, 4), (128, 32, 2))
"""Resolution [voxels], width and batch; the last is the reference network."""
ROUNDS, QUICK_ROUNDS = 9, 5
_TURN_S = 0.5


class PeerMissingError(RuntimeError):
    """TensorFlow cannot be had here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contestant at one member."""

    name: str
    step_ms: float
    gain: Interval
    """Step of TensorFlow in float32 over its own."""


def main(arguments: Sequence[str]) -> int:
    """Print a table for each member, and the bars; 1 when one is missed, or the peer cannot be had."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="64^3 only, fewer rounds")
    options = parser.parse_args(arguments)
    try:
        python = peer_python(may_install=not options.quick)
    except PeerMissingError as error:
        print(f"TensorFlow is left out: {error}")
        return 0 if options.quick else 1
    met = []
    for resolution, width, batch in MEMBERS[:1] if options.quick else MEMBERS:
        member = Member(resolution=resolution, width=width, batch=batch, threads=own_threads())
        tuned = found_execution(member, QUICK_SEARCH_S if options.quick else SEARCH_S)
        rows = compare(member, tuned, python, QUICK_ROUNDS if options.quick else ROUNDS)
        print(f"\n{member.name}, {member.threads} threads")
        for row in rows:
            print(f"  {row.name:<28} {row.step_ms:>9.1f} ms   {_words(row.gain)} times TensorFlow in float32")
        met.append(judge(f"tuned over TensorFlow, {member.name}", rows[-1].gain.value, "times", ">=", 1))
    return 0 if all(met) else 1


def compare(member: Member, tuned: Execution, python: Path, num_rounds: int) -> list[Row]:
    """All contestants in turns, TensorFlow first."""
    peers = [partial(_peer, python, member, policy) for policy in _POLICIES]
    own = [partial(session, one.name, member, one) for one in (REFERENCE, tuned)]
    with all_ready(make() for make in (*peers, *own)) as takers:
        num_steps = [max(1, round(_TURN_S / taker.turn())) for taker in takers]
        turns = [
            [taker.turn(str(number)) for taker, number in zip(takers, num_steps, strict=True)]
            for _ in range(num_rounds)
        ]
    return [
        Row(
            name=taker.name,
            step_ms=1e3 * median([turn[place] for turn in turns]),
            gain=median_interval([turn[0] / turn[place] for turn in turns]),
        )
        for place, taker in enumerate(takers)
    ]


def peer_python(*, may_install: bool) -> Path:
    """The interpreter of an environment with TensorFlow, made where there is none.

    Raises:
        PeerMissingError: when it cannot be installed, or is not there and may not be.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "saih" / "peers" / "tensorflow"
    python, stamp = folder / "bin" / "python", folder / PACKAGE
    if not stamp.is_file():
        if not may_install:
            raise PeerMissingError(f"it is not in {folder} yet; the full run installs it.")
        print(f"making an environment for {PACKAGE} in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        _install([str(python), "-m", "pip", "install", "--quiet", PACKAGE])
        stamp.touch()
    return python


def _install(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise PeerMissingError(f"{' '.join(command)} failed: {said[-1] if said else 'no message'}") from error


def _peer(python: Path, member: Member, policy: str) -> TurnTaker:
    asked = {
        "side": member.resolution,
        "channels": member.architecture.channels,
        "stage_channels": member.architecture.stage_channels,
        "batch": member.batch,
        "threads": member.threads,
        "policy": policy,
    }
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    environment["OMP_NUM_THREADS"] = str(member.threads)
    words = policy.replace("mixed_bfloat16", "mixed bfloat16")
    return TurnTaker(f"TensorFlow, {words}", [str(python), str(_WORKER), json.dumps(asked)], environment)


def _words(gain: Interval) -> str:
    return f"{gain.value:.2f} [{gain.low:.2f}, {gain.high:.2f}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
