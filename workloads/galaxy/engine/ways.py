"""How a device takes requests of each shape through the model; rooms for messages are kept for the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from workloads.galaxy.engine.answer import Answer, wanted_places
from workloads.galaxy.engine.course import Course
from workloads.galaxy.engine.desk import Key, Room
from workloads.galaxy.engine.direct_sum import DirectSum
from workloads.galaxy.engine.megatron import RingSum
from workloads.galaxy.engine.pipeline import Pipeline
from workloads.galaxy.engine.sequence_parallel import OwnRows
from workloads.galaxy.engine.station import Station
from workloads.galaxy.engine.tiles import Tiles
from workloads.galaxy.engine.whole_rows import NoSum, WholeRows
from workloads.galaxy.plan import Strategy
from workloads.galaxy.schedule import Flow
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want

_NUM_KEPT = 2
"""A long pass and one of a new token come by turns. Of shared rows, whose rooms are large, one is kept."""


class _Shape(NamedTuple):
    num_rows: int
    flow: Flow
    is_kept: bool
    """Whether caches keep keys and values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Through the layers, and to the answer."""

    course: Course
    answer: Answer
    rooms: Mapping[Key, Room]


class Ways:
    """Those of one device of a plan."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._num_kept = 1 if station.plan.strategy is Strategy.SEQUENCE else _NUM_KEPT
        self._courses: dict[_Shape, Course] = {}
        self._ways: dict[tuple[_Shape, Want, tuple[int, ...]], Way] = {}

    def way(self, layout: Layout, want: Want, *, is_kept: bool = False) -> Way:
        """That of requests of such a shape; ``is_kept``: caches keep their keys and values."""
        flow = _flow(layout, is_decoder=self._station.architecture.is_decoder)
        shape = _Shape(layout.num_rows, flow, is_kept)
        rows = wanted_places(layout, want, is_decoder=self._station.architecture.is_decoder)
        key = (shape, want, rows)
        if key not in self._ways:
            _drop_oldest(self._ways, self._num_kept)
            if shape not in self._courses:
                _drop_oldest(self._courses, self._num_kept)
                self._courses[shape] = _course(self._station, shape)
            course = self._courses[shape]
            answer = Answer(self._station, want, rows, course.known)
            self._ways[key] = Way(course=course, answer=answer, rooms={**course.rooms, **answer.rooms})
        return self._ways[key]


def _drop_oldest(
    kept: dict[_Shape, Course] | dict[tuple[_Shape, Want, tuple[int, ...]], Way], most: int
) -> None:
    while len(kept) >= most:
        del kept[next(iter(kept))]  # type: ignore[arg-type]  # the first key of either


def _course(station: Station, shape: _Shape) -> Course:
    plan, num_places, num_rows = station.plan, station.num_places, shape.num_rows
    if num_places == 1:
        return WholeRows(num_rows, num_places, NoSum())
    match plan.strategy:
        case Strategy.SEQUENCE:
            is_one_way = station.architecture.is_decoder and not shape.is_kept
            return OwnRows(station, num_rows, is_one_way=is_one_way)
        case Strategy.PIPELINE:
            return Pipeline(station, num_rows)
        case Strategy.HYBRID if num_rows > plan.direct_rows:
            return Tiles(station, num_rows, shape.flow)
        case Strategy.TENSOR if num_rows > plan.direct_rows:
            return WholeRows(num_rows, num_places, RingSum(station, num_rows))
        case _:
            return WholeRows(num_rows, num_places, DirectSum(station, num_rows))


def _flow(layout: Layout, *, is_decoder: bool) -> Flow:
    """Rows of one sequence that begins here can attend tile by tile."""
    is_padded = layout.padded_to not in (None, layout.lengths[0])
    if layout.num_sequences > 1 or any(layout.past) or is_padded:
        return Flow.WHOLE
    return Flow.CAUSAL if is_decoder else Flow.FULL
