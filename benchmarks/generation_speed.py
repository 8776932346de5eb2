"""How fast universes are made: particle-steps a second against other codes, cost by size, and memory.

Peers take the same number of steps of as many particles on as fine a force mesh, on the same cores, in turns
with ours. A particle-step is one particle in one step: force, kick and drift. On a machine with a GPU the
same command measures it too.
"""

import argparse
import contextlib
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import torch

from benchmarks.bars import judge
from benchmarks.generation_peers import PEERS, Peer, PeerError, peer
from cosmology.background import growth
from cosmology.gravity import Gravity
from cosmology.kept_memory import kept_memory
from cosmology.mesh import Mesh
from cosmology.modes import linear_waves
from cosmology.parameters import Parameters
from cosmology.particle_mesh import Solver, evolve, step_edges
from cosmology.perturbation import Displacements, displacements
from cosmology.universe import make_universe
from cosmology.universe_definition import UniverseDefinition

NUM_STEPS = 10
PARAMETERS = Parameters()
SPACING_MPC_PER_H = 2.0
GIB = 2**30
_MEMORY_LIMIT_S = 900


def main(arguments: Sequence[str]) -> int:
    """Print tables and bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer turns")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory_of:
        return _print_memory(options.memory_of)
    with kept_memory():  # as where universes are made
        passed = [
            *_peer_bars((64,) if options.quick else (64, 128), 2 if options.quick else 5),
            *_size_bars((64, 128, 256) if options.quick else (64, 128, 256, 384)),
            *_memory_bars(128 if options.quick else 256),
            *_accelerator_bars(128 if options.quick else 512),
        ]
    return 0 if all(passed) else 1


def _peer_bars(sides: Sequence[int], turns: int) -> list[bool]:
    """Rates of all codes in turns, for each size, force mesh and number of cores."""
    passed = []
    most = torch.get_num_threads()
    print(f"{'particles':<10} {'mesh':<5} {'cores':<6} million particle-steps/s")
    for num_cores in sorted({1, most}):
        with contextlib.ExitStack() as stack:
            peers = [code for name in PEERS if (code := _started(stack, name, num_cores))]
            torch.set_num_threads(num_cores)
            for side in sides:
                for factor in (1, 2):
                    rates = _rates(side, factor, turns, peers)
                    print(f"{side}^3{'':<6} {factor}x{'':<3} {num_cores:<6} {_listed(rates)}", flush=True)
                    passed.append(_above_peers(rates, f"{side}^3, mesh {factor}x, {num_cores} cores"))
    torch.set_num_threads(most)
    return passed


def _started(stack: contextlib.ExitStack, name: str, num_cores: int) -> Peer | None:
    try:
        return stack.enter_context(peer(name, num_cores))
    except PeerError as error:
        print(f"{name}: {error}")
        return None


def _rates(side: int, factor: int, turns: int, peers: Sequence[Peer]) -> dict[str, float]:
    """Million particle-steps a second: the best of the turns of each code."""
    run = _our_run(side, factor, "cpu")
    asked = {
        "side": side,
        "box_mpc_per_h": SPACING_MPC_PER_H * side,
        "force_mesh_factor": factor,
        "edges": list(step_edges((1.0,), _solver(factor))),
        "physical": PARAMETERS.physical,
        "baryons": PARAMETERS.baryon_density,
        "turns": 1,
    }
    best: dict[str, float] = {}
    for _ in range(turns):
        _keep_best(best, "ours", _seconds(run))
        for code in peers:
            if code.name == "jaxpm" and factor > 1:
                continue  # its painter wants as many cells as particles
            with contextlib.suppress(PeerError):
                _keep_best(best, code.name, code.ask(asked)["seconds"])
    return {name: side**3 * NUM_STEPS / seconds / 1e6 for name, seconds in best.items()}


def _keep_best(best: dict[str, float], name: str, seconds: float) -> None:
    best[name] = min(seconds, best.get(name, math.inf))


def _listed(rates: dict[str, float]) -> str:
    return ", ".join(f"{name} {rate:.2f}" for name, rate in rates.items())


def _above_peers(rates: dict[str, float], case: str) -> bool:
    """Ours over the best of the others; not a number where there is none."""
    others = [rate for name, rate in rates.items() if name != "ours"]
    ratio = rates["ours"] / max(others) if others else math.nan
    return judge(f"rate over the best peer, {case}", ratio, "x", ">=", 1.0)


def _solver(factor: int) -> Solver:
    return Solver(start_scale_factor=0.1, num_steps=NUM_STEPS, force_mesh_factor=factor)


def _our_run(side: int, factor: int, device: str) -> Callable[[], None]:
    """All steps of a run from its 2LPT start, which is made before."""
    lattice = Mesh(side=side, box_mpc_per_h=SPACING_MPC_PER_H * side, device=torch.device(device))
    start = displacements(lattice, linear_waves(lattice, PARAMETERS, 1))
    at, gravity = growth(PARAMETERS), Gravity(lattice.refined(factor))

    def run() -> None:
        for _ in evolve(start, at, (1.0,), _solver(factor), gravity.kick):
            pass
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def _seconds(run: Callable[[], None]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def _size_bars(sides: Sequence[int]) -> list[bool]:
    """Time of a force and its kick by size: how it grows with the number of particles."""
    print(f"\n{'particles':<10} ns a particle and force (force mesh 1x, all cores)")
    times = []
    for side in sides:
        place = _tiled(side)
        gravity = Gravity(Mesh(side=side, box_mpc_per_h=SPACING_MPC_PER_H * side, device=place.device))
        momentum = torch.zeros_like(place)
        times.append(min(_seconds(lambda: gravity.kick(momentum, place, 0.1)) for _ in range(3)))  # noqa: B023
        print(f"{side}^3{'':<6} {times[-1] / side**3 * 1e9:.0f}", flush=True)
    numbers = [3 * math.log(side) for side in sides]
    exponent = (math.log(times[-1]) - math.log(times[0])) / (numbers[-1] - numbers[0])
    name = f"cost grows with particles to the power, {sides[0]}^3 to {sides[-1]}^3"
    return [judge(name, exponent, "", "<=", 1.1)]


def _tiled(side: int) -> torch.Tensor:
    """Displacements of a box of 64^3 at redshift 0, side by side until there are enough."""
    lattice = Mesh(side=64, box_mpc_per_h=SPACING_MPC_PER_H * 64, device=torch.device("cpu"))
    start: Displacements = displacements(lattice, linear_waves(lattice, PARAMETERS, 1))
    tiles = side // 64
    return start.first.repeat(1, tiles, tiles, tiles)


def _memory_bars(side: int) -> list[bool]:
    """Peak resident memory of making a universe in a process of its own, with its imports."""
    command = [sys.executable, "-m", "benchmarks.generation_speed", "--memory-of", str(side)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_MEMORY_LIMIT_S, check=True)
    peak = float(done.stdout.split()[-1]) / GIB
    return [judge(f"peak memory of {side}^3, force mesh 2x", peak, "GiB", "<=", 12.0 * (side / 256) ** 3)]


def _print_memory(side: int) -> int:
    definition = UniverseDefinition(seed=1, side=side, num_steps=2, force_mesh_factor=2, redshifts=(0.0,))
    make_universe(definition, 0)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    return 0


def _accelerator_bars(side: int) -> list[bool]:
    """The same run on a GPU, where there is one."""
    if not torch.cuda.is_available():
        print("\nno GPU here: its rate was not measured")
        return []
    rates = {}
    for factor in (1, 2):
        run = _our_run(side, factor, "cuda")
        run()
        rates[factor] = side**3 * NUM_STEPS / min(_seconds(run) for _ in range(3)) / 1e6
        print(f"{torch.cuda.get_device_name()}: {side}^3, mesh {factor}x: {rates[factor]:.0f} M/s")
    return [judge(f"rate on the GPU, {side}^3, mesh 2x", rates[2], "M particle-steps/s", ">=", 300.0)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
