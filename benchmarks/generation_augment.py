"""Growing data: what each operation keeps, how parameters cover their ranges, and what refining changes.

``python -m benchmarks.generation_augment [--quick]``. Universes are simulated in this run, on one thread for
each core that is given; counts are compared as whole numbers, so bars of 0 mean equal bits.
"""

import argparse
import sys
from collections.abc import Sequence

from benchmarks.bars import judge
from benchmarks.generation_augment_laws import GrowthLaws, growth_laws
from benchmarks.generation_augment_nested import Nested, nested_universes
from benchmarks.generation_augment_sizes import SizedData, sized_data
from benchmarks.generation_augment_targets import TargetLaws, target_laws
from benchmarks.generation_augment_voxels import VoxelLaw, voxel_law


def main(arguments: Sequence[str]) -> int:
    """Run all; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller universes, and fewer of them")
    quick = parser.parse_args(arguments).quick
    reached = [
        *_judge_laws(growth_laws(side=32 if quick else 64)),
        *_judge_sizes(list(sized_data())),
        *_judge_targets(target_laws(num_universes=1024 if quick else 9216)),
        *_judge_voxels(voxel_law(num_universes=2 if quick else 8)),
        *_judge_nested(nested_universes((32, 64) if quick else (64, 128)), most_percent=10 if quick else 5),
    ]
    return 0 if all(reached) else 1


def _judge_laws(laws: GrowthLaws) -> list[bool]:
    print(
        f"one universe of {laws.side}^3 at {laws.num_channels} redshifts, {laws.num_samples} samples of it:"
    )
    for name, faults in laws.faults.items():
        print(f"  {name:<66} {faults} faults")
    largest = laws.largest_power_change
    print(f"  P(k) of the turned and rolled box against the box as it is: {largest:.1e} at most")
    return [
        judge("operations that keep counts and labels", sum(laws.faults.values()), "faults", "<=", 0),
        judge("P(k) under symmetries and rolls", largest, "relative change", "<=", 1e-9),
    ]


def _judge_sizes(found: list[SizedData]) -> list[bool]:
    print("\ndata sets asked for by their size, in voxels of 1 Mpc/h at 4 redshifts:")
    print(
        f"  {'size':<9}{'sample':<9}{'samples':>10}{'universes':>11}{'particles':>11}{'above by samples':>18}"
    )
    for data in found:
        sample, particles = f"{data.resolution}^3", f"{data.simulation_side}^3"
        words = f"  {data.target:<9}{sample:<9}{data.num_samples:>10}{data.num_universes:>11}{particles:>11}"
        print(f"{words}{data.excess_samples:>18.3f}")
    excess = max(abs(data.excess_samples) for data in found)
    return [judge("size of data against its target", excess, "samples", "<", 1)]


def _judge_targets(laws: TargetLaws) -> list[bool]:
    print(f"\nparameters of {laws.num_universes} universes, Sobol points against independent draws:")
    print(f"  {'':<10}{'KS distance':>13}{'of draws':>12}{'KS p-value':>12}")
    for axis in laws.axes:
        print(f"  {axis.name:<10}{axis.distance:>13.5f}{axis.distance_of_draws:>12.5f}{axis.p_value:>12.3f}")
    print(f"  largest correlation of two: {laws.largest_correlation:.4f} (of draws {laws.of_draws:.4f})")
    print(f"  cosmologies that training and validation share: {laws.num_shared}")
    return [
        judge("KS of the parameters", min(axis.p_value for axis in laws.axes), "p-value", ">=", 0.05),
        judge(
            "correlation of parameters",
            laws.largest_correlation,
            "coefficient",
            "<=",
            2 / laws.num_universes**0.5,
        ),
        judge("cosmologies in both splits", laws.num_shared, "cosmologies", "<=", 0),
    ]


def _judge_voxels(law: VoxelLaw) -> list[bool]:
    universes = f"{law.num_universes} universes of {law.side}^3"
    print(f"\nshare of voxels of {law.voxel_mpc_per_h:g} Mpc/h by their particles, {universes}:")
    words = "".join(f"{f'<= {most}':>9}" for most in law.most_counts)
    print(f"  {'redshift':<9}{words}{'departure':>11}")
    for channel in law.channels:
        shares = "".join(f"{share:>9.4f}" for share in channel.shares)
        print(f"  {channel.redshift:<9g}{shares}{channel.departure:>11.2f}")
    print("  departure: largest difference from the stored shares, in standard errors of so many universes")
    worst = max(channel.departure for channel in law.channels)
    return [judge("one-point law against the stored one", worst, "standard errors", "<=", 4)]


def _judge_nested(nested: Nested, most_percent: float) -> list[bool]:
    """9 Mpc/h between particles, as in the quick run, is further from converged than 4.5."""
    print(
        f"\none universe in one box of {nested.box_mpc_per_h:g} Mpc/h, simulated again with more particles:"
    )
    reach = f"up to {nested.share_of_nyquist:g} k_Ny"
    print(f"  {'sides':<12}{'redshift':>9}{'P ratio':>19}{'r, least':>10}   {reach}")
    for pair in nested.pairs:
        sides, ratios = f"{pair.coarse} in {pair.fine}", f"{pair.least_ratio:.4f}..{pair.largest_ratio:.4f}"
        print(f"  {sides:<12}{pair.redshift:>9g}{ratios:>19}{pair.least_correlation:>10.5f}")
    ratio = max(max(abs(pair.least_ratio - 1), abs(pair.largest_ratio - 1)) for pair in nested.pairs)
    correlation = min(pair.least_correlation for pair in nested.pairs)
    return [
        judge("waves that a finer mesh changes", nested.num_changed_waves, "waves", "<=", 0),
        judge("P(k) of nested universes", 100 * ratio, "% apart", "<=", most_percent),
        judge("correlation of nested universes", correlation, "coefficient", ">=", 0.99),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
