"""What Slurm refuses, told apart: to be asked again, or to be changed by the user first."""

import re

from saih.domain.errors import UsageError
from saih.domain.site import Site
from saih.launch.scheduler_call import last_line

_TRANSIENT = re.compile(
    r"Unable to contact slurm controller|Socket timed out|Connection (refused|timed out|reset)|"
    r"Zero Bytes were transmitted|Transport endpoint|Unable to connect|Communication (connection|shutdown)|"
    r"temporarily (unable|unavailable)|try(ing)? again later|in standby mode|Unspecified error|"
    r"Problem talking to the database|Protocol authentication error|"
    r"Incompatible versions of client and server code while",
    re.IGNORECASE,
)
_NO_ACCOUNTS = re.compile(r"accounting storage is disabled|Problem talking to the database", re.IGNORECASE)
_REFUSALS = (
    (r"invalid partition", "the partition {site.partition!r}", "name another `partition` in the site file."),
    (r"invalid qos", "the qos {site.qos!r}", "name another `qos` in the site file."),
    (r"invalid account", "the account {site.account!r}", "name another `account` in the site file."),
    (
        r"group not permitted|access/permission denied",
        "to let you use the partition {site.partition!r}",
        "ask for access, or name another `partition` in the site file.",
    ),
    (r"feature specification", "the constraint {site.constraint!r}", "change `constraint` in the site file."),
    (
        r"time limit is invalid",
        "the time limit",
        "lower `max_time_h` in the site file to what the partition takes.",
    ),
    (
        r"(node|CPU) count|node configuration|partition configuration",
        "so many nodes or cores",
        "ask for fewer nodes or ranks per node; `max_nodes` in the site file keeps jobs below a number.",
    ),
    (r"gres|generic resource", "so many GPUs", "ask for fewer GPUs on each node, or name another partition."),
    (
        r"memory specification",
        "the memory",
        "take `--mem-per-cpu` and the like out of `options` in the site file.",
    ),
    (
        r"accounting/QOS policy|limit",
        "more jobs or nodes than you may have",
        "wait until your other jobs end, or name another `qos`.",
    ),
    (
        r"unrecognized option|invalid option|ambiguous option|Invalid directive|unknown option",
        "an option in the script",
        "correct `options` in the site file.",
    ),
    (r"array", "the job array", "lower `max_jobs` in the site file."),
)


def is_transient(text: str) -> bool:
    """Whether asking again later can help."""
    return _TRANSIENT.search(text) is not None


def has_no_accounts(text: str) -> bool:
    """Whether there is no accounting to ask."""
    return _NO_ACCOUNTS.search(text) is not None


def refusal(text: str, site: Site) -> UsageError:
    """What was wrong with a job that Slurm refused to take."""
    for pattern, what, remedy in _REFUSALS:
        telling = [line for line in text.splitlines() if re.search(pattern, line, re.IGNORECASE)]
        if telling:  # not always the last line: that may tell how to get help
            return UsageError(f"Slurm refuses {what.format(site=site)}: {last_line(telling[-1])}.", remedy)
    return UsageError(
        f"Slurm refuses the job: {last_line(text)}.", "change what it names, in the site file or the sweep."
    )
