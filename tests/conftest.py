"""What several packages of tests share: a Slurm cluster here, testbeds, a browser, the tiny worker."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
sys.path.extend(str(folder) for folder in (HERE, HERE / "launch", HERE / "faults"))

pytest_plugins = ("slurm_cluster_fixture", "browser_fixture", "edge_testbed_fixture")

settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")  # no test may depend on how fast the machine is


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests run real ranks and clusters: on a machine that stalls, one gets a second try.

    The summary of `make test` lists it as RERUN, with what happened at first: a rerun is to be looked at.
    """
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.flaky(reruns=1))
