"""The MPI library of a rank, and whether what started the rank belongs to it."""

from collections.abc import Mapping

from saih.domain.errors import EnvironmentMissing
from saih.domain.job import LAUNCHER_VARIABLE
from saih.machine.mpi import MPI

_FAMILIES = {"openmpi": ("openmpi",), "mpich": ("mpich", "intel(r)mpi", "hydra", "mvapich")}


def require_own_launcher(environ: Mapping[str, str], library: str) -> None:
    """Do nothing when this rank's MPI is the launcher's; needs no other rank, since a stranger finds none.

    Raises:
        EnvironmentMissing: when the launcher belongs to another MPI.
    """
    launcher = environ.get(LAUNCHER_VARIABLE, "")
    if not launcher or _family(launcher) in ("", _family(library)):
        return
    raise EnvironmentMissing(
        f"the ranks were started by {launcher}, but mpi4py uses {library}: with mixed MPI libraries every "
        "rank is alone.",
        "put the mpirun of mpi4py's own MPI first on PATH (modules in the site file), or build mpi4py with "
        "the MPI that is there: pip install --no-binary mpi4py mpi4py.",
    )


def mpi_name() -> str:
    """The MPI library of this process, such as ``Open MPI v5.0.11``."""
    return MPI.Get_library_version().split(",")[0].splitlines()[0].strip("\0 ")


def _family(text: str) -> str:
    lowered = text.lower().replace(" ", "")
    return next((name for name, words in _FAMILIES.items() if any(word in lowered for word in words)), "")
