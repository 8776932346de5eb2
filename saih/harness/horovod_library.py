"""Horovod's library in this job: that it is there, fits, and begins and ends with a point."""

import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

from saih.domain.errors import EnvironmentMissing
from saih.harness.exchange_horovod import NOTE_OF_END, LoadedHorovod
from saih.machine.mpi import MPI
from saih.machine.mpi_libraries import check_one_library

HARMLESS_SETTINGS = ("HOROVOD_LOG_LEVEL", "HOROVOD_LOG_HIDE_TIME")
_BUILD_SETTINGS = (
    "HOROVOD_WITH", "HOROVOD_GPU", "HOROVOD_CPU_OPERATIONS", "HOROVOD_NCCL_HOME", "HOROVOD_NCCL_LINK",
    "HOROVOD_CUDA_HOME", "HOROVOD_CMAKE",
)  # fmt: skip


@contextmanager
def running_horovod(comm: MPI.Intracomm) -> Iterator[LoadedHorovod]:
    """Horovod over the ranks of ``comm``; every rank enters and leaves it, and may enter it again.

    A rank that leaves it with an error ends what the others wait for: they raise that Horovod was shut down.

    Raises:
        EnvironmentMissing: as ``require_horovod`` does.
    """
    require_horovod(os.environ)
    horovod = import_module("horovod.torch")
    library = import_module("horovod.torch.mpi_lib_v2")
    check_one_library()
    horovod.init(comm=comm)
    try:
        yield LoadedHorovod(horovod, library)
    finally:
        horovod.shutdown()


def require_horovod(environ: Mapping[str, str]) -> None:
    """Do nothing where Horovod can be used; needs no other rank. Loads its library.

    Raises:
        EnvironmentMissing: when it is missing, does not load, is not SAIH's build, or is tuned by variables.
    """
    if importlib.util.find_spec("horovod") is None:
        raise EnvironmentMissing(
            "exchange horovod needs Horovod, which is not installed",
            "build and install it in SAIH's folder: make horovod; or use exchange: ddp.",
        )
    check_settings(environ)
    try:
        library = import_module("horovod.torch.mpi_lib_v2")
    except (ImportError, OSError) as error:
        raise EnvironmentMissing(
            f"Horovod does not load, it was built for another torch or MPI: {str(error).strip()[:300]}",
            "build it again in SAIH's folder: make horovod.",
        ) from error
    if not hasattr(library, NOTE_OF_END):
        raise EnvironmentMissing(
            "this Horovod does not tell when a gradient was averaged, so its cost cannot be measured",
            "use the one that SAIH builds, in SAIH's folder: make horovod.",
        )
    if MPI.Query_thread() != MPI.THREAD_MULTIPLE:
        raise EnvironmentMissing(
            "Horovod calls MPI from a thread of its own, but this MPI runs without MPI_THREAD_MULTIPLE",
            "use an MPI that has it, and leave mpi4py.rc.thread_level alone; or use exchange: ddp.",
        )


def check_settings(environ: Mapping[str, str]) -> None:
    """Do nothing when no variable tunes Horovod: records keep none, so none may change them.

    Raises:
        EnvironmentMissing: otherwise, with their names.
    """
    tuned = sorted(
        name
        for name in environ
        if name.startswith("HOROVOD_")
        and name not in HARMLESS_SETTINGS
        and not name.startswith(_BUILD_SETTINGS)
    )
    if tuned:
        raise EnvironmentMissing(
            f"{', '.join(f'{name}={environ[name]}' for name in tuned)} would change what Horovod does, and "
            "no record would tell",
            f"unset {' '.join(tuned)}.",
        )
