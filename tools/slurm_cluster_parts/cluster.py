"""Starting, stopping and hurting a cluster."""

import socket
from pathlib import Path

from slurm_cluster_parts import folder as folders
from slurm_cluster_parts.configuration import user_name
from slurm_cluster_parts.daemons import (
    Host,
    clean_environment,
    host_of,
    start_accounting,
    start_controller,
    start_munge,
    start_slurmd,
    wait_for_nodes,
    write_clients,
    write_configuration,
)
from slurm_cluster_parts.folder import Cluster
from slurm_cluster_parts.network import LOGIN, are_namespaces_allowed, make_login, make_node, set_link
from slurm_cluster_parts.packages import require_programs
from slurm_cluster_parts.processes import (
    Process,
    all_processes,
    end,
    in_network_of,
    kill,
    kill_all,
    on_node,
    read_processes,
    wait_until,
)
from slurm_cluster_parts.settings import ClusterError, Mode, Settings

PORTS = (6817, 6819, 6818)
"""Of the controller, the accounting daemon and slurmd, where the network is the cluster's own."""


def start(folder: Path, settings: Settings, mode: Mode | None) -> Cluster:
    """A running cluster in ``folder``; ``mode`` None takes namespaces where the machine allows them.

    Raises:
        ClusterError: when something is missing, taken, or does not start; nothing is left running then.
    """
    require_programs(clean_environment(), accounting=settings.accounting)
    folders.claim(folder)
    with folders.only_one(folder):
        if folders.is_cluster(folder):
            _clear(folders.open_cluster(folder))
        chosen = mode or ("namespaces" if are_namespaces_allowed() else "plain")
        cluster = folders.describe(folder, chosen, settings, _ports(chosen, settings))
        try:
            _start(cluster)
        except BaseException:
            _end_everything(cluster)
            folders.retire(cluster)
            raise
    return cluster


def stop(folder: Path, *, keep: bool) -> None:
    """Ends all that the cluster of ``folder`` started, and removes the folder unless it is to be kept."""
    cluster = folders.open_cluster(folder)
    with folders.only_one(folder):
        _cancel_jobs(cluster)
        _end_everything(cluster)
        folders.retire(cluster) if keep else folders.remove(cluster)


def is_running(cluster: Cluster) -> bool:
    """Whether any process of the cluster is alive."""
    return any(process.is_alive for process in read_processes(cluster.records).values())


def kill_node(cluster: Cluster, name: str) -> None:
    """As if the power of a node failed: all its processes, those of jobs too, are gone at once."""
    _number(cluster, name)
    found = read_processes(cluster.records)
    keeper, daemon = found.get(name), found.get(f"slurmd.{name}")
    if keeper is not None and keeper.is_alive:
        kill_all(pid for pid in in_network_of(keeper) if pid != keeper.pid)
        kill(keeper)
    elif daemon is not None and daemon.is_alive:
        kill(daemon)
        kill_all(on_node(name, cluster.configuration))
    else:
        raise ClusterError(f"{name} is down already", f"start it: tools/slurm_cluster start-node {name}")


def kill_slurmd(cluster: Cluster, name: str) -> None:
    """Kills the daemon of a node alone: what jobs run there goes on, and Slurm hears no more of it."""
    _number(cluster, name)
    kill(_living(cluster, f"slurmd.{name}"))


def start_node(cluster: Cluster, name: str) -> None:
    """Brings a node back, whether it or only its daemon was killed."""
    number = _number(cluster, name)
    found = read_processes(cluster.records)
    daemon, keeper = found.get(f"slurmd.{name}"), found.get(name)
    if daemon is not None and daemon.is_alive:
        raise ClusterError(f"{name} is up", "kill it first, or leave it.")
    if cluster.mode == "namespaces" and (keeper is None or not keeper.is_alive):
        login = _living(cluster, LOGIN)
        make_node(login, number, cluster.short, cluster.records, clean_environment())
    start_slurmd(host_of(cluster, name), name)
    wait_for_nodes(host_of(cluster, LOGIN), [name])


