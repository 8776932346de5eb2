"""Official CosmoFlow universes in HDF5: crops in the official order; hostile files are refused."""

import subprocess
import sys
import zlib
from base64 import b85decode
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosmology.dataset_error import DatasetError
from cosmology.official_hdf5 import describe_official_universe, read_official_crops

ENDLESS_HEAD = zlib.decompress(
    b85decode(
        "c-rk&%}xSA44!sp4M9xgMm+72qX+J40)~?k_23Z`C6W*i{3JdCzKM_G8~8ZLFm0zZ=xQ_}7;Qqj)9JL|v|o35>b6h!ss~l$q"
        "*5`~>>Di$l4dPl^M0Q+ke-u%Mz+IhuR-=Y#ZUdNE;=3Oy-0-f99pkqblW3~^6gjiFF%rQ=cMQKHLaVZUoiF?%tj-pXAi?^?`"
        "CYqcej)K;b1yp9wquS0h4=f1FySYTW_e4U#j5)d%B-384bj1R1D9Tp3aVl;LrI9%0NQc7-@eaeYiY3Z^IHbgDA3cf1dmKPPr"
        "e?^<(}w_`J?5Unu~Hnrnq8jg@P?IHKAgo7S#rEvWt_e4#gYksz4=s(QfM+<dnlMJ=Ah?X1V91mz1Ip4@zU3(B6~_x6lB;C{|"
        "(<vSlDz;Y*}Rmg*?gFZ$k8Bh?wDz?rJbk6U@I6b2H2F#V6gf%E}_`ivf`+<5wHFv?6<72``9UTQNP^9o|6>@!dpp%>}oHxpc"
        "bLsfFhMe<QiK}m$$yX*I*Ea*Xq04M37e-ap-Q;sNLIRQ{%(c!M_c<_%PiE>a><5Z*M)3%etSDUw|2}cmPtRXwG71u-_|2?E>"
        "W)T?iWNq1<2&yr6ZHetT;!^jUR%XTkW9Ji%Q~k*hajm1DlS^ZE{K>MGwf^f26o6m5C"
    )
)
"""3 kB whose head goes on in itself: HDF5 took 23 GB before it was killed. Found by benchmarks.generation."""
UNIT = np.array([0.1, -0.2, 0.3, 1.0])


def cube(side: int = 16, num_channels: int = 4, dtype: str = "<u2") -> np.ndarray:
    return np.random.default_rng(5).poisson(2, (side, side, side, num_channels)).astype(dtype)


def write_universe(path: Path, counts: np.ndarray | None = None, **creation: object) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("full", data=cube() if counts is None else counts, **creation)
        file["unitPar"] = UNIT
        file["physPar"] = np.array([0.303, 0.784, 0.9888, 77.0])
    return path


@pytest.mark.parametrize(
    "creation",
    [
        {},
        {"chunks": (5, 16, 7, 4)},
        {"compression": "gzip", "chunks": (5, 16, 7, 4)},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"fletcher32": True, "chunks": (16, 16, 16, 1)},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["<u2", ">i2"])
def test_crops_come_in_the_official_order(tmp_path: Path, creation: dict[str, object], dtype: str) -> None:
    counts = cube(dtype=dtype)
    counts[3, 2, 1, 0] = -2 if dtype == ">i2" else 65534
    crops = list(read_official_crops(write_universe(tmp_path / "u.hdf5", counts, **creation), 8))
    expected = [
        part
        for slab in np.split(counts, 2, axis=0)
        for row in np.split(slab, 2, axis=1)
        for part in np.split(row, 2, axis=2)
    ]  # as mlcommons/hpc, cosmoflow/prepare.py splits universes
    assert len(crops) == 8
    for crop, part in zip(crops, expected, strict=True):
        assert np.array_equal(crop.counts, np.moveaxis(part, -1, 0).astype("<i2").view(np.uint16))
        assert crop.targets == pytest.approx(UNIT)
    assert crops[0].counts[0, 3, 2, 1] == 65534


def test_a_file_says_its_size_and_redshifts(tmp_path: Path) -> None:
    path = write_universe(tmp_path / "u.hdf5")
    assert describe_official_universe(path).redshifts == ()
    with h5py.File(path, "a") as file:
        file["redshifts"] = np.array([0, 0.5, 1.5, 3.0])
    universe = describe_official_universe(path)
    assert (universe.side, universe.num_channels) == (16, 4)
    assert universe.redshifts == (0, 0.5, 1.5, 3.0)


def test_crops_must_fill_the_universe(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="16 voxels an axis, which crops of 6 do not fill"):
        next(read_official_crops(write_universe(tmp_path / "u.hdf5"), 6))


