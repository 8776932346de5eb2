"""On which system a sweep runs: an option's, the environment's, that of its last submission, or this one."""

import os
from dataclasses import dataclass, replace
from typing import get_args

from saih.commands.stage import last_site
from saih.commands.talk import say
from saih.config.site_file import find_site
from saih.domain.site import SchedulerName, Site
from saih.domain.sweep import Sweep
from saih.store.sweep_folder import SweepFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the options of a command say about the system."""

    site: str | None
    scheduler: SchedulerName | None


def system_of(where: Where, sweep: Sweep, folder: SweepFolder | None = None) -> Site:
    """The site that is meant.

    Without any option, a sweep that was submitted before goes on where it was.

    Raises:
        UsageError: for a site file that is missing or wrong.
    """
    site = find_site(where.site, os.environ)
    if where.scheduler is not None:
        return replace(site or Site(name=where.scheduler), scheduler=where.scheduler)
    if site is not None:
        return site
    if folder is not None and (last := last_site(folder)) is not None:
        say(f"{folder.name} was submitted at {last.name} ({last.scheduler}) before, and goes on there.")
        return last
    names: dict[str, SchedulerName] = {name: name for name in get_args(SchedulerName)}
    return (
        Site(name=sweep.scheduler, scheduler=names[sweep.scheduler]) if sweep.scheduler != "local" else Site()
    )