def set_node_link(cluster: Cluster, name: str, state: str) -> None:
    """Cuts a node off (``down``) or connects it again (``up``); its processes go on."""
    number = _number(cluster, name)
    if cluster.mode != "namespaces":
        raise ClusterError(
            "in plain mode all nodes are this one host, and nothing is there to cut",
            "start the cluster where namespaces are allowed (root, or user namespaces).",
        )
    set_link(_living(cluster, LOGIN), number, state, clean_environment())


def kill_controller(cluster: Cluster) -> None:
    """Kills slurmctld, as in a crash."""
    kill(_living(cluster, "slurmctld"))


def start_again(cluster: Cluster) -> None:
    """Starts slurmctld again after it was killed."""
    found = read_processes(cluster.records).get("slurmctld")
    if found is not None and found.is_alive:
        raise ClusterError("slurmctld is up", "kill it first, or leave it.")
    start_controller(host_of(cluster, LOGIN))


def _start(cluster: Cluster) -> None:
    environment, names = clean_environment(), cluster.settings.node_names
    write_configuration(cluster)
    keeper = None
    if cluster.mode == "namespaces":
        keeper = make_login(cluster.short, cluster.records, environment)
        write_clients(cluster)
    login = Host(cluster=cluster, keeper=keeper)
    # Outside of namespaces: munged refuses folders above it whose owner is not known inside.
    start_munge(Host(cluster=cluster, keeper=None))
    if cluster.settings.accounting:
        start_accounting(login)
    start_controller(login)
    for number, name in enumerate(names, start=1):
        if keeper is not None:
            make_node(keeper, number, cluster.short, cluster.records, environment)
        start_slurmd(host_of(cluster, name), name)
    wait_for_nodes(login, names)


def _clear(cluster: Cluster) -> None:
    """Removes what an earlier cluster of this folder left; one that still runs is left alone."""
    if _controller_answers(cluster):
        raise ClusterError(
            f"the cluster in {cluster.folder} is running", "use it, or stop it: tools/slurm_cluster stop"
        )
    _end_everything(cluster)
    folders.remove_parts(cluster)


def _controller_answers(cluster: Cluster) -> bool:
    found = read_processes(cluster.records).get("slurmctld")
    return found is not None and found.is_alive


def _cancel_jobs(cluster: Cluster) -> None:
    """Ends all jobs while there is somebody to tell, so that they end in order."""
    if not _controller_answers(cluster):
        return
    try:
        login = host_of(cluster, LOGIN)
    except ClusterError:
        return
    login.answer(["scancel", "--ctld", "--user", user_name()], 10.0)
    wait_until(lambda: not login.answer(["squeue", "--noheader"], 5.0).stdout.strip(), 5.0)


def _end_everything(cluster: Cluster) -> None:
    """Nodes first, with all that jobs left there; then the daemons, the last one started first."""
    processes = all_processes(cluster.records)
    keepers = {*cluster.settings.node_names, LOGIN}
    for name in cluster.settings.node_names:
        for keeper in [process for process in processes if process.name == name and process.is_alive]:
            kill_all(pid for pid in in_network_of(keeper) if pid != keeper.pid)
        if cluster.mode == "plain":
            kill_all(on_node(name, cluster.configuration))
    for process in reversed([process for process in processes if process.name not in keepers]):
        end(process)
    for process in [process for process in processes if process.name in keepers]:
        kill(process)


def _living(cluster: Cluster, name: str) -> Process:
    found = read_processes(cluster.records).get(name)
    if found is None or not found.is_alive:
        raise ClusterError(f"{name} does not run", "see tools/slurm_cluster status")
    return found


def _number(cluster: Cluster, name: str) -> int:
    names = cluster.settings.node_names
    if name not in names:
        raise ClusterError(f"there is no node {name}", f"name one of {names[0]} to {names[-1]}.", exit_code=2)
    return names.index(name) + 1


def _ports(mode: Mode, settings: Settings) -> tuple[int, ...]:
    if mode == "namespaces":
        return (PORTS[0], PORTS[1], *[PORTS[2]] * settings.nodes)
    sockets = [socket.socket() for _ in range(2 + settings.nodes)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return tuple(each.getsockname()[1] for each in sockets)
    finally:
        for each in sockets:
            each.close()
