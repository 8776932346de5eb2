"""The daemons of a cluster, each started and waited for until it answers."""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slurm_cluster_parts import configuration
from slurm_cluster_parts.folder import Cluster
from slurm_cluster_parts.network import entered, search_path
from slurm_cluster_parts.processes import Process, read_processes, spawn, wait_until
from slurm_cluster_parts.settings import ClusterError

POLLUTION = re.compile(
    r"S(LURM|LURMD|BATCH|ALLOC|QUEUE|INFO|ACCT|CANCEL|RUN|PRIO|CONTROL)_|PMI_|PMIX_|OMPI_COMM"
)
DATABASE_FILE = "etc/slurmdbd.conf"  # Slurm reads it beside slurm.conf, and only by that name


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where a daemon or command of a cluster runs: on the host of ``keeper``, or, without one, right here."""

    cluster: Cluster
    keeper: Process | None

    def command(self, words: Sequence[str], folder: Path | str = "/") -> list[str]:
        """``words`` as they are to be executed to run there."""
        return list(words) if self.keeper is None else entered(self.keeper, words, folder)

    def answer(self, words: Sequence[str], patience_s: float = 15.0) -> subprocess.CompletedProcess[str]:
        """Runs ``words`` there to their end; 124 as exit status when they have none in time."""
        command = self.command(words)
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=patience_s,
                env=cluster_environment(self.cluster),
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", "no answer")

    def start(self, name: str, words: Sequence[str], extra: Mapping[str, str] | None = None) -> Process:
        """Starts a daemon there, in the background."""
        environment = {**cluster_environment(self.cluster), **(extra or {})}
        log = self.cluster.short / "log" / f"{name}.out"
        return spawn(self.cluster.records, name, self.command(words), environment, log)


def clean_environment() -> dict[str, str]:
    """This environment without what another Slurm, or a job of one, left in it; daemons' folders in PATH."""
    kept = {name: value for name, value in os.environ.items() if not POLLUTION.match(name)}
    return search_path(kept)


def cluster_environment(cluster: Cluster) -> dict[str, str]:
    """The environment of everything that runs inside the cluster."""
    return {**clean_environment(), "SLURM_CONF": str(cluster.configuration)}


def slurm_version() -> int:
    """The first number of Slurm's release."""
    told = subprocess.run(
        ["slurmd", "-V"], capture_output=True, text=True, check=False, env=clean_environment()
    ).stdout
    found = re.search(r"(\d+)\.\d+", told)
    if not found:
        raise ClusterError(f"slurmd -V says {told!r}", "check the installation of Slurm.")
    return int(found[1])


def write_configuration(cluster: Cluster) -> None:
    """Writes all files that the daemons read."""
    version, folder = slurm_version(), cluster.folder / "etc"
    texts = {
        "slurm.conf": configuration.slurm_conf(cluster, version),
        "gres.conf": configuration.gres_conf(cluster),
        "cgroup.conf": configuration.cgroup_conf(version),
        "plugstack.conf": "",
        "hosts": configuration.hosts(cluster),
    }
    if cluster.settings.accounting:
        texts["slurmdbd.conf"] = configuration.slurmdbd_conf(cluster, secrets.token_hex(16))
    for name, text in texts.items():
        path = folder / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600 if name == "slurmdbd.conf" else 0o644)
        path.write_text(text)
    key = cluster.munge / "munge.key"
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))


def start_munge(host: Host) -> None:
    """The daemon by which all others know who speaks."""
    home = host.cluster.munge
    options = [
        "--foreground",
        "--num-threads=2",
        f"--key-file={home}/munge.key",
        f"--socket={home}/munge.sock",
    ]
    options += [f"--{what}-file={home}/munged.{what}" for what in ("pid", "log", "seed")]
    daemon = host.start("munged", ["munged", *options])
    ask = ["munge", "--no-input", f"--socket={home}/munge.sock", "--output=/dev/null"]
    _wait(host, daemon, ask, 15.0)


