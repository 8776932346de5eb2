"""Another particle-mesh code, run in an environment of its own: ``python generation_peer_worker.py NAME``.

Reads one JSON object a line and answers ``answer JSON``. Arrays travel as .npy files. Both codes follow
FastPM's kick and drift; their steps are given, so that the work is the same.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

Answer = dict[str, float]


def main() -> None:
    """Answer until there is nothing more to read."""
    ask: Callable[[dict[str, Any]], Answer] = {"pmpp": pmpp, "jaxpm": jaxpm}[sys.argv[1]]
    for line in sys.stdin:
        print("answer", json.dumps(ask(json.loads(line))), flush=True)


def pmpp(ask: dict[str, Any]) -> Answer:
    """PM++ (after pmwd): 2LPT and steps from given waves; writes displacements where asked."""
    jnp, nbody, start, cosmo, conf = _pmpp_start(ask)
    run = partial(nbody, start, cosmo, conf)
    seconds = _best_of(lambda: run().disp, int(ask["turns"])) if ask["turns"] else 0.0
    if ask.get("result"):
        side = ask["side"]
        np.save(ask["result"], np.asarray(run().disp).T.reshape(3, side, side, side))
    growth = importlib.import_module("pmpp.cosmology.growth").growth
    today = float(growth(jnp.asarray(1.0), cosmo, conf))
    grown = [float(growth(jnp.asarray(a), cosmo, conf)) / today for a in (0.25, 0.4, 2 / 3)]
    return {"seconds": seconds, "growth_z3": grown[0], "growth_z1.5": grown[1], "growth_z0.5": grown[2]}


def _pmpp_start(ask: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
    jnp = importlib.import_module("jax.numpy")
    models = importlib.import_module("pmpp.cosmology.models")
    boltzmann = importlib.import_module("pmpp.cosmology.boltzmann").boltzmann
    growth = importlib.import_module("pmpp.cosmology.growth").growth
    side, box, edges = ask["side"], ask["box_mpc_per_h"], tuple(ask["edges"])
    conf = importlib.import_module("pmpp").Configuration(
        ptcl_spacing=box / side,
        ptcl_grid_shape=(side,) * 3,
        mesh_shape=ask["force_mesh_factor"],
        a_start=edges[0],
        a_stop=edges[-1],
        a_custom=edges,
        growth_a_custom=tuple(np.linspace(0, 1, 1025).tolist()),
        pallas_cic=False,
    )
    matter, _, spectral_index, hubble = ask["physical"]
    cosmo = models.Cosmology(
        conf, A_s_1e9=2.0, n_s=spectral_index, Omega_m=matter, Omega_b=ask["baryons"], h=hubble / 100
    )
    cosmo = boltzmann(cosmo, conf)
    # Its linear modes grow as D(a) -> a early; ours are those of today.
    today = float(growth(jnp.asarray(1.0), cosmo, conf))
    if ask.get("waves"):
        waves = np.load(ask["waves"])
    else:
        shape = (side, side, side // 2 + 1)
        waves = np.random.default_rng(1).normal(size=shape).astype(np.complex64)
    modes = jnp.asarray(waves * ((box / side) ** 3 / today), dtype=jnp.complex64)
    start = importlib.import_module("pmpp.initial_conditions.lpt").lpt(modes, cosmo, conf)
    return jnp, importlib.import_module("pmpp.nbody").nbody, start, cosmo, conf


def jaxpm(ask: dict[str, Any]) -> Answer:
    """JaxPM's forces in FastPM's steps, compiled as one; its painter wants a cell for each particle."""
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    forces = importlib.import_module("jaxpm.pm").pm_forces
    side, num_steps = ask["side"], len(ask["edges"]) - 1
    homes = np.stack(np.meshgrid(*[np.arange(side, dtype=np.float32)] * 3, indexing="ij"), axis=-1)
    moved = homes + np.random.default_rng(1).normal(size=homes.shape).astype(np.float32)

    def step(state: tuple[Any, Any], _: Any) -> tuple[tuple[Any, Any], None]:
        place, momentum = state
        momentum = momentum + 0.01 * forces(place, mesh_shape=(side,) * 3)
        return (jnp.mod(place + 0.01 * momentum, side), momentum), None

    @jax.jit  # type: ignore[untyped-decorator]
    def run(place: Any, momentum: Any) -> Any:
        return jax.lax.scan(step, (place, momentum), None, length=num_steps)[0][0]

    place, momentum = jnp.asarray(moved % side), jnp.zeros_like(moved)
    return {"seconds": _best_of(lambda: run(place, momentum), int(ask["turns"]))}


def _best_of(run: Callable[[], Any], turns: int) -> float:
    """Shortest of several turns [s], after one that compiles."""
    run().block_until_ready()
    times = []
    for _ in range(turns):
        begin = time.perf_counter()
        run().block_until_ready()
        times.append(time.perf_counter() - begin)
    return min(times)


if __name__ == "__main__":
    main()
