"""The command line: tools/slurm_cluster COMMAND."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from slurm_cluster_parts import cluster as clusters
from slurm_cluster_parts import packages
from slurm_cluster_parts.daemons import clean_environment, cluster_environment, host_of
from slurm_cluster_parts.folder import Cluster, default_folder, open_cluster
from slurm_cluster_parts.network import LOGIN
from slurm_cluster_parts.processes import read_processes
from slurm_cluster_parts.settings import ClusterError, Settings

ABOUT = "A real Slurm on this one machine: several nodes, two partitions, accounting, and faults on demand."
START_HINT = """\
The cluster runs in {folder}. Use it from this shell:
  eval "$(tools/slurm_cluster env)"
  sinfo
or inside, where the nodes have names and addresses:
  tools/slurm_cluster shell
"""


def main(arguments: Sequence[str]) -> int:
    """Runs one command; gives the exit status."""
    asked = _parser().parse_args(arguments)
    folder: Path = (asked.folder or default_folder(os.environ)).absolute()
    signal.signal(signal.SIGTERM, _stopped)
    try:
        return int(asked.run(asked, folder) or 0)
    except ClusterError as error:
        sys.stderr.write(f"slurm_cluster: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("slurm_cluster: stopped; tools/slurm_cluster stop removes what is left.\n")
        return 130


def _stopped(*_: object) -> None:
    raise KeyboardInterrupt


def _start(asked: argparse.Namespace, folder: Path) -> None:
    cluster = clusters.start(folder, _settings(asked), asked.mode)
    sys.stderr.write(f"{_summary(cluster)}\n{START_HINT.format(folder=cluster.folder)}")
    sys.stdout.write(_exports(cluster))


def _stop(asked: argparse.Namespace, folder: Path) -> None:
    clusters.stop(folder, keep=asked.keep)


def _status(_: argparse.Namespace, folder: Path) -> int:
    cluster = open_cluster(folder)
    processes = read_processes(cluster.records).values()
    lines = [f"{each.name:<12} {each.pid:>8}  {'up' if each.is_alive else 'DOWN'}" for each in processes]
    sys.stdout.write("\n".join([_summary(cluster), *lines]) + "\n")
    sys.stdout.flush()
    if clusters.is_running(cluster):
        sys.stdout.write(host_of(cluster, LOGIN).answer(["sinfo", "--Node", "--long"]).stdout)
    return 0 if processes and all(process.is_alive for process in processes) else 1


def _env(_: argparse.Namespace, folder: Path) -> None:
    sys.stdout.write(_exports(_running(folder)))


def _shell(_: argparse.Namespace, folder: Path) -> int:
    return _inside(_running(folder), [os.environ.get("SHELL", "/bin/sh")])


def _run(asked: argparse.Namespace, folder: Path) -> int:
    command = asked.command[1:] if asked.command[:1] == ["--"] else asked.command
    if not command:
        raise ClusterError("there is no command to run", "tools/slurm_cluster run -- sinfo", exit_code=2)
    if asked.folder is None:
        with tempfile.TemporaryDirectory(prefix="saih-slurm-cluster-") as temporary:
            return _run_in(Path(temporary) / "cluster", asked, command)
    return _run_in(folder, asked, command)


def _run_in(folder: Path, asked: argparse.Namespace, command: list[str]) -> int:
    cluster = clusters.start(folder, _settings(asked), asked.mode)
    try:
        return _inside(cluster, command)
    finally:
        clusters.stop(folder, keep=asked.keep)


def _inside(cluster: Cluster, command: list[str]) -> int:
    words = host_of(cluster, LOGIN).command(command, Path.cwd())
    done = subprocess.run(words, env=cluster_environment(cluster), check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _install(_: argparse.Namespace, __: Path) -> None:
    sys.stderr.write(f"slurm_cluster: {packages.install(clean_environment())}\n")


def _node(asked: argparse.Namespace, folder: Path) -> None:
    cluster = _running(folder)
    acts = {
        "kill-node": lambda: clusters.kill_node(cluster, asked.node),
        "kill-slurmd": lambda: clusters.kill_slurmd(cluster, asked.node),
        "start-node": lambda: clusters.start_node(cluster, asked.node),
        "cut": lambda: clusters.set_node_link(cluster, asked.node, "down"),
        "heal": lambda: clusters.set_node_link(cluster, asked.node, "up"),
    }
    acts[asked.verb]()


def _kill_controller(_: argparse.Namespace, folder: Path) -> None:
    clusters.kill_controller(_running(folder))


def _start_controller(_: argparse.Namespace, folder: Path) -> None:
    clusters.start_again(_running(folder))


def _running(folder: Path) -> Cluster:
    cluster = open_cluster(folder)
    if not clusters.is_running(cluster):
        raise ClusterError(f"the cluster in {folder} does not run", "start it: tools/slurm_cluster start")
    return cluster


def _exports(cluster: Cluster) -> str:
    lines = [
        f"export SLURM_CONF={shlex.quote(str(cluster.configuration))}",
        f"export SAIH_SLURM_CLUSTER={shlex.quote(str(cluster.folder))}",
    ]
    if cluster.mode == "namespaces":
        programs = shlex.quote(str(cluster.short / "bin"))
        lines.append(f'case ":$PATH:" in *:{programs}:*) ;; *) export PATH={programs}:"$PATH" ;; esac')
    return "\n".join(lines) + "\n"


def _summary(cluster: Cluster) -> str:
    settings = cluster.settings
    size = f"{settings.nodes} nodes of {settings.cpus} processors, {settings.memory_mb} MB"
    accounts = "with accounting" if settings.accounting else "without accounting"
    return f"{size} and {settings.gpus} pretend GPUs; {accounts}; mode: {cluster.mode}"


def _settings(asked: argparse.Namespace) -> Settings:
    return Settings(**{field.name: getattr(asked, field.name) for field in fields(Settings)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/slurm_cluster", description=ABOUT)
    parser.add_argument("--folder", type=Path, help="folder of the cluster (default: one of yours)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    started = _sized()
    verbs.add_parser("start", parents=[started], help="start a cluster").set_defaults(run=_start)
    run = verbs.add_parser("run", parents=[started], help="start, run a command inside, stop")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    run.add_argument("--keep", action="store_true", help="keep the folder with its logs")
    run.set_defaults(run=_run)
    stop = verbs.add_parser("stop", help="end everything that was started, and remove the folder")
    stop.add_argument("--keep", action="store_true", help="keep the folder with its logs")
    stop.set_defaults(run=_stop)
    for name, act, about in (
        ("status", _status, "processes and nodes; exit status 1 when something is down"),
        ("env", _env, "lines for a shell to evaluate, by which Slurm's programs find the cluster"),
        ("shell", _shell, "a shell inside the cluster, on the host where users log in"),
        ("install", _install, "install Debian's packages (root)"),
        ("kill-controller", _kill_controller, "kill slurmctld, as in a crash"),
        ("start-controller", _start_controller, "start slurmctld again"),
    ):
        verbs.add_parser(name, help=about).set_defaults(run=act)
    for name, about in (
        ("kill-node", "kill all processes of a node, as in a power failure"),
        ("kill-slurmd", "kill the daemon of a node alone; its jobs go on"),
        ("start-node", "bring a killed node or daemon back"),
        ("cut", "cut a node off the network; its jobs go on"),
        ("heal", "connect a node again"),
    ):
        node = verbs.add_parser(name, help=about)
        node.add_argument("node", metavar="NODE", help="n1, n2, ...")
        node.set_defaults(run=_node)
    return parser


def _sized() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    defaults = Settings()
    for field in fields(Settings):
        default = getattr(defaults, field.name)
        option = f"--{field.name.replace('_', '-')}"
        if field.type in {bool, "bool"}:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(option, type=int, default=default, metavar="N", help=f"default {default}")
    parser.add_argument("--mode", choices=("namespaces", "plain"), help="default: namespaces if allowed")
    return parser
