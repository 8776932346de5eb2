"""What decides a set of universes."""

from dataclasses import dataclass

from cosmology.canonical import digest, plain_fields
from cosmology.choices import chosen
from cosmology.definition_check import (
    MAX_SIDE,
    MIN_SIDE,
    check_box,
    check_force_mesh,
    check_power_of_two,
    check_redshifts,
    check_seed,
    check_steps,
    check_whole_numbers,
)
from cosmology.packed_size import packed_bytes
from cosmology.power_kind import PowerKind
from cosmology.redshifts import REDSHIFTS

SCHEMA_VERSION = 3
START_SCALE_FACTOR = 0.1
"""Scale factor at which second-order perturbation theory hands over to the particle mesh."""
COUNT_BYTES = 2
FILE_OVERHEAD_BYTES = 65536
_DEFAULT_BOX_MPC_PER_H = 288.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseDefinition:
    """All that decides the bits of a set of universes, on one kind of device.

    Universes of one seed and number have the same parameters, and in one box the same long waves: a larger
    ``side`` in the same ``base_box_mpc_per_h`` refines them.

    Raises:
        DatasetError: for a size that is odd or impossible, with what would do.
    """

    seed: int
    side: int
    """Particles, and voxels, per axis: a power of two."""
    num_steps: int = 20
    """Force evaluations from the start to the last output."""
    force_mesh_factor: int = 2
    """Force-mesh cells per particle spacing, per axis."""
    redshifts: tuple[float, ...] = REDSHIFTS
    """Outputs of the run, in the order of channels."""
    base_box_mpc_per_h: float = 0.0
    """Comoving box at H0 = 70 km/s/Mpc [Mpc/h]; 0 gives voxels of 1 Mpc/h, but at least 288."""
    linear_power: PowerKind = PowerKind.EISENSTEIN_HU

    def __post_init__(self) -> None:
        least = {"seed": 0, "side": MIN_SIDE, "num_steps": 1, "force_mesh_factor": 1}
        check_whole_numbers({name: getattr(self, name) for name in least}, least)
        check_seed(self.seed)
        check_power_of_two("simulation_side", self.side, MIN_SIDE, MAX_SIDE)
        check_redshifts(self.redshifts, START_SCALE_FACTOR)
        check_steps(self.num_steps, len(self.redshifts))
        check_force_mesh(self.force_mesh_factor)
        box = self.base_box_mpc_per_h or max(_DEFAULT_BOX_MPC_PER_H, float(self.side))
        check_box(box)
        object.__setattr__(self, "base_box_mpc_per_h", float(box))
        object.__setattr__(self, "redshifts", tuple(float(redshift) for redshift in self.redshifts))
        object.__setattr__(self, "linear_power", chosen(PowerKind, "linear_power", self.linear_power))

    @property
    def canonical(self) -> dict[str, object]:
        """Everything that decides a universe, as plain JSON values."""
        own = {"schema_version": SCHEMA_VERSION, "start_scale_factor": START_SCALE_FACTOR}
        return {**own, **plain_fields(self)}

    @property
    def universes_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical definition."""
        return digest(self.canonical)

    @property
    def universe_bytes(self) -> int:
        """Upper bound of one universe on disk."""
        return packed_bytes(len(self.redshifts) * self.side**3) + FILE_OVERHEAD_BYTES
