"""Texts of a figure as boxes on paper, so that tests can say whether any overlap or leave it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

_ASCENT = 0.72
"""Of a capital letter, in sizes of the type."""
_FINENESS = 64
_FONTS = Path(get_data_path()) / "fonts" / "ttf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a text stands, in points from the top left of the figure."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """How far [points] the boxes would have to move apart; 0 or less where they do not touch."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return min(across, down)


def boxes_of(svg: str) -> tuple[Box, ...]:
    """The boxes of all texts that are not blank."""
    texts = (element for element in _root(svg).iter() if element.tag.endswith("}text"))
    return tuple(_box(element) for element in texts if "".join(element.itertext()).strip())


def overlapping(boxes: Sequence[Box], tolerance: float) -> list[tuple[str, str]]:
    """Pairs of texts that lie over each other by more than ``tolerance`` points."""
    return [(one.text, two.text) for one, two in combinations(boxes, 2) if one.overlap(two) > tolerance]


def outside(svg: str, tolerance: float) -> list[str]:
    """Texts that reach beyond the edge of the figure."""
    root = _root(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    return [
        box.text
        for box in boxes_of(svg)
        if box.left < -tolerance
        or box.top < -tolerance
        or box.right > width + tolerance
        or box.bottom > height + tolerance
    ]


def _root(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own figure


def _box(element: ET.Element) -> Box:
    text = "".join(element.itertext())
    style = element.attrib["style"]
    size = float(re.search(r"(?:font-size: |font: (?:\w+ )*)([\d.]+)px", style)[1])  # type: ignore[index]  # always there
    anchor = re.search(r"text-anchor: (\w+)", style)
    width = _width(text, size, is_bold="bold" in style or "700" in style)
    before = {"middle": 0.5, "end": 1.0}.get(anchor[1] if anchor else "", 0.0) * width
    x, y, angle = _place(element)
    if angle:  # read from below: the text runs upwards
        return Box(text=text, left=x - _ASCENT * size, right=x, top=y - width + before, bottom=y + before)
    return Box(text=text, left=x - before, right=x - before + width, top=y - _ASCENT * size, bottom=y)


def _place(element: ET.Element) -> tuple[float, float, bool]:
    turned = element.attrib.get("transform", "")
    moved = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", turned)
    angle = re.search(r"rotate\(([-\d.]+)", turned)
    x, y = float(element.attrib.get("x", 0)), float(element.attrib.get("y", 0))
    if moved:
        x, y = x + float(moved[1]), y + float(moved[2])
    return x, y, bool(angle and abs(float(angle[1])) > 45)


@cache
def _font(*, is_bold: bool) -> FT2Font:
    return FT2Font(str(_FONTS / ("DejaVuSans-Bold.ttf" if is_bold else "DejaVuSans.ttf")))


def _width(text: str, size: float, *, is_bold: bool) -> float:
    font = _font(is_bold=is_bold)
    font.set_size(_FINENESS * size, 72)  # else letters are widened to whole points
    font.set_text(text, 0)
    return float(font.get_width_height()[0]) / 64 / _FINENESS
