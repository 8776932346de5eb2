"""The programs that a cluster needs, the packages that bring them, and their installation."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from slurm_cluster_parts.network import search_path
from slurm_cluster_parts.settings import ClusterError

PACKAGE_OF = {
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "sbatch": "slurm-wlm",
    "munged": "munge",
    "ip": "iproute2",
    "unshare": "util-linux",
    "hostname": "hostname",
}
ACCOUNTING_PACKAGE_OF = {
    "slurmdbd": "slurmdbd",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "mariadb-admin": "mariadb-client",
}
# Slurm loads these by name: without the first slurmdbd has no storage, without the second srun no PMIx.
LIBRARY_PACKAGES = ("slurm-wlm-mysql-plugin", "libpmix-dev")
EXIT_MISSING = 3
FORBID_DAEMONS = "#!/bin/sh\nexit 101\n"


def require_programs(environment: Mapping[str, str], *, accounting: bool) -> None:
    """Nothing, when all programs are there.

    Raises:
        ClusterError: naming the programs that are missing, and the packages that bring them.
    """
    if missing := missing_programs(environment, accounting=accounting):
        raise ClusterError(
            f"this machine lacks {', '.join(missing)}",
            f"install {', '.join(_packages(missing))}, as they are called by Debian and Ubuntu "
            "(as root: tools/slurm_cluster install).",
            exit_code=EXIT_MISSING,
        )


def missing_programs(environment: Mapping[str, str], *, accounting: bool) -> tuple[str, ...]:
    """Programs that are not there; of those for accounting only when it is wanted."""
    wanted = PACKAGE_OF | (ACCOUNTING_PACKAGE_OF if accounting else {})
    path = search_path(environment)["PATH"]
    return tuple(name for name in wanted if shutil.which(name, path=path) is None)


def install(environment: Mapping[str, str]) -> str:
    """Installs what is missing by apt-get, without starting any of its daemons; says what was done.

    Raises:
        ClusterError: without root or apt-get, naming the packages.
    """
    packages = sorted({*PACKAGE_OF.values(), *ACCOUNTING_PACKAGE_OF.values(), *LIBRARY_PACKAGES})
    if shutil.which("dpkg-query") is None and not missing_programs(environment, accounting=True):
        return "all programs are there; not looked for: Slurm's plugins for MySQL and PMIx"
    missing = [name for name in packages if not _is_installed(name)]
    if not missing and not missing_programs(environment, accounting=True):
        return "everything is installed"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(
            "installing needs root and apt-get",
            f"have the packages installed that bring what these do on Debian: {' '.join(packages)}.",
            exit_code=EXIT_MISSING,
        )
    _apt_get(["update", "-q"], environment)
    with _no_daemons():
        _apt_get(["install", "-q", "-y", "--no-install-recommends", *missing], environment)
    require_programs(environment, accounting=True)
    return f"installed {' '.join(missing)}"


@contextmanager
def _no_daemons() -> Iterator[None]:
    """Keeps packages from starting daemons; a policy that is there already stays as it is."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text(FORBID_DAEMONS)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _apt_get(arguments: list[str], environment: Mapping[str, str]) -> None:
    quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            ["apt-get", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=quiet,
            check=False,
        )
        if done.returncode:
            output.seek(0)
            last = "\n".join(output.read().splitlines()[-10:])
            raise ClusterError(f"apt-get {arguments[0]} failed:\n{last}", "mend that, and install again.", 3)


def _is_installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"


def _packages(programs: tuple[str, ...]) -> list[str]:
    package_of = PACKAGE_OF | ACCOUNTING_PACKAGE_OF
    return sorted({package_of[name] for name in programs})
