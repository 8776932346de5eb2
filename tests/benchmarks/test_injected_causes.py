from pathlib import Path

from benchmarks.injected_causes import Cause, Injection, read_injections, write_plan


def test_a_run_finds_what_the_plan_has_for_its_seed(tmp_path: Path) -> None:
    injection = Injection(cause=Cause.SLOW_RANK, added_ns=5, rank=1)
    write_plan(tmp_path, {7: (injection,), 8: ()})
    assert read_injections(tmp_path, 7) == (injection,)
    assert read_injections(tmp_path, 8) == read_injections(tmp_path, 9) == ()


def test_without_a_plan_nothing_is_put_in(tmp_path: Path) -> None:
    assert read_injections(tmp_path, 7) == ()
