"""Where the shape of the linear power spectrum comes from."""

from enum import StrEnum


class PowerKind(StrEnum):
    """Which code gives the transfer function."""

    EISENSTEIN_HU = "eisenstein_hu"
    """Fit of Eisenstein and Hu 1998 (doi:10.1086/305424): always there."""
    CAMB = "camb"
    """Boltzmann code of the package ``camb``."""
