"""Are the universes right: power, growth and nesting against theory and an independent code.

P(k) of runs of 128^3 particles in 256 Mpc/h (20 steps, force mesh 2x, waves of fixed amplitude, CAMB's linear
power) against HMcode2020 by CAMB, measured on two interlaced meshes of 256^3. The same waves in PM++ (pmwd's
successor): power and correlation at redshift 0. Growth against its integral.
"""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import quad

from benchmarks.bars import judge
from benchmarks.generation_peers import PeerError, peer
from cosmology.background import expansion, growth
from cosmology.gravity import Gravity
from cosmology.kept_memory import kept_memory
from cosmology.linear_power import CMB_TEMPERATURE_K, linear_power
from cosmology.mesh import Mesh
from cosmology.modes import Amplitude, linear_waves, white_waves
from cosmology.painting import UNIT, counts, deposit_onto
from cosmology.parameters import Parameters, parameters_of
from cosmology.particle_cells import Placed
from cosmology.particle_mesh import Solver, evolve, step_edges
from cosmology.perturbation import displacements
from cosmology.power_kind import PowerKind
from cosmology.power_spectrum import PowerSpectrum, measure_particle_power
from cosmology.redshifts import REDSHIFTS
from cosmology.sharpening import growth_off_lattice
from cosmology.universe_definition import START_SCALE_FACTOR

Floats = NDArray[np.float64]

BOX_MPC_PER_H = 256.0
SIDE = 128
NUM_STEPS, FORCE_MESH_FACTOR = 20, 2
EDGES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5)
JUDGED_TO_K = 1.0
PARAMETERS = Parameters()


def main(arguments: Sequence[str]) -> int:
    """Print tables and bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, and the peer on 64^3 particles")
    parser.add_argument("--seeds", type=int, help="number of runs")
    options = parser.parse_args(arguments)
    seeds = range(options.seeds or (1 if options.quick else 8))
    with kept_memory():
        passed = [
            *_growth_bars(),
            *_nesting_bars(),
            *_peer_bars(64 if options.quick else SIDE),
            *_power_bars(seeds),
        ]
    return 0 if all(passed) else 1


def _power_bars(seeds: Sequence[int]) -> list[bool]:
    runs = [_measured(seed) for seed in seeds]
    fits = _hmcode(REDSHIFTS)
    print(f"\nP(k) / HMcode2020: {SIDE}^3 in {BOX_MPC_PER_H:g} Mpc/h, mean of {len(seeds)} seeds")
    print("z     " + "".join(f"{low:>5g}-{high:<5g}" for low, high in pairwise(EDGES)))
    passed = []
    for place, redshift in enumerate(REDSHIFTS):
        bins = np.mean([_ratios(run[place], *fits[redshift]) for run in runs], axis=0)
        print(f"{redshift:<6g}" + "".join(f"{value:^11.3f}" for value in bins))
        judged = bins[: EDGES.index(JUDGED_TO_K)]
        limit = 7.0 if redshift == 0 else 5.0
        worst = 100 * float(np.abs(judged - 1).max())
        passed.append(judge(f"P(k) to k = 1 against HMcode2020 at z = {redshift:g}", worst, "%", "<=", limit))
    return passed


def _scale_factors() -> dict[float, int]:
    return {1 / (1 + redshift): place for place, redshift in enumerate(REDSHIFTS)}


def _measured(seed: int) -> list[PowerSpectrum]:
    """Power at each of ``REDSHIFTS`` of one run."""
    lattice = Mesh(side=SIDE, box_mpc_per_h=BOX_MPC_PER_H, device=_device())
    scale_factors = _scale_factors()
    outputs = tuple(sorted(scale_factors))
    solver = Solver(
        start_scale_factor=START_SCALE_FACTOR,
        num_steps=NUM_STEPS,
        force_mesh_factor=FORCE_MESH_FACTOR,
        sharp_from_growth=growth_off_lattice(linear_power(PARAMETERS, PowerKind.CAMB), BOX_MPC_PER_H / SIDE),
    )
    run = evolve(
        displacements(lattice, linear_waves(lattice, PARAMETERS, seed, Amplitude.FIXED, PowerKind.CAMB)),
        growth(PARAMETERS),
        outputs,
        solver,
        Gravity(lattice.refined(FORCE_MESH_FACTOR)).kick,
    )
    found: dict[int, PowerSpectrum] = {}
    for scale_factor, place in zip(outputs, run, strict=True):
        found[scale_factors[scale_factor]] = measure_particle_power(place, lattice.refined(2))
    return [found[place] for place in range(len(REDSHIFTS))]


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _ratios(found: PowerSpectrum, k: Floats, power: Floats) -> Floats:
    """Ratio in each bin, of means over waves."""
    theory = np.exp(np.interp(np.log(found.k_h_per_mpc), np.log(k), np.log(power)))
    bins = np.digitize(found.k_h_per_mpc, EDGES) - 1
    ratios = []
    for place in range(len(EDGES) - 1):
        weight = np.where(bins == place, found.num_waves, 0)
        ratios.append(float((weight * found.power).sum() / (weight * theory).sum()))
    return np.array(ratios)


def _hmcode(redshifts: Sequence[float]) -> dict[float, tuple[Floats, Floats]]:
    """Nonlinear P(k) by CAMB's mead2020 with the asked sigma8: k [h/Mpc] and P [(Mpc/h)^3]."""
    camb = importlib.import_module("camb")
    results = _camb_results(camb, redshifts, 2e-9)
    amplitude = 2e-9 * (PARAMETERS.sigma8 / float(results.get_sigma8_0())) ** 2
    results = _camb_results(camb, redshifts, amplitude)
    k, at, power = results.get_matter_power_spectrum(minkh=1e-3, maxkh=5.0, npoints=600)
    return {float(round(redshift, 6)): (k, row) for redshift, row in zip(at, power, strict=True)}


