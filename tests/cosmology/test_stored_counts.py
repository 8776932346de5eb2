"""Counts in HDF5: what goes in comes out, and nothing unpacks to more than it must."""

import math
import random
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmology.codec import Codec, default_codec
from cosmology.dataset_error import DatasetError
from cosmology.fletcher32 import fletcher32
from cosmology.hdf5 import created, naming_damage, open_file, opened
from cosmology.stored_counts import (
    MAX_CHUNK_BYTES,
    PLANES_BYTES,
    WHOLE_BYTES,
    StoredCounts,
    chunk_of,
    chunks_of,
    create_counts,
)

SHAPE = (3, 2, 16, 16, 16)
CODECS = list(Codec)


def counts_like(kind: str, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    most = {"universe": 1.5, "empty": 1e-9, "noise": 0.0}[kind]
    if kind == "noise":
        return generator.integers(0, 1 << 16, SHAPE, np.uint16)
    return np.floor(generator.lognormal(0.0, most, SHAPE)).astype(np.uint16)


def write(path: Path, counts: np.ndarray, codec: Codec, chunk: tuple[int, ...] | None = None) -> Path:
    with created(path) as file:
        create_counts(file, counts.shape, chunk or chunk_of(counts.shape[1:]), codec)[...] = counts
    return path


def read(path: Path) -> np.ndarray:
    with opened(path) as file:
        stored = StoredCounts(file["full"])
        rows = np.full(file["full"].shape, 7, np.uint16)
        for row in range(len(rows)):
            stored.read(row, rows[row])
    return rows


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", ["universe", "empty", "noise"])
def test_counts_come_back_whether_or_not_they_can_be_packed(tmp_path: Path, codec: Codec, kind: str) -> None:
    counts = counts_like(kind)
    path = write(tmp_path / "file.h5", counts, codec)
    assert np.array_equal(read(path), counts)
    with h5py.File(path) as plain:
        assert np.array_equal(plain["full"][:], counts)


@pytest.mark.parametrize("codec", CODECS)
def test_counts_come_back_from_octants(tmp_path: Path, codec: Codec) -> None:
    counts = counts_like("universe")
    path = write(tmp_path / "file.h5", counts, codec, (1, 2, 8, 8, 8))
    assert np.array_equal(read(path), counts)


@given(channels=st.integers(1, 16), side=st.sampled_from([8, 16, 32, 64, 128, 256, 512, 1024]))
def test_a_chunk_is_a_sample_of_16_mib_or_planes_of_it_of_at_most_4(channels: int, side: int) -> None:
    shape = (channels, side, side, side)
    one, held, planes, *sides = chunk_of(shape)
    assert (one, held, sides) == (1, channels, [side, side])
    assert side % planes == 0
    assert (planes == side) is (2 * math.prod(shape) <= WHOLE_BYTES)
    if planes < side:
        assert 2 * math.prod(chunk_of(shape)) <= PLANES_BYTES or planes == 1
        assert 4 * math.prod(chunk_of(shape)) > PLANES_BYTES


@given(channels=st.integers(1, 16), side=st.sampled_from([8, 16, 32, 64, 128, 256, 512, 1024]))
def test_chunks_of_before_were_samples_or_octants_of_at_most_128_mib(channels: int, side: int) -> None:
    shape = (channels, side, side, side)
    now, (one, held, *sides) = chunks_of(shape)
    assert now == chunk_of(shape)
    assert (one, held) == (1, channels)
    assert len(set(sides)) == 1
    num_bytes = 2 * held * math.prod(sides)
    assert num_bytes <= MAX_CHUNK_BYTES
    assert sides[0] == side or 8 * num_bytes > MAX_CHUNK_BYTES


def test_a_sample_of_the_reference_is_one_chunk() -> None:
    assert chunk_of((4, 128, 128, 128)) == (1, 4, 128, 128, 128)


@pytest.mark.parametrize("codec", CODECS)
def test_equal_counts_give_equal_bytes(tmp_path: Path, codec: Codec) -> None:
    first, second = (write(tmp_path / name, counts_like("universe"), codec) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("place", [0.02, 0.5, 0.98])
def test_a_flipped_bit_in_a_chunk_is_found(tmp_path: Path, codec: Codec, place: float) -> None:
    path = write(tmp_path / "file.h5", counts_like("universe"), codec)
    with open_file(path) as file:
        chunk = file["full"].id.get_chunk_info(1)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + int(place * chunk.size)] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"file\.h5"):
        read(path)


def test_a_gzip_bomb_is_refused_and_never_unpacked(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(40_000_000))
    bomb += fletcher32(bomb).to_bytes(4, "little")
    path = tmp_path / "file.h5"
    with created(path) as file:
        chunk = (1, 2, 64, 64, 64)
        assert len(bomb) < 2 * math.prod(chunk)
        create_counts(file, (3, *chunk[1:]), chunk, Codec.GZIP).id.write_direct_chunk((0,) * 5, bomb)
    tracemalloc.start()
    with pytest.raises(DatasetError, match="does not unpack to 1048576 bytes"):
        read(path)
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most_bytes < 8e6


