import os
import re
import subprocess
import sys
from pathlib import Path

from saih.domain.point import Placement
from saih.launch.starter import rank_environment
from saih.machine.environment import capture
from saih.machine.rank_settings import (
    CHOSEN_VARIABLE,
    HUGE_PAGES,
    NAMES,
    ONE_HEAP,
    YIELDING,
    allocator,
    chosen_settings,
    with_settings,
)

ROOT = Path(__file__).parents[2]
BUSY = Placement(ranks_per_node=4096, data_parallel=4096)


def test_ranks_get_saihs_settings_and_none_of_them_counts_as_chosen() -> None:
    environment = with_settings({"PATH": "/bin"}, yields=True)
    assert environment == {**allocator(), **YIELDING, "PATH": "/bin", CHOSEN_VARIABLE: ""}
    assert chosen_settings(environment) == {}


def test_what_the_user_chose_stands_and_is_told() -> None:
    environment = rank_environment({"OMPI_MCA_mpi_yield_when_idle": "0"}, BUSY)
    assert environment["OMPI_MCA_mpi_yield_when_idle"] == "0"
    assert chosen_settings(environment) == {"OMPI_MCA_mpi_yield_when_idle": "0"}


def test_a_choice_is_told_alike_before_and_behind_the_launcher() -> None:
    chosen = {"MALLOC_TOP_PAD_": "4096"}
    assert chosen_settings(chosen) == chosen_settings(with_settings(chosen, yields=False)) == chosen


def test_a_choice_makes_another_environment_and_no_choice_leaves_the_old_one() -> None:
    program = "from saih.machine.environment import capture; print(capture().facts.get('rank_settings'))"
    plain = {name: value for name, value in os.environ.items() if name not in NAMES}

    def fact(environ: dict[str, str]) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environ, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    assert fact(rank_environment(plain, BUSY)) == "None"
    assert fact(rank_environment(plain | {"MALLOC_TOP_PAD_": "1"}, BUSY)) == "MALLOC_TOP_PAD_=1"
    assert "rank_settings" not in capture().facts or chosen_settings(os.environ)


def test_what_a_site_gives_ranks_belongs_to_the_environment_of_what_starts_them() -> None:
    assert capture({"MALLOC_TOP_PAD_": "1"}).facts["rank_settings"].endswith("MALLOC_TOP_PAD_=1")


def test_memory_is_mapped_anew_only_where_the_kernel_has_huge_pages(tmp_path: Path) -> None:
    pages = tmp_path / "enabled"
    assert allocator(pages) == ONE_HEAP
    pages.write_text("always madvise [never]\n")
    assert allocator(pages) == ONE_HEAP
    pages.write_text("always [madvise] never\n")
    has_tunable = os.confstr("CS_GNU_LIBC_VERSION") >= "glibc 2.35"
    assert allocator(pages) == (HUGE_PAGES if has_tunable else ONE_HEAP)


def test_the_c_library_takes_what_ranks_are_given() -> None:
    """It ignores names it does not know, so that a misspelt one would go unseen."""
    program = "kept = bytearray(80 << 20); print(open('/proc/self/smaps').read())"
    ran = subprocess.run(
        [sys.executable, "-c", program], env=HUGE_PAGES, check=True, capture_output=True, text=True
    )
    huge = [int(kib) for kib in re.findall(r"AnonHugePages: +(\d+) kB", ran.stdout)]
    assert allocator() == ONE_HEAP or max(huge) > 0