def _camb_results(camb: Any, redshifts: Sequence[float], amplitude: float) -> Any:
    h = PARAMETERS.little_h
    asked = camb.set_params(
        H0=PARAMETERS.hubble_km_per_s_per_mpc,
        ombh2=PARAMETERS.baryon_density * h * h,
        omch2=(PARAMETERS.matter_density - PARAMETERS.baryon_density) * h * h,
        omk=0.0,
        mnu=0.0,
        TCMB=CMB_TEMPERATURE_K,
        ns=PARAMETERS.spectral_index,
        As=amplitude,
        halofit_version="mead2020",
    )
    asked.WantCls = False
    asked.set_matter_power(redshifts=sorted(redshifts), kmax=20.0, nonlinear=True)
    return camb.get_results(asked)


def _growth_bars() -> list[bool]:
    """Heath 1977: D1 is proportional to E(a) times the integral of (a E)^-3."""
    worst = 0.0
    corners = [(-1.0, 0, 0, 0), (0.0, 0, 0, 0), (1.0, 0, 0, 0)]
    for parameters in map(parameters_of, corners):
        at = growth(parameters)
        for scale_factor in (0.1, 0.25, 0.4, 2 / 3):
            known = _growth_integral(parameters, scale_factor) / _growth_integral(parameters, 1.0)
            worst = max(worst, abs(at(scale_factor).first / known - 1))
    return [judge("growth against its integral", worst / 1e-4, "1e-4", "<=", 1.0)]


def _growth_integral(parameters: Parameters, scale_factor: float) -> float:
    integral, _ = quad(lambda a: (a * expansion(parameters, a)) ** -3, 1e-9, scale_factor, epsrel=1e-10)
    return expansion(parameters, scale_factor) * float(integral)


