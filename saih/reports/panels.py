"""Small multiples: equal axes side by side in a figure, each with room for its title and ticks."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH_MM = 176.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Panels:
    """Where ``count`` panels stand; all lengths in mm."""

    count: int
    columns: int
    panel_mm: float
    """Height of the axes of one panel."""
    left_mm: float = 15.0
    gap_mm: float = 5.0
    """Between two columns."""
    above_mm: float = 6.0
    """Of each row, for titles."""
    below_mm: float = 5.0
    """Of each row, for ticks."""
    head_mm: float = 0.0
    """Of the figure, for a legend."""
    foot_mm: float = 5.0
    """Of the figure, for the name of the abscissa."""

    @property
    def num_rows(self) -> int:
        """Rows of panels, the last one perhaps not full."""
        return -(-self.count // self.columns)

    @property
    def height_mm(self) -> float:
        """Of the whole figure."""
        row_mm = self.above_mm + self.panel_mm + self.below_mm
        return self.head_mm + self.num_rows * row_mm + self.foot_mm

    @property
    def panel_width_mm(self) -> float:
        """Width of the axes of one panel."""
        return (WIDTH_MM - self.left_mm - self.gap_mm * self.columns) / self.columns

    def axes(self, figure: Figure, index: int) -> Axes:
        """New axes for panel number ``index``, row by row from the top."""
        row, column = divmod(index, self.columns)
        row_mm = self.above_mm + self.panel_mm + self.below_mm
        bottom_mm = self.height_mm - self.head_mm - row * row_mm - self.above_mm - self.panel_mm
        left_mm = self.left_mm + column * (self.panel_width_mm + self.gap_mm)
        return figure.add_axes(
            (
                left_mm / WIDTH_MM,
                bottom_mm / self.height_mm,
                self.panel_width_mm / WIDTH_MM,
                self.panel_mm / self.height_mm,
            )
        )

    def is_first(self, index: int) -> bool:
        """Whether the panel stands in the first column."""
        return index % self.columns == 0

    def is_lowest(self, index: int) -> bool:
        """Whether no panel stands below."""
        return index + self.columns >= self.count