def _external_link(path: Path) -> None:
    write_universe(path.with_name("elsewhere.h5"))
    with h5py.File(path, "w") as file:
        file["full"], file["unitPar"] = h5py.ExternalLink("elsewhere.h5", "full"), UNIT


def _external_storage(path: Path) -> None:
    path.with_name("raw").write_bytes(bytes(2 * 16**3 * 4))
    with h5py.File(path, "w") as file:
        file.create_dataset("full", (16, 16, 16, 4), "<u2", external=[("raw", 0, 2 * 16**3 * 4)])
        file["unitPar"] = UNIT


def _virtual(path: Path) -> None:
    layout = h5py.VirtualLayout((16, 16, 16, 4), "<u2")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "full", (16, 16, 16, 4))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("full", layout)
        file["unitPar"] = UNIT


def _sparse(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("full", (4096, 4096, 4096, 4), "<u2", chunks=(64, 64, 64, 4), compression="gzip")
        file["unitPar"] = UNIT


def _bomb(path: Path) -> None:
    """A chunk of 8 KiB that inflates to 64 MiB."""
    with h5py.File(path, "w") as file:
        full = file.create_dataset("full", (16, 16, 16, 1), "<u2", chunks=(16, 16, 16, 1), compression="gzip")
        full.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(1 << 23), 9), 0)
        file["unitPar"] = UNIT


def _large_chunks(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("full", (1024, 1024, 1024, 4), "<u2", chunks=(1024, 1024, 512, 1))
        file["unitPar"] = UNIT


def _foreign_filter(path: Path) -> None:
    write_universe(path, compression="lzf")


def _group(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("full")


def _flat(path: Path) -> None:
    write_universe(path, np.zeros((16, 16, 8, 4), "<u2"))


def _floats(path: Path) -> None:
    write_universe(path, np.zeros((16, 16, 16, 4), "<f4"))


def _without_targets(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["full"] = cube()


def _other_targets(path: Path) -> None:
    write_universe(path)
    with h5py.File(path, "a") as file:
        file["unitPar"][1] = 7.0


def _many_targets(path: Path) -> None:
    write_universe(path)
    with h5py.File(path, "a") as file:
        del file["unitPar"]
        file.create_dataset("unitPar", (1 << 40,), "<f8", chunks=(1 << 20,))


def _text(path: Path) -> None:
    path.write_text("no HDF5 at all")


def _truncated(path: Path) -> None:
    write_universe(path)
    path.write_bytes(path.read_bytes()[:-5000])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_external_link, "link to elsewhere"),
        (_external_storage, "stored elsewhere"),
        (_virtual, "stored elsewhere"),
        (_sparse, "not written whole"),
        (_bomb, "does not unpack to the 8192 bytes due|longer than what it holds"),
        (_large_chunks, "above the limit"),
        (_foreign_filter, "are not run; repack it"),
        (_group, "is no dataset"),
        (_flat, "not that of a cube"),
        (_floats, "not counts of 16 bits"),
        (_without_targets, "lacks unitPar"),
        (_other_targets, "from -1 to 1"),
        (_many_targets, "not 4 numbers"),
        (_text, "no HDF5 file"),
        (_truncated, "damaged"),
    ],
)
def test_hostile_files_are_refused(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    make(tmp_path / "hostile.hdf5")
    with pytest.raises(DatasetError, match=words) as refusal:
        next(read_official_crops(tmp_path / "hostile.hdf5", 16))
    assert "hostile.hdf5" in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no file"):
        describe_official_universe(tmp_path / "nothing.hdf5")


_HELD = """
import resource, sys
from pathlib import Path
from cosmology.dataset_error import DatasetError
from cosmology.official_hdf5 import describe_official_universe, read_official_crops
readers = {"head": describe_official_universe, "crops": lambda path: list(read_official_crops(path, 8))}
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # should this fail, the machine must not fail too
before = resource.getrlimit(resource.RLIMIT_AS)
try:
    readers[sys.argv[2]](Path(sys.argv[1]))
except DatasetError as error:
    peak_kib = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    print(error, peak_kib < 400 << 10, resource.getrlimit(resource.RLIMIT_AS) == before)
"""


@pytest.mark.parametrize("what", ["head", "crops"])
def test_a_head_that_never_ends_is_refused_before_it_takes_the_memory(tmp_path: Path, what: str) -> None:
    path = tmp_path / "u.hdf5"
    path.write_bytes(ENDLESS_HEAD)
    done = subprocess.run(
        [sys.executable, "-c", _HELD, str(path), what], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("True True")
    assert "its head takes more than 96 MiB" in done.stdout
