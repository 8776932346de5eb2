"""The texts of Slurm's configuration files."""

import os
import pwd
import shutil

from slurm_cluster_parts.folder import Cluster
from slurm_cluster_parts.network import LOGIN, LOGIN_ADDRESS, address_of

# slurmd only checks that a GPU is a character device.
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def slurm_conf(cluster: Cluster, version: int) -> str:
    """``slurm.conf`` for this release (its first number) of Slurm."""
    settings, home, user = cluster.settings, cluster.short, user_name()
    host, address = controller(cluster)
    return f"""\
ClusterName=saih
SlurmctldHost={host}({address})
SlurmctldPort={cluster.ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={cluster.munge}/munge.sock,cred_expire={settings.credential_s}
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool/%n
TmpFS={home}/scratch/%n
SlurmctldPidFile={home}/run/slurmctld.pid
SlurmdPidFile={home}/run/slurmd.%n.pid
SlurmctldLogFile={home}/log/slurmctld.log
SlurmdLogFile={home}/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
PlugStackConfig={home}/etc/plugstack.conf
MailProg={shutil.which("true")}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType={"switch/none" if version < 23 else ""}
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=0,batch_sched_delay=0,bf_window=1440
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU={max(1, settings.memory_mb // settings.cpus)}
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout={settings.slurmd_timeout_s}
MessageTimeout=5
InactiveLimit=0
KillWait={settings.kill_wait_s}
MinJobAge={settings.finished_s}
JobRequeue=1
MaxArraySize=1001
KillOnBadExit=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{_accounting(cluster, address)}
{"GresTypes=gpu" if settings.gpus else ""}
{_nodes(cluster)}
PartitionName=main Nodes=ALL Default=YES MaxTime=24:00:00 State=UP PriorityTier=1 PreemptMode=REQUEUE \
GraceTime={settings.grace_s}
PartitionName=high Nodes=ALL Default=NO MaxTime=24:00:00 State=UP PriorityTier=10 PreemptMode=OFF
""".replace("SwitchType=\n", "")


def user_name() -> str:
    """Name of the user whose cluster this is; the environment may tell another."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def controller(cluster: Cluster) -> tuple[str, str]:
    """Host name and address of the controller."""
    if cluster.mode == "namespaces":
        return LOGIN, LOGIN_ADDRESS
    return os.uname().nodename.partition(".")[0], "127.0.0.1"


def _nodes(cluster: Cluster) -> str:
    settings, host = cluster.settings, controller(cluster)[0]
    lines = []
    for number, name in enumerate(settings.node_names, start=1):
        if cluster.mode == "namespaces":
            place = f"NodeHostname={name} NodeAddr={address_of(number)}"
        else:
            place = f"NodeHostname={host} NodeAddr=127.0.0.1"
        gres = f" Gres=gpu:fake:{settings.gpus}" if settings.gpus else ""
        lines.append(
            f"NodeName={name} {place} Port={cluster.ports[1 + number]} CPUs={settings.cpus} "
            f"RealMemory={settings.memory_mb}{gres} State=UNKNOWN"
        )
    return "\n".join(lines)


def _accounting(cluster: Cluster, address: str) -> str:
    if not cluster.settings.accounting:
        return "JobAcctGatherType=jobacct_gather/none"
    return f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={address}
AccountingStoragePort={cluster.ports[1]}
AccountingStoragePass={cluster.munge}/munge.sock
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill"""


def slurmdbd_conf(cluster: Cluster, password: str) -> str:
    """``slurmdbd.conf``; the database is reached by its socket."""
    home, (_, address) = cluster.short, controller(cluster)
    return f"""\
AuthType=auth/munge
AuthInfo=socket={cluster.munge}/munge.sock,cred_expire={cluster.settings.credential_s}
DbdHost=localhost
DbdAddr={address}
DbdPort={cluster.ports[1]}
SlurmUser={user_name()}
LogFile={home}/log/slurmdbd.log
PidFile={home}/run/slurmdbd.pid
DebugLevel=info
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct_db
"""


def gres_conf(cluster: Cluster) -> str:
    """``gres.conf``: the pretend GPUs."""
    settings = cluster.settings
    if not settings.gpus:
        return ""
    devices = ",".join(DEVICES[: settings.gpus])
    return f"AutoDetect=off\nNodeName=n[1-{settings.nodes}] Name=gpu Type=fake File={devices}\n"


def cgroup_conf(version: int) -> str:
    """``cgroup.conf``: processes are followed without control groups, which would need systemd."""
    plugin = "cgroup/v1" if version < 23 else "disabled"
    return f"CgroupPlugin={plugin}\nConstrainCores=no\nConstrainRAMSpace=no\n"


def hosts(cluster: Cluster) -> str:
    """``/etc/hosts`` as everybody inside the cluster sees it."""
    lines = ["127.0.0.1 localhost", f"{LOGIN_ADDRESS} {LOGIN}"]
    lines += [f"{address_of(number)} {name}" for number, name in enumerate(cluster.settings.node_names, 1)]
    return "\n".join(lines) + "\n"
