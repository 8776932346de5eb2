import os
from pathlib import Path

import pytest

from saih.domain.ceiling import CeilingKind
from saih.machine.storage_read import DROPPED, WARM, dropped_rungs, probe_file, warm_rungs


def test_the_file_is_bounded_incompressible_and_gone_at_the_end(tmp_path: Path) -> None:
    with probe_file(tmp_path / "data", 16) as path:
        assert path is not None
        assert 0 < path.stat().st_size <= 2**26
        assert len(set(path.read_bytes()[:65536])) == 256
    assert list((tmp_path / "data").iterdir()) == []


def test_the_file_is_gone_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), probe_file(tmp_path, 1000):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_every_read_takes_another_piece_until_all_were_read(tmp_path: Path) -> None:
    with probe_file(tmp_path, 16) as path:
        assert path is not None
        for rung in warm_rungs(path):
            probe = rung.ways[0]()
            assert probe.max_calls == path.stat().st_size // rung.work
            probe.before()
            for _ in range(2 * probe.max_calls):
                probe.call()
            probe.verify()


def test_a_file_that_shrank_is_an_error_not_a_rate(tmp_path: Path) -> None:
    with probe_file(tmp_path, 16) as path:
        assert path is not None
        probe = warm_rungs(path)[0].ways[0]()
        os.truncate(path, 0)
        with pytest.raises(OSError, match="read 0 bytes"):
            probe.call()


def test_without_room_there_is_nothing_to_sample() -> None:
    for rung in (*warm_rungs(None), *dropped_rungs(None)):
        with pytest.raises(OSError, match="no room"):
            rung.ways[0]()


def test_a_folder_that_cannot_hold_the_share_of_a_rank_gives_no_file(tmp_path: Path) -> None:
    with probe_file(tmp_path, 10**9) as path:
        assert path is None


def test_the_state_of_the_page_cache_is_in_the_unit() -> None:
    assert WARM.kind is DROPPED.kind is CeilingKind.STORAGE_READ
    assert (WARM.unit, DROPPED.unit) == ("bytes/s (page cache warm)", "bytes/s (page cache dropped)")
