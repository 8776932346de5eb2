"""steps.h5: what comes back, and all that is refused before a number is believed."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saih.domain.errors import DamagedData
from saih.domain.record import Meter, Phase, RankSummary, Steps
from saih.store.steps_file import decode_steps, encode_steps

PATH = Path("attempt-1/steps.h5")
Change = Callable[[h5py.File], None]


def changed(steps: Steps, change: Change) -> bytes:
    """The file of ``steps`` after somebody changed it with HDF5 itself."""
    buffer = io.BytesIO(encode_steps(steps))
    with h5py.File(buffer, "r+") as file:
        change(file)
    return buffer.getvalue()


def refill(file: h5py.File, name: str, **options: object) -> None:
    data = options.pop("data", file[name][()])
    del file[name]
    file.create_dataset(name, **{"data": data, "chunks": np.shape(data), "fletcher32": True, **options})


@settings(deadline=None)  # the first HDF5 file of a process takes long
@given(st.integers(1, 5), st.integers(1, 7), st.sets(st.sampled_from(list(Phase))), st.data())
def test_all_steps_come_back_exactly(
    num_ranks: int, num_steps: int, phases: set[Phase], data: st.DataObject
) -> None:
    row = st.lists(st.integers(0, 2**63 - 1), min_size=num_steps, max_size=num_steps).map(tuple)
    rows = st.lists(row, min_size=num_ranks, max_size=num_ranks).map(tuple)
    finite = st.floats(allow_nan=False, allow_infinity=False)
    steps = Steps(
        duration_ns={phase: data.draw(rows) for phase in phases},
        step_ns=data.draw(rows),
        losses=tuple(data.draw(st.lists(finite, min_size=1, max_size=9))),
        warmup_steps=data.draw(st.integers(0, 9)),
    )
    assert decode_steps(encode_steps(steps), PATH) == steps


def test_meters_come_back_beside_the_phases(steps: Steps) -> None:
    rows = tuple(tuple(range(rank, rank + steps.num_steps)) for rank in range(len(steps.step_ns)))
    metered = replace(steps, meters={Meter.WORK_ON_CPU: rows, Meter.PRODUCE_STORAGE: rows})
    assert decode_steps(encode_steps(metered), PATH) == metered


@pytest.mark.parametrize("is_negative", [False, True], ids=["another shape", "negative"])
def test_impossible_meters_are_neither_written_nor_believed(steps: Steps, *, is_negative: bool) -> None:
    rows = tuple((5,) * steps.num_steps for _ in steps.step_ns)
    wrong = tuple((-1,) * steps.num_steps for _ in steps.step_ns) if is_negative else ((5,),)
    with pytest.raises(ValueError, match="work_on_cpu"):
        encode_steps(replace(steps, meters={Meter.WORK_ON_CPU: wrong}))
    whole = replace(steps, meters={Meter.WORK_ON_CPU: rows})
    spoilt = changed(whole, lambda file: refill(file, "work_on_cpu", data=np.array(wrong, dtype=np.int64)))
    with pytest.raises(DamagedData, match="work_on_cpu"):
        decode_steps(spoilt, PATH)


def test_many_ranks_and_steps_come_back(steps: Steps) -> None:
    rows = tuple(tuple(range(rank, rank + 50)) for rank in range(200))
    many = replace(steps, step_ns=rows, duration_ns={Phase.OTHER: rows})
    assert decode_steps(encode_steps(many), PATH) == many


def test_equal_steps_give_equal_bytes(steps: Steps) -> None:
    assert encode_steps(steps) == encode_steps(steps)


@pytest.mark.parametrize(
    "wrong",
    [
        {"losses": (0.5, float("nan"))},
        {"losses": ()},
        {"step_ns": ()},
        {"step_ns": ((), ())},
        {"duration_ns": {Phase.FORWARD: ((1, 2, 3),)}},
    ],
    ids=["nan loss", "no loss", "no ranks", "no steps", "another shape"],
)
def test_impossible_steps_are_not_written(steps: Steps, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="steps of shape"):
        encode_steps(replace(steps, **wrong))


def external_link(file: h5py.File) -> None:
    del file["step"]
    file["step"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File) -> None:
    del file["forward"]
    file["forward"] = h5py.SoftLink("/step")


def external_storage(file: h5py.File) -> None:
    del file["losses"]
    file.create_dataset("losses", shape=(4,), dtype="f8", external=[("/etc/passwd", 0, 32)])


def virtual(file: h5py.File) -> None:
    del file["step"]
    layout = h5py.VirtualLayout(shape=(2, 3), dtype="i8")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(2, 3))
    file.create_virtual_dataset("step", layout)


def terabytes(file: h5py.File) -> None:
    del file["step"]
    file.create_dataset("step", shape=(2**20, 2**20), dtype="i8", chunks=(64, 64), fletcher32=True)


def group(file: h5py.File) -> None:
    del file["step"]
    file.create_group("step")


def negative(file: h5py.File) -> None:
    file["step"][0, 0] = -1


def not_a_number(file: h5py.File) -> None:
    file["losses"][0] = np.nan


def no_warmup(file: h5py.File) -> None:
    del file.attrs["warmup_steps"]


def missing(file: h5py.File) -> None:
    del file["losses"]


REFUSED: dict[str, tuple[Change, str]] = {
    "external link": (external_link, "link"),
    "soft link": (soft_link, "link"),
    "external storage": (external_storage, "another file"),
    "virtual dataset": (virtual, "another file"),
    "8 TiB declared": (terabytes, "more than the file holds"),
    "group": (group, "not a dataset"),
    "negative duration": (negative, "negative"),
    "nan loss": (not_a_number, "impossible"),
    "no warm-up": (no_warmup, "warmup_steps"),
    "no losses": (missing, "it holds"),
    "another dataset": (lambda file: file.create_dataset("spam", data=[1]), "it holds"),
    "compressed": (lambda file: refill(file, "step", compression="gzip"), "filters"),
    "no checksum": (lambda file: refill(file, "step", fletcher32=False), "filters"),
    "float durations": (lambda file: refill(file, "step", dtype="f8"), "not a dataset of int64"),
    "text": (lambda file: refill(file, "losses", data=np.array([b"x"])), "not a dataset of float64"),
    "another shape": (lambda file: refill(file, "forward", data=np.ones((2, 2), np.int64)), "shape"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_foreign_files_are_refused_with_the_reason(steps: Steps, name: str) -> None:
    change, words = REFUSED[name]
    with pytest.raises(DamagedData, match=words) as caught:
        decode_steps(changed(steps, change), PATH)
    assert str(PATH) in caught.value.problem


@pytest.mark.parametrize("data", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_what_is_no_hdf5_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedData):
        decode_steps(data, PATH)


def test_every_cut_of_a_file_is_damage(steps: Steps) -> None:
    data = encode_steps(steps)
    for length in range(0, len(data), 499):
        with pytest.raises(DamagedData):
            decode_steps(data[:length], PATH)


def test_a_summary_of_many_ranks_comes_back_equal(summarised: Steps) -> None:
    back = decode_steps(encode_steps(summarised), PATH)
    assert back == summarised
    assert (back.num_ranks, back.num_steps, back.slowest_ns) == (70, 2, (9_500, 9_001))


def test_eight_thousand_ranks_take_little_room(summarised: Steps) -> None:
    num_ranks, num_steps = 8192, 2000
    rows = (tuple(range(num_steps)),) * 3
    medians = tuple(range(num_ranks))
    summary = RankSummary(
        num_ranks=num_ranks,
        kept=(2, 1, 0),
        slowest_ns=tuple(range(1, num_steps + 1)),
        median_step_ns=medians,
        median_ns=dict.fromkeys(Phase, medians),
    )
    steps = Steps(
        duration_ns=dict.fromkeys(Phase, rows),
        step_ns=rows,
        losses=(0.5,) * num_steps,
        warmup_steps=0,
        summary=summary,
    )
    data = encode_steps(steps)
    assert len(data) < 1.2 * 8 * (9 * num_ranks + 27 * num_steps + 2 * num_steps) + 2**16
    assert decode_steps(data, PATH) == steps


IMPOSSIBLE: dict[str, tuple[Change, str]] = {
    "half a summary": (lambda file: file.__delitem__("slowest"), "it holds"),
    "medians without ranks": (lambda file: file.__delitem__("kept"), "it holds"),
    "a phase without medians": (lambda file: file.__delitem__("median_forward"), "medians"),
    "medians of fewer ranks": (
        lambda file: refill(file, "median_step", data=np.ones(3, np.int64)),
        "medians",
    ),
    "a negative median": (lambda file: file["median_step"].__setitem__(0, -1), "medians"),
    "a rank beyond": (lambda file: file["kept"].__setitem__(0, 70), "keeps ranks"),
    "a rank twice": (lambda file: file["kept"].__setitem__(0, 35), "rows are of ranks"),
    "a faster slowest": (lambda file: file["slowest"].__setitem__(0, 8_999), "slower than the slowest"),
    "other steps": (lambda file: refill(file, "slowest", data=np.ones(3, np.int64)), "slower than"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_summary_is_refused(summarised: Steps, name: str) -> None:
    change, words = IMPOSSIBLE[name]
    with pytest.raises(DamagedData, match=words):
        decode_steps(changed(summarised, change), PATH)


def test_an_impossible_summary_is_never_written(summarised: Steps) -> None:
    assert summarised.summary is not None
    wrong = replace(summarised, summary=replace(summarised.summary, kept=(1, 1, 1)))
    with pytest.raises(ValueError, match="rows are of ranks"):
        encode_steps(wrong)
