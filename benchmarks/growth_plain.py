"""Plain deepening: convolutions one after the other, with nothing around them. A warning, not a member."""

from torch import Tensor, nn
from torch.nn import functional

from cosmology.architecture import NEGATIVE_SLOPE, OUTPUT_SCALE, Architecture, Recipe
from cosmology.network import build


class PlainNetwork(nn.Module):
    """The layers of a member without its residual branches, Xavier's weights in all of them."""

    def __init__(self, architecture: Architecture, seed: int) -> None:
        super().__init__()
        family = build(architecture, seed=seed, recipe=Recipe.REFERENCE)
        self.stages = nn.ModuleList(
            nn.ModuleList(layer for layer in stage.modules() if isinstance(layer, nn.Conv3d))
            for stage in family.stages
        )
        self.dense = nn.ModuleList(layer for layer in family.modules() if isinstance(layer, nn.Linear))

    def forward(self, grids: Tensor) -> Tensor:
        """Normalised targets of a batch of normalised grids."""
        for stage in self.stages:
            for layer in stage.children():
                grids = functional.leaky_relu(layer(grids), NEGATIVE_SLOPE)
            grids = functional.max_pool3d(grids, 2)
        features = grids.permute(0, 2, 3, 4, 1).flatten(1)
        *hidden, last = self.dense
        for layer in hidden:
            features = functional.leaky_relu(layer(features), NEGATIVE_SLOPE)
        return OUTPUT_SCALE * last(features).tanh()
