"""A campaign on one GPU that has neither network nor MPI: what ``tools/gpu_campaign`` does.

    tools/gpu_campaign pack wheels/            where there is a network: what images of GPU software lack
    tools/gpu_campaign run --out campaign --wheels wheels/             on the machine with the GPU

``run`` measures the sweep ``results/reference/campaign.yaml`` on one rank, without MPI, and ends by its
limit whatever happens: records of points that are finished by then are kept, and what is late is left
out. The folder gets the records as one bundle (``campaign.saih.zip``), the analysis as JSON, the report
where typst is installed, and the log. ``--device cpu --quick`` shows in small that all of it runs. Only
the standard library is imported here: this begins where nothing is installed yet.
"""

import argparse
import importlib.util
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
SWEEP_FILE, SWEEP = ROOT / "results" / "reference" / "campaign.yaml", "campaign"
LIMIT_S, REST_S = 525.0, 45.0
"""Of everything, below nine minutes; and what is kept of it for bundle, analysis and report."""
NEEDED = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "h5py": "h5py",
    "yaml": "PyYAML",
    "click": "click",
    "crc32c": "crc32c",
    "jaxtyping": "jaxtyping",
    "safetensors": "safetensors",
}
"""Modules without which nothing is measured, and the packages that bring them."""
GPU_TESTS = ("tests/workloads/test_cosmoflow_execution.py", "tests/harness/test_feed.py")
"""Where the tests are whose names speak of GPUs and that need no MPI."""
FOR_REPORTS = {"matplotlib": "matplotlib", "typst": "typst"}
PACKED = ("crc32c", "jaxtyping", "wadler-lindig", "safetensors", "click", "PyYAML", "typst", "h5py", "scipy")
"""Wheels, of which an image lacks some; torch and what comes with it are in every one."""
QUICK = (
    *("--set", "placement.device=cpu", "--set", "placement.threads_per_rank=1"),
    *("--set", "axes.data.resolution=[8, 16]", "--set", "axes.model.width=[2]"),
    *("--set", "base.data.resolution=8", "--set", "timing.budget_s=0.5", "--set", "timing.min_steps=3"),
)
_PROGRAM = (sys.executable, "-c", "from saih.cli import main; main()")
_STOP_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """One run: where it writes, in which environment its commands run, and until when."""

    out: Path
    work: Path
    """Results, reports and data of the run; the folder is removed at its end."""
    environment: Mapping[str, str]
    ends_s: float
    """When everything is to be over, on the monotonic clock [s]."""

    @property
    def log(self) -> Path:
        """What the commands said."""
        return self.out / "campaign.log"


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; 0 when every point was measured in time, 1 when not, 3 when something is missing."""
    options = _options(arguments)
    if options.verb == "pack":
        return pack(options.folder, options.python)
    begun_s = time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="saih-campaign-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        packages = work / "packages"
        if options.wheels:
            install(options.wheels, packages)
        absent = missing(NEEDED, packages)
        if absent:
            print(
                f"missing here: {', '.join(absent)}. Where there is a network: tools/gpu_campaign pack "
                f"wheels --python {sys.version_info[0]}.{sys.version_info[1]}; then here: --wheels wheels",
                file=sys.stderr,
            )
            return 3
        campaign = Campaign(
            out=options.out,
            work=work,
            environment=environment_of(os.environ, packages),
            ends_s=begun_s + options.limit_s,
        )
        is_whole = measure(campaign, QUICK if options.quick else _device_words(options.device))
        keep(campaign, has_reports=not missing(FOR_REPORTS, packages))
        if options.tests:
            is_whole &= check(campaign) == 0
    print(f"{time.monotonic() - begun_s:.0f} s; see {options.out}")
    return 0 if is_whole else 1


def pack(folder: Path, python: str) -> int:
    """Download wheels for a machine without a network, for that version of Python on Linux (x86-64)."""
    folder.mkdir(parents=True, exist_ok=True)
    platforms = [f"manylinux{name}_x86_64" for name in ("2014", "_2_17", "_2_24", "_2_27", "_2_28")]
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder)),
        *("--implementation", "cp", "--python-version", python),
        *(word for platform in platforms for word in ("--platform", platform)),
        *PACKED,
    ]
    return subprocess.run(command, check=False).returncode


def install(wheels: Path, packages: Path) -> None:
    """What was packed and this interpreter lacks, into a folder of its own."""
    lacking = [path for path in sorted(wheels.glob("*.whl")) if _is_lacking(path)]
    if lacking:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
        subprocess.run([*pip, "--target", str(packages), *map(str, lacking)], check=True)


def missing(modules: Mapping[str, str], packages: Path) -> list[str]:
    """Packages of which neither this interpreter nor the folder has the module."""
    return [
        package
        for module, package in modules.items()
        if importlib.util.find_spec(module) is None and not list(packages.glob(f"{module}*"))
    ]


def environment_of(base: Mapping[str, str], packages: Path) -> dict[str, str]:
    """What the commands run in: this code, the packages, and one rank that needs no MPI."""
    paths = [str(ROOT), str(packages), *filter(None, [base.get("PYTHONPATH", "")])]
    return {
        **base,
        "PYTHONPATH": os.pathsep.join(paths),
        "SAIH_LAUNCHER": "none",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def measure(campaign: Campaign, words: Sequence[str]) -> bool:
    """Run the sweep until it is done or late; whether every point was measured."""
    folders = ("--results", "results", "--reports", "reports", "--data-folder", "data")
    status = _run(
        campaign, ["sweep", str(SWEEP_FILE), *words, *folders, "--no-report"], campaign.ends_s - REST_S
    )
    return status == 0


def keep(campaign: Campaign, *, has_reports: bool) -> None:
    """The records as a bundle, the analysis, and the report: whatever there is."""
    results = ("--results", "results")
    bundle = str(campaign.out.absolute() / f"{SWEEP}.saih.zip")
    Path(bundle).unlink(missing_ok=True)
    _run(campaign, ["bundle", SWEEP, *results, "--anonymise", "--license", "CC-BY-4.0", "--output", bundle])
    analysis = campaign.out / f"{SWEEP}.json"
    _run(campaign, ["analyze", SWEEP, *results, "--data-folder", "data", "--json"], said=analysis)
    if has_reports:
        reports = str(campaign.out.absolute())
        _run(campaign, ["report", SWEEP, *results, "--data-folder", "data", "--reports", reports])
    else:
        print(f"typst or matplotlib is missing: saih import {bundle}, then saih report {SWEEP}, elsewhere")


def check(campaign: Campaign) -> int:
    """The tests that need a GPU, in what is left of the time; gives the exit status of pytest."""
    lenient = ("-o", "addopts=--import-mode=importlib", "-o", "filterwarnings=default")
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", *lenient, "-k", "gpu", *GPU_TESTS]
    with (campaign.out / "tests.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(campaign.environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        status = _waited(process, campaign.ends_s - time.monotonic())
    print(f"tests on the GPU ended with {status}:\n{_last_words(campaign.out / 'tests.log')}")
    return status


def _run(campaign: Campaign, words: Sequence[str], ends_s: float = 0.0, said: Path | None = None) -> int:
    """One command of saih, stopped as Ctrl-C does when it is late; gives its exit status."""
    print(f"saih {shlex.join(words)}", flush=True)
    with campaign.log.open("ab") as log, _output(said, log) as output:
        process = subprocess.Popen(
            [*_PROGRAM, *words],
            cwd=campaign.work,
            env=dict(campaign.environment),
            stdout=output,
            stderr=log,
            start_new_session=True,  # a stop that is meant for the command does not end this program
        )
        status = _waited(process, (ends_s or campaign.ends_s) - time.monotonic())
    if status != 0:
        print(f"  ended with {status}:\n{_last_words(campaign.log)}", file=sys.stderr)
    return status


@contextmanager
def _output(said: Path | None, log: IO[bytes]) -> Iterator[IO[bytes]]:
    if said is None:
        yield log
    else:
        with said.open("wb") as file:
            yield file


def _waited(process: "subprocess.Popen[bytes]", limit_s: float) -> int:
    for patience_s, ending in (
        (max(limit_s, 1.0), signal.SIGINT),
        (_STOP_S, signal.SIGTERM),
        (_STOP_S, None),
    ):
        with suppress(subprocess.TimeoutExpired):
            return process.wait(patience_s)
        if ending is not None:
            process.send_signal(ending)
    process.kill()
    return process.wait()


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  | {line}" for line in lines[-8:])


def _is_lacking(wheel: Path) -> bool:
    name = wheel.name.split("-")[0].lower()
    module = {"pyyaml": "yaml", "wadler_lindig": "wadler_lindig"}.get(name, name)
    return importlib.util.find_spec(module) is None


def _device_words(device: str) -> tuple[str, ...]:
    return () if device == "cuda" else ("--set", f"placement.device={device}")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/gpu_campaign", description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    packing = verbs.add_parser("pack", help="download the wheels that images of GPU software lack")
    packing.add_argument("folder", type=Path, help="folder of the wheels")
    packing.add_argument("--python", default="3.12", help="version of Python there (default: %(default)s)")
    running = verbs.add_parser("run", help="measure, within the limit")
    running.add_argument("--out", type=Path, required=True, help="folder of what was found")
    running.add_argument("--wheels", type=Path, help="folder that `pack` filled")
    running.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="where to compute")
    running.add_argument(
        "--quick", action="store_true", help="a few tiny points on the CPU: shows that it runs"
    )
    running.add_argument(
        "--tests", action="store_true", help="then the tests that need a GPU (needs pytest and hypothesis)"
    )
    running.add_argument(
        "--limit-s", type=float, default=LIMIT_S, help="of everything (default: %(default)s s)"
    )
    return parser.parse_args(arguments)
