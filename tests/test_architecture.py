"""The rules of the house that no other tool checks."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("augment", "cosmology", "workloads", "saih", "scheduler_scripts", "benchmarks")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
LOGIN_NODE_BANS = ("torch", "mpi4py", "numpy", "scipy", "matplotlib", "h5py", "typst")


def test_there_is_code_to_check() -> None:
    assert len(SOURCES) > 50


@pytest.mark.parametrize("banned", LOGIN_NODE_BANS)
def test_the_command_line_imports_without_heavy_libraries(banned: str) -> None:
    program = f"import sys; sys.modules[{banned!r}] = None; import saih.cli"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_status_submitting_and_cancelling_load_no_numerical_library() -> None:
    modules = ", ".join(f"saih.commands.{name}" for name in ("standing", "stage", "submitting", "cancelling"))
    program = f"import sys; sys.modules.update(numpy=None, scipy=None); import {modules}"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_rank_loads_no_compiler_and_no_solvers_before_it_needs_them() -> None:
    """Both together take half as long as all else that a rank loads."""
    program = "import sys; sys.modules.update({'torch._dynamo': None, 'scipy': None}); import saih.worker"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.name == "__init__.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_package_files_hold_only_a_docstring(path: Path) -> None:
    body = ast.parse(path.read_text()).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)
    assert isinstance(body[0].value, ast.Constant)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_stay_short_enough_to_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_speaks_to_a_shell_or_evaluates_text(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}


PICKLING = {
    "send",
    "recv",
    "isend",
    "irecv",
    "bcast",
    "gather",
    "scatter",
    "allgather",
    "reduce",
    "allreduce",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_ranks_send_each_other_no_pickles(path: Path) -> None:
    """Methods of mpi4py in small letters pickle what they send."""
    called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    methods = [func for func in called if isinstance(func, ast.Attribute) and func.attr in PICKLING]
    assert not [func for func in methods if ast.unparse(func.value).lower().endswith(("comm", "node"))]


def test_one_module_decides_which_mpi_a_rank_has() -> None:
    """A rank that is alone has none: whoever imports mpi4py by itself would need it all the same."""
    importing = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] in ("saih", "workloads", "cosmology", "augment")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "mpi4py"
    }
    assert importing == {"saih/machine/mpi.py"}


def test_only_saih_store_knows_the_file_names_of_results() -> None:
    names = ("outcome.json", "steps.h5", "point.json", "sweep.json", "limits.json")
    for path in SOURCES:
        if "store" not in path.relative_to(ROOT).parts:
            constants = [
                node.value
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            assert not [text for text in constants if text in names], path
