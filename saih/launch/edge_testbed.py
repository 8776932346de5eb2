"""An edge testbed as ``tools/edge_testbed up`` describes it: its devices, and how processes get there."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.site import Site
from saih.machine.testbed_fact import TESTBED_VARIABLE

_VERSION = 1
_CHECK_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTestbed:
    """What is to be known of a testbed to start ranks there."""

    name: str
    facts: str
    """Its mode, limits and links in words."""
    nodes: tuple[str, ...]
    """Names of the devices, as the agent knows them."""
    launch: tuple[str, ...]
    """What runs a command where devices are reached from; empty: this machine."""
    agent: str
    """Program that runs a command on a device, called as ssh is."""
    check: tuple[str, ...]
    """Command that fails unless the testbed is up."""
    variables: Mapping[str, str]
    """What ranks find in their environment."""


def read_testbed(site: Site) -> EdgeTestbed:
    """The testbed of a site, as it is described at the moment.

    Raises:
        UsageError: when the site has none that can be read.
    """
    path = Path(site.testbed)
    try:
        document = json.loads(path.read_text())
        version = document["version"]
        if version != _VERSION:
            raise ValueError(f"version {version}, this SAIH reads {_VERSION}")  # noqa: TRY301 - told below
        return _testbed(document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"the testbed of the site {site.name}, {path}, cannot be read: {error}",
            "start it with tools/edge_testbed up FILE, which prints the path of its site file.",
        ) from error


def require_up(testbed: EdgeTestbed) -> None:
    """Do nothing when the testbed is up and is what it says.

    Raises:
        EnvironmentMissing: otherwise, with the reason.
    """
    try:
        done = subprocess.run(
            testbed.check, capture_output=True, text=True, timeout=_CHECK_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentMissing(
            f"the testbed {testbed.name} does not answer: {error}", "start it again: tools/edge_testbed."
        ) from error
    if done.returncode:
        raise EnvironmentMissing(
            f"the testbed {testbed.name} cannot be used: {done.stderr.strip() or done.stdout.strip()}",
            "start it with tools/edge_testbed up FILE.",
        )


def site_variables(site: Site) -> dict[str, str]:
    """Variables that ranks of a site have beside those of what starts them; its testbed is told by one.

    Raises:
        UsageError: when its testbed cannot be read.
    """
    testbed = {TESTBED_VARIABLE: read_testbed(site).facts} if site.testbed else {}
    return {**site.environment, **testbed}


def _testbed(document: Mapping[str, Any]) -> EdgeTestbed:
    return EdgeTestbed(
        name=str(document["name"]),
        facts=str(document["facts"]),
        nodes=tuple(map(str, document["nodes"])),
        launch=tuple(map(str, document["launch"])),
        agent=str(document["agent"]),
        check=tuple(map(str, document["check"])),
        variables={str(name): str(value) for name, value in document["variables"].items()},
    )