def start_accounting(host: Host) -> None:
    """MariaDB, reached by its socket alone, and slurmdbd on it."""
    cluster, home = host.cluster, host.cluster.short
    as_user = ["--user=root"] if os.geteuid() == 0 else []
    if not (home / "mysql" / "mysql").is_dir():
        options = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]
        made = host.answer(["mariadb-install-db", *options, f"--datadir={home}/mysql", *as_user], 120.0)
        if made.returncode:
            raise ClusterError(f"mariadb-install-db: {(made.stderr or made.stdout).strip()}", "see above.")
    socket = f"--socket={home}/run/mysql.sock"
    sizes = ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=48M", "--innodb-lock-wait-timeout=900"]
    # Slurm's tables need not survive the machine.
    fast = ["--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]
    options = ["--no-defaults", f"--datadir={home}/mysql", socket, f"--pid-file={home}/run/mysql.pid"]
    database = host.start("mariadbd", ["mariadbd", *options, *sizes, *fast, *as_user])
    _wait(host, database, ["mariadb-admin", "--no-defaults", socket, "--user=root", "ping"], 60.0)
    password = _password(cluster)
    tables = (
        "CREATE DATABASE IF NOT EXISTS slurm_acct_db;"
        f"CREATE OR REPLACE USER 'slurm'@'localhost' IDENTIFIED BY '{password}';"
        "GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';"
    )
    _must(host, ["mariadb", "--no-defaults", socket, "--user=root", f"--execute={tables}"])
    daemon = host.start("slurmdbd", ["slurmdbd", "-D"], {"MYSQL_UNIX_PORT": f"{home}/run/mysql.sock"})
    _wait(host, daemon, ["sacctmgr", "--noheader", "show", "cluster"], 60.0)
    add = ["sacctmgr", "--immediate", "add"]
    host.answer([*add, "cluster", "saih"])
    if os.geteuid() != 0:  # root has an account from the start; without one sacct shows no job
        host.answer([*add, "account", "saih"])
        host.answer([*add, "user", configuration.user_name(), "account=saih"])


def _password(cluster: Cluster) -> str:
    lines = (cluster.folder / DATABASE_FILE).read_text().splitlines()
    return next(line for line in lines if line.startswith("StoragePass=")).partition("=")[2]


def start_controller(host: Host) -> None:
    """slurmctld, until it answers."""
    configured = str(host.cluster.configuration)
    daemon = host.start("slurmctld", ["slurmctld", "-D", "-f", configured])
    _wait(host, daemon, ["scontrol", "ping"], 30.0)
    if host.cluster.settings.accounting and not wait_until(lambda: _is_registered(host), 30.0):
        raise ClusterError("slurmctld does not reach slurmdbd", _end_of_log(host, "slurmctld"))


def _is_registered(host: Host) -> bool:
    """Whether slurmdbd knows the controller; what happens before may be missing in sacct."""
    asked = host.answer(["sacctmgr", "--noheader", "--parsable2", "show", "cluster", "format=controlhost"])
    return bool(asked.stdout.strip())


def start_slurmd(host: Host, node: str) -> None:
    """The daemon of one node; others wait until Slurm calls the node idle."""
    for part in ("scratch", "spool"):
        (host.cluster.folder / part / node).mkdir(exist_ok=True)
    host.start(f"slurmd.{node}", ["slurmd", "-D", "-N", node, "-f", str(host.cluster.configuration)])


def wait_for_nodes(host: Host, nodes: Sequence[str], patience_s: float = 60.0) -> None:
    """Until Slurm could start jobs on all of these nodes.

    Raises:
        ClusterError: when one does not come up, with the end of its log.
    """
    left: set[str] = set()

    def are_up() -> bool:
        names = ",".join(nodes)
        told = host.answer(["sinfo", "--noheader", "--Node", "--nodes", names, "--format=%N %t"])
        states = dict(line.split() for line in told.stdout.splitlines() if len(line.split()) == 2)
        left.clear()
        left.update(name for name in nodes if states.get(name) not in {"idle", "mix", "alloc", "comp"})
        return not left

    if not wait_until(are_up, patience_s):
        name = min(left)
        raise ClusterError(f"{', '.join(sorted(left))} did not come up", _end_of_log(host, f"slurmd.{name}"))


def host_of(cluster: Cluster, name: str) -> Host:
    """The host of this name as it is now.

    Raises:
        ClusterError: when it is gone.
    """
    if cluster.mode == "plain":
        return Host(cluster=cluster, keeper=None)
    keeper = read_processes(cluster.records).get(name)
    if keeper is None or not keeper.is_alive:
        raise ClusterError(f"{name} is down", f"start it: tools/slurm_cluster start-node {name}")
    return Host(cluster=cluster, keeper=keeper)


def write_clients(cluster: Cluster) -> None:
    """Programs of Slurm that enter the cluster first, for callers outside of it."""
    login = host_of(cluster, "login")
    for name in CLIENTS:
        program = shutil.which(name, path=clean_environment()["PATH"])
        if program is None or login.keeper is None:
            continue
        words = " ".join(_quoted(word) for word in login.command([program], "\0"))
        text = f'#!/bin/sh\nexport SLURM_CONF={_quoted(str(cluster.configuration))}\nexec {words} "$@"\n'
        path = cluster.folder / "bin" / name
        path.write_text(text.replace("'\0'", '"$PWD"'))
        path.chmod(0o755)


CLIENTS = (
    "sacct",
    "sacctmgr",
    "salloc",
    "sattach",
    "sbatch",
    "sbcast",
    "scancel",
    "scontrol",
    "sdiag",
    "sinfo",
    "sprio",
    "squeue",
    "sreport",
    "srun",
    "sstat",
    "strigger",
)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _wait(host: Host, daemon: Process, ask: Sequence[str], patience_s: float) -> None:
    def answers() -> bool:
        if not daemon.is_alive:
            raise ClusterError(f"{daemon.name} ended", _end_of_log(host, daemon.name))
        return host.answer(ask).returncode == 0

    if not wait_until(answers, patience_s):
        raise ClusterError(f"{daemon.name} does not answer", _end_of_log(host, daemon.name))


def _must(host: Host, words: Sequence[str]) -> None:
    done = host.answer(words, 60.0)
    if done.returncode:
        raise ClusterError(f"{words[0]}: {done.stderr.strip()}", "see its log.")


def _end_of_log(host: Host, name: str) -> str:
    folder = host.cluster.folder / "log"
    found = [folder / f"{name}.out", folder / f"{name}.log"]
    lines = [
        line for path in found if path.exists() for line in path.read_text(errors="replace").splitlines()
    ]
    return "its log ends with:\n     " + "\n     ".join(lines[-5:])
