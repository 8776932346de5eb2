"""The folder of one cluster: what it holds, whose it is, and the short name it goes by."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from slurm_cluster_parts.settings import ClusterError, Mode, Settings, settings_of

DESCRIPTION = "cluster.json"
PROCESSES = "processes"
LOCK = "lock"
PARTS = ("bin", "etc", "log", "mysql", "run", "scratch", "spool", "state")
SHORT_PREFIX = "saih-slurm-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One cluster, running or not.

    ``short`` is a link to ``folder``: names of sockets are limited to some 100 bytes, and Slurm's
    configuration has no way to write a blank.
    """

    folder: Path
    short: Path
    mode: Mode
    settings: Settings
    ports: tuple[int, ...]
    """Of the controller, the accounting daemon, and each node."""

    @property
    def munge(self) -> Path:
        """Key and socket of munged, which refuses a socket in a folder that is closed to others."""
        return self.short.parent / "munge"

    @property
    def configuration(self) -> Path:
        """``slurm.conf`` by its short name, as every program is told it."""
        return self.short / "etc" / "slurm.conf"

    @property
    def records(self) -> Path:
        """Where processes are written down."""
        return self.short / PROCESSES


def default_folder(environment: os._Environ[str]) -> Path:
    """Folder of the cluster of this user, when none is named."""
    if named := environment.get("SAIH_SLURM_CLUSTER"):
        return Path(named)
    cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "saih" / "slurm-cluster"


def claim(folder: Path) -> None:
    """Makes the folder, or takes an empty one or one of an earlier cluster.

    Raises:
        ClusterError: when it holds anything else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise ClusterError(f"{folder} cannot be used: {error.strerror}", "name another folder.") from error
    if folder.stat().st_uid != os.geteuid():
        raise ClusterError(f"{folder} belongs to somebody else", "name a folder of your own.")
    strange = set(taken) - {DESCRIPTION, PROCESSES, LOCK, *PARTS}
    if strange or (taken and not is_cluster(folder) and taken != [LOCK]):
        raise ClusterError(
            f"{folder} holds {', '.join(sorted(strange or taken)[:3])}, which no cluster wrote",
            "name an empty folder, or one that is not there yet.",
        )


def describe(folder: Path, mode: Mode, settings: Settings, ports: tuple[int, ...]) -> Cluster:
    """Lays the folder out and writes down what the cluster is."""
    open_to_all = Path(tempfile.mkdtemp(prefix=SHORT_PREFIX))
    open_to_all.chmod(0o711)
    short = open_to_all / "cluster"
    short.symlink_to(folder.resolve(), target_is_directory=True)
    cluster = Cluster(folder=folder.resolve(), short=short, mode=mode, settings=settings, ports=ports)
    for path in (*(folder / part for part in PARTS), cluster.munge):
        path.mkdir(exist_ok=True)
    for part in ("state", "mysql"):
        (folder / part).chmod(0o700)
    document = {"short": str(short), "mode": mode, "ports": ports, "settings": asdict(settings)}
    partial = folder / "etc" / "cluster.json.partial"
    partial.write_text(json.dumps(document, indent=1) + "\n")
    partial.replace(folder / DESCRIPTION)
    return cluster


def is_cluster(folder: Path) -> bool:
    """Whether a cluster was started in this folder and not removed since."""
    return (folder / DESCRIPTION).is_file()


def open_cluster(folder: Path) -> Cluster:
    """The cluster of this folder.

    Raises:
        ClusterError: when there is none.
    """
    try:
        document = json.loads((folder / DESCRIPTION).read_text())
        return Cluster(
            folder=folder.resolve(),
            short=Path(document["short"]),
            mode=document["mode"],
            settings=settings_of(document["settings"]),
            ports=tuple(document["ports"]),
        )
    except FileNotFoundError:
        raise ClusterError(
            f"there is no cluster in {folder}", "start one: tools/slurm_cluster start", exit_code=2
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"{folder / DESCRIPTION} cannot be read: {error}", "remove that folder by hand."
        ) from error


def remove(cluster: Cluster) -> None:
    """Removes what a cluster wrote, the folder too when nothing else is in it."""
    remove_parts(cluster)
    (cluster.folder / LOCK).unlink(missing_ok=True)
    try:
        cluster.folder.rmdir()
    except OSError:
        return


def remove_parts(cluster: Cluster) -> None:
    """Removes what a cluster wrote; the folder stays, for the next one."""
    _remove_short(cluster)
    for part in PARTS:
        shutil.rmtree(cluster.folder / part, ignore_errors=True)
    for name in (PROCESSES, DESCRIPTION):
        (cluster.folder / name).unlink(missing_ok=True)


def retire(cluster: Cluster) -> None:
    """Keeps the folder with its logs, but no cluster that could be found running."""
    (cluster.folder / PROCESSES).unlink(missing_ok=True)
    _remove_short(cluster)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keeps a second start or stop of the same cluster waiting for the first one's end."""
    with (folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_short(cluster: Cluster) -> None:
    """Removes the short name, if it is the one of this cluster still."""
    if cluster.short.is_symlink() and cluster.short.readlink() == cluster.folder:
        shutil.rmtree(cluster.short.parent, ignore_errors=True)