@pytest.mark.parametrize("claim", [(1 << 40, 8192), (2 * 2 * 16**3, 0), (2 * 2 * 16**3, 1 << 30)])
def test_an_lz4_chunk_that_claims_another_size_is_refused(tmp_path: Path, claim: tuple[int, int]) -> None:
    path = write(tmp_path / "file.h5", counts_like("universe"), Codec.BITSHUFFLE_LZ4)
    with open_file(path) as file:
        address = file["full"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[address : address + 12] = claim[0].to_bytes(8, "big") + claim[1].to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="would not unpack to"):
        read(path)


def crafted(path: Path, packed: bytes) -> Path:
    """A file whose first chunk holds ``packed``, with a checksum that agrees."""
    with h5py.File(path.with_suffix(".sum"), "w") as file:
        file.create_dataset(
            "bytes", data=np.frombuffer(packed, np.uint8), chunks=(len(packed),), fletcher32=True
        )
        file.flush()
        _, summed = file["bytes"].id.read_direct_chunk((0,))
    with created(path) as file:
        full = create_counts(file, SHAPE, chunk_of(SHAPE[1:]), Codec.BITSHUFFLE_LZ4)
        full.id.write_direct_chunk((0,) * 5, summed)
    return path


def test_crafted_lz4_chunks_with_true_checksums_are_refused_or_harmless(tmp_path: Path) -> None:
    """What the filter would take for lengths ends the process when it is believed."""
    path = write(tmp_path / "file.h5", counts_like("universe"), Codec.BITSHUFFLE_LZ4)
    with open_file(path) as file:
        packed = file["full"].id.read_direct_chunk((0,) * 5)[1][:-4]
    chance = random.Random(1)
    lengths = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(packed))
    crafts = [packed[:12] + length.to_bytes(4, "big") + packed[16:] for length in lengths]
    crafts += [packed[:12] + chance.randbytes(size) for size in (0, 3, 4, 100, len(packed))]
    crafts += [packed[:size] for size in (0, 11, 12, len(packed) // 2, len(packed) - 1)]
    crafts += [packed + b"more"]
    for craft in crafts:
        if craft:
            with pytest.raises(DatasetError, match="would not unpack to"):
                read(crafted(tmp_path / "crafted.h5", craft))
    for _ in range(20):  # the right lengths around anything: LZ4 finds it, or it is other counts
        first_bytes = int.from_bytes(packed[12:16], "big")
        craft = packed[:16] + chance.randbytes(first_bytes) + packed[16 + first_bytes :]
        with pytest.raises(DatasetError, match=r"is damaged|lacks the counts"):
            read(crafted(tmp_path / "crafted.h5", craft))


@pytest.mark.parametrize("codec", CODECS)
def test_a_chunk_that_skips_its_checksum_or_is_cut_short_is_refused(tmp_path: Path, codec: Codec) -> None:
    counts = counts_like("universe")
    for mask, data in ((0b111, counts[0].tobytes()), (0b10 if codec is Codec.GZIP else 0b1, b"short")):
        path = tmp_path / "file.h5"
        with created(path) as file:
            full = create_counts(file, SHAPE, chunk_of(SHAPE[1:]), codec)
            full.id.write_direct_chunk((0,) * 5, data, mask)
        with pytest.raises(DatasetError, match="skips filters"):
            read(path)


def test_counts_that_were_never_written_are_no_zeros(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with created(path) as file:
        create_counts(file, SHAPE, chunk_of(SHAPE[1:]), Codec.GZIP)
    with pytest.raises(DatasetError, match="lacks the counts of row 0"):
        read(path)


@pytest.mark.parametrize("filters", [{"compression": "lzf"}, {"scaleoffset": 4}, {"compression": "gzip"}])
def test_foreign_filters_are_refused(tmp_path: Path, filters: dict[str, object]) -> None:
    path = tmp_path / "file.h5"
    with created(path) as file:
        file.create_dataset("full", data=counts_like("empty"), chunks=chunk_of(SHAPE[1:]), **filters)
    with pytest.raises(DatasetError, match="packed by HDF5 filters"):
        read(path)


def test_whatever_a_bad_file_raises_names_it() -> None:
    with pytest.raises(DatasetError, match="here is damaged"), naming_damage(Path("here")):
        zlib.decompress(b"no")


POOR = """
import os, sys
sys.modules["hdf5plugin"] = None
os.environ["HDF5_PLUGIN_PATH"] = os.devnull
from pathlib import Path
import numpy as np
from cosmology.codec import default_codec
from cosmology.hdf5 import opened
from cosmology.stored_counts import StoredCounts

print(default_codec())
for name in sys.argv[1:]:
    try:
        with opened(Path(name)) as file:
            row = np.empty(file["full"].shape[1:], np.uint16)
            StoredCounts(file["full"]).read(1, row)
        print(int(row.sum()))
    except ValueError as error:
        print(error)
assert "torch" not in sys.modules
"""


def test_an_installation_without_the_plugin_writes_gzip_and_says_what_it_cannot_read(tmp_path: Path) -> None:
    counts = counts_like("universe")
    paths = [write(tmp_path / f"{codec}.h5", counts, codec) for codec in CODECS]
    child = subprocess.run(
        [sys.executable, "-c", POOR, *map(str, paths)], check=True, capture_output=True, text=True
    )
    default, fast, everywhere = child.stdout.splitlines()
    assert (default_codec(), default) == (Codec.BITSHUFFLE_LZ4, "gzip")
    assert "bitshuffle-lz4.h5 cannot be read; `pip install hdf5plugin` brings it" in fast
    assert int(everywhere) == counts[1].sum()
