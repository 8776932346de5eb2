from pathlib import Path

import pytest

from saih.domain.errors import EnvironmentMissing
from saih.machine.memory import available_memory_bytes, disk_free_bytes, meminfo_bytes, memory_limit_bytes

GIB = 2**30


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    kib = {"MemTotal": 64 * GIB // 1024, "MemFree": 1000, "MemAvailable": 40 * GIB // 1024}
    (folder / "meminfo").write_text("".join(f"{name}:   {value} kB\n" for name, value in kib.items()))
    (folder / "self" / "cgroup").write_text("0::/job/step\n")
    return folder


def write_group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_without_control_groups_the_available_memory_counts(proc: Path, tmp_path: Path) -> None:
    assert available_memory_bytes(proc, tmp_path / "cgroup") == 40 * GIB
    assert memory_limit_bytes(proc, tmp_path / "cgroup") is None


def test_the_tightest_group_of_version_2_counts_with_its_reclaimable_cache(
    proc: Path, tmp_path: Path
) -> None:
    top = tmp_path / "cgroup"
    write_group(top / "job" / "step", memory__max="max", memory__current=GIB)
    write_group(
        top / "job",
        memory__max=16 * GIB,
        memory__current=10 * GIB,
        memory__stat=f"anon 1\ninactive_file {2 * GIB}",
    )
    assert available_memory_bytes(proc, top) == 8 * GIB
    assert memory_limit_bytes(proc, top) == 16 * GIB


def test_a_group_of_version_1_counts_and_its_word_for_no_limit_does_not(proc: Path, tmp_path: Path) -> None:
    top = tmp_path / "cgroup"
    (proc / "self" / "cgroup").write_text("8:pids:/x\n4:memory:/job\n0::/\n")
    write_group(top / "memory", memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=1)
    assert available_memory_bytes(proc, top) == 40 * GIB
    assert memory_limit_bytes(proc, top) is None
    write_group(
        top / "memory" / "job",
        memory__limit_in_bytes=4 * GIB,
        memory__usage_in_bytes=3 * GIB,
        memory__stat=f"total_inactive_file {GIB // 2}",
    )
    assert available_memory_bytes(proc, top) == GIB + GIB // 2
    assert memory_limit_bytes(proc, top) == 4 * GIB


def test_a_group_above_its_limit_leaves_nothing(proc: Path, tmp_path: Path) -> None:
    write_group(tmp_path / "cgroup" / "job", memory__max=GIB, memory__current=2 * GIB)
    assert available_memory_bytes(proc, tmp_path / "cgroup") == 0


def test_a_kernel_that_does_not_say_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing, match="MemAvailable"):
        available_memory_bytes(tmp_path, tmp_path)


def test_this_machine_has_memory_and_disk(tmp_path: Path) -> None:
    total = meminfo_bytes("MemTotal")
    assert total is not None
    assert 0 < available_memory_bytes() <= total
    assert disk_free_bytes(tmp_path / "not" / "yet" / "made") > 0
