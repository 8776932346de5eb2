"""Hosts made of namespaces: one where users log in, one for each node, joined by a bridge.

A keeper, a process that only sleeps, holds the namespaces of each host open. Everything lies in a network
namespace of its own, so that clusters never meet each other, nor the machine's addresses and firewall.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from slurm_cluster_parts.processes import Process, spawn, wait_until
from slurm_cluster_parts.settings import ClusterError

LOGIN = "login"
LOGIN_ADDRESS = "10.77.0.1"
BRIDGE = "bridge0"

# The folder of client programs is hidden inside: there the real ones are the right ones.
BECOME_HOST = r"""
set -e
name=$1 home=$2 ready=$3; shift 3
hostname "$name"
mount --bind "$home/etc/hosts" /etc/hosts
mount -t tmpfs -o mode=755,size=4k none "$home/bin"
ip link set lo up
"""
BECOME_LOGIN = (
    BECOME_HOST
    + r"""
ip link add name "$1" type bridge
ip addr add "$2/24" dev "$1"
ip link set "$1" up
: >"$ready"
exec sleep infinity
"""
)
BECOME_NODE = (
    BECOME_HOST
    + r"""
mount -t tmpfs -o mode=1777,size=2g none /dev/shm
: >"$ready"
exec sleep infinity
"""
)
IN_SAME_FOLDER = 'cd -- "$1" && shift && exec "$@"'


def address_of(number: int) -> str:
    """Address of node ``number``, counted from 1."""
    return f"10.77.0.{10 + number}"


def are_namespaces_allowed() -> bool:
    """Whether this user may make hosts of namespaces here; tries what they need."""
    script = "hostname a && ip link set lo up && ip link add name a type bridge && mount -t tmpfs none /mnt"
    command = [*_unshare(), "--", "sh", "-c", script]
    try:
        tried = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=search_path(os.environ)
        )
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def search_path(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with the folders of daemons in its PATH, which a user's often lacks."""
    return {**environment, "PATH": f"{environment.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"}


def make_login(home: Path, records: Path, environment: Mapping[str, str]) -> Process:
    """The host where users log in; the controller runs there too."""
    script = [
        BECOME_LOGIN,
        "sh",
        LOGIN,
        str(home),
        str(home / "run" / f"{LOGIN}.ready"),
        BRIDGE,
        LOGIN_ADDRESS,
    ]
    return _make([*_unshare(), "--", "sh", "-c", *script], LOGIN, home, records, environment)


def make_node(
    login: Process, number: int, home: Path, records: Path, environment: Mapping[str, str]
) -> Process:
    """The host of node ``number``, connected."""
    name = f"n{number}"
    script = [BECOME_NODE, "sh", name, str(home), str(home / "run" / f"{name}.ready")]
    command = [*_join(login), "unshare", "--net", "--uts", "--ipc", "--mount", "--", "sh", "-c", *script]
    keeper = _make(command, name, home, records, environment)
    _connect(login, keeper, number, environment)
    return keeper


def entered(keeper: Process, command: Sequence[str], folder: Path | str = "/") -> list[str]:
    """``command`` as it runs on the host of ``keeper``, in ``folder``, as the user who asks."""
    own = ["unshare", "--user", f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}", "--"]
    return [
        *_join(keeper),
        *([] if os.geteuid() == 0 else own),
        "sh",
        "-c",
        IN_SAME_FOLDER,
        "sh",
        str(folder),
        *command,
    ]


def set_link(login: Process, number: int, state: str, environment: Mapping[str, str]) -> None:
    """Takes the link of a node ``up`` or ``down``, at the end of the bridge."""
    _run([*_join(login), "ip", "link", "set", f"n{number}", state], environment)


def _connect(login: Process, keeper: Process, number: int, environment: Mapping[str, str]) -> None:
    outside, join_login, join_node = f"n{number}", _join(login), _join(keeper)
    # A node that died a moment ago takes its link along, but not at once.
    subprocess.run(
        [*join_login, "ip", "link", "del", outside], capture_output=True, check=False, env=environment
    )
    pair = [
        "ip",
        "link",
        "add",
        "name",
        outside,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        str(keeper.pid),
    ]
    _run([*join_login, *pair], environment)
    _run([*join_login, "ip", "link", "set", outside, "master", BRIDGE, "up"], environment)
    _run([*join_node, "ip", "addr", "add", f"{address_of(number)}/24", "dev", "eth0"], environment)
    _run([*join_node, "ip", "link", "set", "eth0", "up"], environment)


def _make(
    command: Sequence[str], name: str, home: Path, records: Path, environment: Mapping[str, str]
) -> Process:
    ready, log = home / "run" / f"{name}.ready", home / "log" / f"{name}.out"
    ready.unlink(missing_ok=True)
    keeper = spawn(records, name, command, environment, log)
    wait_until(lambda: ready.exists() or not keeper.is_alive, 10.0, step_s=0.01)
    if not ready.exists() or not keeper.is_alive:
        raise ClusterError(
            f"the host {name} could not be made: {log.read_text().strip()}", "try --mode plain."
        )
    return keeper


def _unshare() -> list[str]:
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *own, "--net", "--uts", "--ipc", "--mount", "--propagation", "slave"]


def _join(keeper: Process) -> list[str]:
    own = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    spaces = ["--net", "--uts", "--ipc", "--mount", "--root"]  # its root: it may be a folder of the machine's
    return ["nsenter", "--no-fork", "--target", str(keeper.pid), *own, *spaces]


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise ClusterError(f"{' '.join(command)}: {done.stderr.strip()}", "try --mode plain.")
