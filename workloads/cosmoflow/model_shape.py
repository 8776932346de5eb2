"""The model shape of a CosmoFlow problem: a member of the family by its sizes, or by what it shall cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from augment.model import MOST_WIDTH
from augment.problem import ProblemError, Shape
from cosmology.architecture import Checkpointing, Normalisation
from workloads.cosmoflow.members import MOST_DEPTH, Options, member_near

MODEL_SIZES: Mapping[str, str] = {
    "depth": "convolutions of each stage; 1 is the reference",
    "width": "channels of the first stage; 32 is the reference",
    "flops_per_sample": "training FLOP of a sample [FLOP]: the nearest member of the family is taken, of the "
    "depth or width that stands beside it, if one does",
    "normalisation": "after each convolution: none (the default), or group",
    "checkpointing": "what the backward pass computes again instead of keeping it: none (the default), "
    "branches (residual ones: a lower peak from depth 3 on), or stages",
}
_MOST_OFF = 0.5
"""Further from the cost that was asked for no network stands for it."""
_LIMITS: Mapping[str, int] = {"depth": MOST_DEPTH, "width": MOST_WIDTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes of one model, checked; its cost decides what is None of the others."""

    depth: int | None = None
    width: int | None = None
    flops_per_sample: float | None = None
    normalisation: Normalisation = Normalisation.NONE
    checkpointing: Checkpointing = Checkpointing.NONE

    @staticmethod
    def read(shape: Shape, faults: list[str]) -> "ModelShape":
        """The model of a shape; what is wrong with it is added to ``faults``."""
        faults += [
            f"the model shape has no size {name!r}; its sizes are {', '.join(MODEL_SIZES)}."
            for name in shape
            if name not in MODEL_SIZES
        ]
        return _read(shape, faults)

    @property
    def options(self) -> Options:
        """What the network has besides its sizes."""
        return Options(normalisation=self.normalisation, checkpointing=self.checkpointing)

    def extent(self, resolution: int, channels: int) -> tuple[int, int]:
        """Depth and width, found by their cost where that was asked for.

        Raises:
            ProblemError: when no network costs about what is asked for.
        """
        if self.flops_per_sample is not None:
            found = member_near(
                self.flops_per_sample,
                resolution=resolution,
                channels=channels,
                depth=self.depth,
                width=self.width,
                options=self.options,
            )
            if abs(found.deviation(self.flops_per_sample)) > _MOST_OFF:
                raise ProblemError(
                    f"no network for {resolution}^3 x {channels} costs {self.flops_per_sample:.3g} FLOP a "
                    f"sample; the nearest has width {found.width} and depth {found.depth} and costs "
                    f"{found.flops_per_sample:.3g}: ask for about that, or for another resolution."
                )
            return found.depth, found.width
        if self.depth is None or self.width is None:
            raise ProblemError("depth and width are missing; give both, or flops_per_sample.")
        return self.depth, self.width


def _read(shape: Shape, faults: list[str]) -> ModelShape:
    depth = width = None
    flops: float | None = None
    by_cost = "flops_per_sample" in shape
    try:
        flops = shape.amount("flops_per_sample") if by_cost else None
    except ProblemError as error:
        faults.append(str(error))
    if by_cost and "depth" in shape and "width" in shape:
        faults.append(
            "flops_per_sample, depth and width are all given; leave out depth, width, or both, which then "
            "follow from the cost."
        )
    depth = _count(shape, "depth", faults, is_optional=by_cost)
    width = _count(shape, "width", faults, is_optional=by_cost)
    return ModelShape(
        depth=depth,
        width=width,
        flops_per_sample=flops,
        normalisation=Normalisation(_word(shape, "normalisation", tuple(Normalisation), faults)),
        checkpointing=Checkpointing(_word(shape, "checkpointing", tuple(Checkpointing), faults)),
    )


def _count(shape: Shape, name: str, faults: list[str], *, is_optional: bool) -> int | None:
    if is_optional and name not in shape:
        return None
    try:
        return shape.count(name, at_most=_LIMITS[name])
    except ProblemError as error:
        faults.append(str(error))
    return None


def _word(shape: Shape, name: str, words: tuple[str, ...], faults: list[str]) -> str:
    """One of ``words``, of which the first stands for a size that is not given or wrong."""
    if name not in shape:
        return words[0]
    try:
        return shape.word(name, words)
    except ProblemError as error:
        faults.append(str(error))
    return words[0]
