"""Why a job waits: the scheduler's own word for it, what that means, and what to do. Pure."""

from dataclasses import dataclass

_CANCEL = "`saih cancel` the sweep, then `saih sweep` again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One reason to wait."""

    words: str
    advice: str = ""
    """Empty where waiting is all there is to do."""

    @property
    def is_stuck(self) -> bool:
        """Whether the job does not start unless somebody does something."""
        return bool(self.advice)


_REASONS = (
    ("DependencyNeverSatisfied", Wait(words="what it depends on failed, so it never starts", advice=_CANCEL)),
    ("Dependency", Wait(words="it begins when an earlier job of this sweep has ended")),
    ("Resources", Wait(words="no nodes are free yet")),
    ("Priority", Wait(words="other jobs come first")),
    ("BeginTime", Wait(words="it was put back into the queue and may begin again soon")),
    ("JobArrayTaskLimit", Wait(words="as many jobs of its array run as the site file's max_jobs allows")),
    ("Licenses", Wait(words="a licence that it asks for is in use")),
    ("Cleaning", Wait(words="its last run is still being cleaned up")),
    ("Prolog", Wait(words="its nodes are being made ready")),
    (
        "ReqNodeNotAvail",
        Wait(words="nodes that it asks for are not available: down, drained or reserved for maintenance"),
    ),
    ("NodeDown", Wait(words="a node that it asks for is down")),
    ("Reservation", Wait(words="the reservation that it asks for has not begun, or is full")),
    (
        "JobHoldMaxRequeue",
        Wait(words="it is held: it was put back into the queue too often", advice="see its log, " + _CANCEL),
    ),
    (
        "JobHeldUser",
        Wait(words="it is held by its owner", advice="`scontrol release JOB` lets it go on"),
    ),
    (
        "JobHeldAdmin",
        Wait(words="it is held by an administrator", advice="ask them, or " + _CANCEL),
    ),
    (
        "launch failed requeued held",
        Wait(
            words="a node could not start it, and it is held",
            advice=f"`scontrol release JOB` tries again; if that fails, {_CANCEL}",
        ),
    ),
    (
        "PartitionTimeLimit",
        Wait(
            words="it asks for more time than the partition gives",
            advice=f"lower max_time_h in the site file, {_CANCEL}",
        ),
    ),
    (
        "PartitionNodeLimit",
        Wait(
            words="it asks for more nodes than the partition gives",
            advice=f"set max_nodes in the site file, {_CANCEL}",
        ),
    ),
    (
        "PartitionDown",
        Wait(words="the partition starts no jobs at the moment"),
    ),
    ("PartitionInactive", Wait(words="the partition starts no jobs at the moment")),
    (
        "BadConstraints",
        Wait(
            words="no node has what it asks for",
            advice=f"correct constraint, gpus_per_node or memory in the site file, {_CANCEL}",
        ),
    ),
    (
        "InvalidAccount",
        Wait(words="its account is not valid", advice=f"correct account in the site file, {_CANCEL}"),
    ),
    ("InvalidQOS", Wait(words="its QOS is not valid", advice=f"correct qos in the site file, {_CANCEL}")),
    ("QOS", Wait(words="a limit of the QOS is reached")),
    ("Assoc", Wait(words="a limit of the account is reached")),
    ("MaxCpuPerAccount", Wait(words="a limit of the account is reached")),
)
"""By how the scheduler's word begins; the first that matches counts."""


def explain(reason: str) -> Wait:
    """What a scheduler's reason means; an unknown one is passed on as it is."""
    bare = reason.strip().strip("()")
    for beginning, wait in _REASONS:
        if bare.startswith(beginning):
            return wait
    if "held" in bare.lower():
        return Wait(words="it is held", advice=f"`scontrol release JOB` lets it go on; else {_CANCEL}")
    return Wait(words="")