def _nesting_bars() -> list[bool]:
    """Waves of 32^3 in 64^3 in 128^3, and sums of what a run paints."""
    different = 0
    for side in (32, 64):
        coarse, fine = (white_waves(_mesh(number), 4) for number in (side, 2 * side))
        kept = [*range(side // 2), *range(side // 2 + 1, side)]  # all but the coarse Nyquist wave
        there = [index if index < side // 2 else index + side for index in kept]
        inside = fine[there][:, there][:, :, : side // 2]
        different += int((inside != coarse[kept][:, kept][:, :, : side // 2]).sum())
    lattice = _mesh(64)
    place = displacements(lattice, linear_waves(lattice, PARAMETERS, 1)).first
    mesh = lattice.refined(2)
    deposit = torch.zeros(mesh.field_shape, dtype=torch.int32)
    deposit_onto(deposit, Placed(displacement=place, mesh=mesh, num_planes=mesh.side))
    lost = abs(int(counts(place, lattice).sum()) - 64**3)
    overweight = abs(int(deposit.sum(dtype=torch.int64)) - UNIT * 64**3)
    return [
        judge("waves that differ between 32^3, 64^3 and 128^3", different, "waves", "<=", 0),
        judge("particles lost or doubled", lost, "particles", "<=", 0),
        judge("mean overdensity of the force mesh, in fixed point", overweight, "units", "<=", 0),
    ]


def _mesh(side: int) -> Mesh:
    return Mesh(side=side, box_mpc_per_h=BOX_MPC_PER_H, device=torch.device("cpu"))


def _peer_bars(side: int) -> list[bool]:
    """The same waves in PM++, force mesh as fine as the lattice, at redshift 0."""
    box = BOX_MPC_PER_H * side / SIDE
    lattice = Mesh(side=side, box_mpc_per_h=box, device=torch.device("cpu"))
    edges = step_edges(
        (1.0,), Solver(start_scale_factor=START_SCALE_FACTOR, num_steps=NUM_STEPS, force_mesh_factor=1)
    )
    waves = linear_waves(lattice, PARAMETERS, 1)
    solver = Solver(start_scale_factor=START_SCALE_FACTOR, num_steps=NUM_STEPS, force_mesh_factor=1)
    run = evolve(displacements(lattice, waves), growth(PARAMETERS), (1.0,), solver, Gravity(lattice).kick)
    (ours,) = run
    try:
        theirs = _peer_displacement(lattice, waves, edges)
    except PeerError as error:
        print(f"PM++: {error}")
        return [judge("P(k) against PM++ to 0.9 Nyquist", float("nan"), "%", "<=", 0.5)]
    return _compared(lattice, ours, theirs)


def _peer_displacement(lattice: Mesh, waves: torch.Tensor, edges: Sequence[float]) -> torch.Tensor:
    with tempfile.TemporaryDirectory() as folder, peer("pmpp", torch.get_num_threads()) as code:
        np.save(Path(folder, "waves.npy"), waves.numpy())
        code.ask(
            {
                "side": lattice.side,
                "box_mpc_per_h": lattice.box_mpc_per_h,
                "force_mesh_factor": 1,
                "edges": list(edges),
                "physical": PARAMETERS.physical,
                "baryons": PARAMETERS.baryon_density,
                "waves": str(Path(folder, "waves.npy")),
                "result": str(Path(folder, "displacement.npy")),
                "turns": 0,
            }
        )
        return torch.from_numpy(np.load(Path(folder, "displacement.npy")))


def _compared(lattice: Mesh, ours: torch.Tensor, theirs: torch.Tensor) -> list[bool]:
    fine = lattice.refined(2)
    one, other = (measure_particle_power(place, fine) for place in (ours, theirs))
    below = one.k_h_per_mpc <= 0.9 * np.pi * lattice.side / lattice.box_mpc_per_h
    ratio = one.power[below] / other.power[below]
    distance = float((ours - theirs).std() / theirs.std())
    print(f"\nsame waves in PM++: {lattice.side}^3 in {lattice.box_mpc_per_h:g} Mpc/h, force mesh 1x, z = 0")
    marks = [round(share * (len(ratio) - 1)) for share in (0.1, 0.25, 0.5, 0.75, 1.0)]
    print("  P ours/theirs at " + ", ".join(f"k {one.k_h_per_mpc[i]:.2f}: {ratio[i]:.4f}" for i in marks))
    print(f"  rms difference of displacements {distance:.1e} of their rms")
    worst = 100 * float(np.abs(ratio - 1).max())
    return [judge("P(k) against PM++ to 0.9 Nyquist", worst, "%", "<=", 0.5)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
