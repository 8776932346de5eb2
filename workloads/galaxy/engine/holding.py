"""The weights that a device holds, and how those of another plan are made of them: the rest is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workloads.galaxy.plan import DevicePart
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layer_store import LayerWeights, WeightSource
from workloads.transformer.loading import load_parts
from workloads.transformer.place import Place
from workloads.transformer.rank_weights import RankWeights, end_parts, layer_parts
from workloads.transformer.split import Span
from workloads.transformer.weight_names import HEAD, TOKENS

_VALUES_AT_ONCE = 1 << 15
"""Of a weight that is read. Small tensors that stay are put where a block was before, so that the next block
lies elsewhere: glibc's heap has a hole of about a block for each weight. With 4 MiB in a block, devices that
have no memory to spare could not hold their plan. These take twice the time: 0.6 s for a GB in a file."""
_ENDS = -1
"""Where the embeddings and the head are, among numbers of layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The part of a model that lies on one device; nothing of it where a device only paces."""

    groups: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    """By the number of the layer, as ``rank_weights`` lays it out; ``_ENDS``: before and behind."""
    parts: dict[int, RankWeights] = field(default_factory=dict)
    """What lies where in them."""

    def layer(self, index: int) -> LayerWeights:
        """The weights of a layer (its number in the model)."""
        return self.groups[index]

    @property
    def ends(self) -> LayerWeights:
        """The embeddings before the first layer, the norm and a part of the head behind the last."""
        return self.groups[_ENDS]


def load_holding(
    architecture: TransformerArchitecture,
    part: DevicePart,
    weights: WeightSource,
    place: Place,
    held: Holding | None = None,
) -> Holding:
    """What a device of a plan holds. ``held`` is what it holds already; it is used up.

    Layers are replaced one by one, so that no more than one of them is in memory twice.

    Raises:
        WeightError: for a weight that cannot be used; what was held is lost then, too.
    """
    old = held or Holding()
    wanted = {index: layer_parts(architecture, index, part.share) for index in part.layers}
    wanted[_ENDS] = end_parts(architecture, part.layers, part.share)
    for index in set(old.groups) - set(wanted):
        del old.groups[index], old.parts[index]
    for index, parts in wanted.items():
        group = old.groups.pop(index, {})
        before = old.parts.pop(index, {})
        source = _HeldFirst(group, before, weights)
        same = {name: group[name] for name in parts if before.get(name) == parts[name]}
        missing = {name: named for name, named in parts.items() if name not in same}
        old.groups[index] = same | load_parts(missing, source, place, _VALUES_AT_ONCE)
        old.parts[index] = parts
    _tie(architecture, part, old.groups[_ENDS])
    return old


def _tie(architecture: TransformerArchitecture, part: DevicePart, ends: dict[str, Tensor]) -> None:
    """A head that is a part of the embedding on the same device is no tensor of its own."""
    is_last = part.layers.end == architecture.num_layers
    if architecture.is_decoder and is_last and architecture.is_head_tied and TOKENS in ends:
        ends[HEAD] = ends[TOKENS][part.share.vocabulary.begin : part.share.vocabulary.end]


class _HeldFirst:
    """Weights of which some parts are in memory already."""

    def __init__(self, group: Mapping[str, Tensor], parts: RankWeights, behind: WeightSource) -> None:
        self._behind = behind
        self._held: dict[str, tuple[tuple[Span, ...], Tensor]] = {}
        for name, named in parts.items():
            begin = 0
            for part in named:
                end = begin + part.shape[0]
                self._held[part.name] = (part.spans, group[name][begin:end])
                begin = end

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        """A part of one weight: what is held from memory, the rest from where all of it is.

        Raises:
            WeightError: when it cannot be used.
        """
        asked = tuple(span for span in spans if span is not None)
        if name not in self._held or len(asked) != len(spans):
            return self._behind.read(name, spans)
        before, tensor = self._held[name]
        if before[0].begin <= asked[0].begin and asked[0].end <= before[0].end:
            tensor = tensor.narrow(0, asked[0].begin - before[0].begin, len(asked[0]))
            before = (asked[0], *before[1:])
        dims = [dim for dim, span in enumerate(asked) if span != before[dim]]
        if not dims:
            return tensor
        (dim, *more) = dims
        common = Span(max(asked[dim].begin, before[dim].begin), min(asked[dim].end, before[dim].end))
        if more or common.begin >= common.end:
            return self._behind.read(name, spans)
        kept = tensor.narrow(dim, common.begin - before[dim].begin, len(common)).cpu()
        pieces = [
            kept if span == common else self._behind.read(name, [*asked[:dim], span, *asked[dim + 1 :]])
            for span in (Span(asked[dim].begin, common.begin), common, Span(common.end, asked[dim].end))
            if span.begin < span.end
        ]
        return torch.cat(pieces, dim) if len(pieces) > 1 else kept
