import subprocess
import sys
from pathlib import Path

import pytest

from augment.problem import ProblemError
from workloads.catalog import WORKLOADS, workload

ROOT = Path(__file__).parents[2]


def test_every_workload_is_listed_under_its_own_name() -> None:
    assert WORKLOADS
    for name, listed in WORKLOADS.items():
        assert listed.name == name
        assert workload(name) is listed


def test_every_workload_names_the_sizes_of_both_axes() -> None:
    for listed in WORKLOADS.values():
        first, second, *within = listed.axes
        assert (first.name, second.name) == ("data", "model")
        assert all(axis.within in ("data", "model") for axis in within)
        assert all(axis.sizes and axis.size_label for axis in listed.axes)


def test_an_unknown_workload_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProblemError, match="workload 'cosmoflou' is unknown; use cosmoflow"):
        workload("cosmoflou")


@pytest.mark.parametrize("banned", ["torch", "numpy", "mpi4py", "jaxtyping"])
def test_costs_are_arithmetic_that_needs_no_library(banned: str) -> None:
    program = f"import sys; sys.modules[{banned!r}] = None; import workloads.catalog"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True)
    assert ran.returncode == 0, ran.stderr
