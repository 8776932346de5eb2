import os
from pathlib import Path

import pytest

from saih.domain.ceiling import CeilingKind
from saih.machine.page_cache import AvoidedCache, DroppedCache, KeptCache, drop, resident_bytes
from saih.machine.storage_file import probe_file
from saih.machine.storage_read import COLD, PATTERNS, WARM, Pattern, storage_name, storage_rungs


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
        for pattern in PATTERNS:
            for rung in storage_rungs(WARM, path, pattern):
                probe = rung.ways[0]()
                num_calls = path.stat().st_size // int(rung.work)
                assert 1 <= probe.max_calls <= min(num_calls, max(2**24 // rung.work, 1))
                probe.before()
                for _ in range(2 * num_calls):
                    probe.call()
                probe.verify()


def test_a_file_that_shrank_is_an_error_not_a_rate(tmp_path: Path) -> None:
    with probe_file(tmp_path, 16) as path:
        assert path is not None
        probe = storage_rungs(WARM, path, Pattern())[0].ways[0]()
        os.truncate(path, 0)
        with pytest.raises(OSError, match="read 0 bytes"):
            probe.call()


def test_without_room_there_is_nothing_to_sample() -> None:
    for rung in (*storage_rungs(WARM, None, Pattern()), *storage_rungs(COLD, None, Pattern())):
        with pytest.raises(OSError, match="no room"):
            rung.ways[0]()


def test_a_folder_that_cannot_hold_the_share_of_a_rank_gives_no_file(tmp_path: Path) -> None:
    with probe_file(tmp_path, 10**9) as path:
        assert path is None


def test_a_folder_with_too_little_room_for_several_readers_leaves_them_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(2**22))
    with pytest.raises(OSError, match="too small for 4 readers"):
        storage_rungs(WARM, path, Pattern(num_readers=4))[-1].ways[0]()


def test_names_tell_the_state_of_the_page_cache_and_the_pattern() -> None:
    warm, cold = (storage_name(kind, Pattern(order="sequential", num_readers=2)) for kind in (WARM, COLD))
    assert (warm.kind, cold.kind) == (CeilingKind.STORAGE_READ, CeilingKind.STORAGE_COLD)
    assert (warm.unit, cold.unit) == ("bytes/s (page cache warm)", "bytes/s (page cache cold)")
    assert warm.variant == cold.variant == "sequential, 2 readers"
    assert len({pattern.name for pattern in PATTERNS}) == len(PATTERNS)
    assert PATTERNS[0].name == "random"


def test_what_was_just_written_and_read_is_in_the_page_cache_until_it_is_dropped(tmp_path: Path) -> None:
    with probe_file(tmp_path, 16) as path:
        assert path is not None
        kept = KeptCache(path)
        kept.restore()
        kept.verify()
        assert resident_bytes(path) == path.stat().st_size
        if drop(path):  # file systems in memory keep everything
            assert resident_bytes(path) == 0


def test_a_cold_state_that_does_not_hold_is_an_error_not_a_rate(tmp_path: Path) -> None:
    with probe_file(tmp_path, 16) as path:
        assert path is not None
        if not drop(path):
            with pytest.raises(OSError, match="in its cache"):
                AvoidedCache(path).restore()
            return
        avoided, dropped = AvoidedCache(path), DroppedCache(path)
        for state in (avoided, dropped):
            state.restore()
            state.verify()
        path.read_bytes()
        with pytest.raises(OSError, match="in spite of O_DIRECT"):
            avoided.verify()


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_reads_after_a_drop_bring_the_file_into_the_cache(tmp_path: Path, pattern: Pattern) -> None:
    with probe_file(tmp_path, 16) as path:
        assert path is not None
        probe = storage_rungs(COLD, path, pattern)[0].ways[1]()
        probe.before()
        before = resident_bytes(path)
        probe.call()
        assert resident_bytes(path) >= max(1, before)
