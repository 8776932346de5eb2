"""What no work on padding gains on this device, as a share of what the fewer FLOPs allow."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from benchmarks.energon_gpu_model import (
    DrawnWeights,
    Setting,
    architecture_of,
    give_memory_back,
    seconds,
    token_ids,
)
from benchmarks.energon_gpu_peer import padded_pass
from benchmarks.energon_gpu_report import Bar, Cell, Section
from benchmarks.energon_mixes import MIXES, flop_limit, repadded_limit, valid_fraction
from saih.domain.interval import Interval, median_interval
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.exchange import Alone
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_stage
from workloads.transformer.place import Place
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.stage import Stage
from workloads.transformer.varlen import kernel_for
from workloads.transformer.want import Want

LIMIT_SHARE = 0.85
FAMILIES = (Family.BERT, Family.GPT2)
_ROUNDS, _QUICK_ROUNDS = 15, 3
_COLUMNS = ("batch", "tokens", "limit", "re-padded", "packed [ms]", "gain over own padded [95 %]",
            "of the limit", "gain over transformers [95 %]")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of the models, and how the mixes of a CPU are made larger."""

    num_layers: int
    hidden: int
    times_longer: int
    num_copies: int
    num_rounds: int


def padding(setting: Setting) -> Section:
    """A batch with its padding, packed, and padded in transformers where it is installed, in turns."""
    size = _size(setting)
    rows, bars = [], []
    for family in FAMILIES:
        longest = max(map(max, MIXES.values())) * size.times_longer
        architecture = architecture_of(family, size.num_layers, size.hidden, longest)
        ways = _Ways(setting, architecture)
        for name, mix in MIXES.items():
            lengths = tuple(length * size.times_longer for length in mix) * size.num_copies
            row, share = _measured(setting, ways, lengths, size.num_rounds)
            rows.append((f"{family}, {name} x {size.times_longer}, {len(lengths)} sequences", *row))
            bars.append(
                Bar(name=f"drce {family} {name}", value=share, unit="of the FLOP limit", relation=">=",
                    limit=LIMIT_SHARE)
            )  # fmt: skip
        del ways
        give_memory_back(setting.device)
    return Section(
        title="No work on padding",
        columns=_COLUMNS,
        rows=tuple(rows),
        remarks=(_remark(setting, size),),
        bars=tuple(bars),
    )


def _size(setting: Setting) -> Size:
    if setting.is_quick:
        return Size(num_layers=1, hidden=64, times_longer=1, num_copies=1, num_rounds=_QUICK_ROUNDS)
    return Size(num_layers=8, hidden=4096, times_longer=4, num_copies=4, num_rounds=_ROUNDS)


class _Ways:
    """One model, by which batches are computed in several ways."""

    def __init__(self, setting: Setting, architecture: TransformerArchitecture) -> None:
        self.architecture = architecture
        self._device = setting.device
        self._stage: Stage = load_stage(
            architecture,
            Span(0, architecture.num_layers),
            tensor_shares(architecture, 1)[0],
            DrawnWeights(architecture, setting),
            Alone(),
            Place(device=setting.device, dtype=setting.dtype),
        )
        self._peer = padded_pass(architecture, setting)

    def of(self, lengths: Sequence[int]) -> Iterator[Callable[[], object]]:
        """Packed, padded, and padded in transformers where it is there."""
        padded = Layout(lengths=tuple(lengths), padded_to=max(lengths))
        for layout in (Layout(lengths=tuple(lengths)), padded):
            ids = token_ids(layout.num_rows, self.architecture.vocab_size)
            yield self._pass(torch.tensor(ids, device=self._device), layout)
        if not isinstance(self._peer, str):
            yield self._peer(lengths)

    def _pass(self, tokens: torch.Tensor, layout: Layout) -> Callable[[], object]:
        return lambda: self._stage.forward(tokens, layout, Want.LAST_ROWS)


@torch.inference_mode()
def _measured(
    setting: Setting, ways: _Ways, lengths: Sequence[int], num_rounds: int
) -> tuple[tuple[Cell, ...], float]:
    """The cells of a row behind its name, and the share of the limit that is reached."""
    both = tuple(ways.of(lengths))
    rounds = [[seconds(setting.device, way) for way in both] for _ in range(num_rounds + 1)][1:]
    own = median_interval([padded / packed for packed, padded, *_ in rounds])
    peers = [others[0] / packed for packed, _, *others in rounds if others]
    limit = flop_limit(ways.architecture, lengths)
    cells = (
        f"{valid_fraction(lengths):.1%}",
        limit,
        repadded_limit(ways.architecture, lengths),
        1e3 * median_interval([packed for packed, *_ in rounds]).value,
        _shown(own),
        f"{own.value / limit:.1%}",
        _shown(median_interval(peers)) if peers else "not installed",
    )
    return cells, own.value / limit


def _shown(gain: Interval) -> str:
    return f"{gain.value:.2f} [{gain.low:.2f}, {gain.high:.2f}]"


def _remark(setting: Setting, size: Size) -> str:
    place = Place(device=setting.device, dtype=setting.dtype)
    kernel = kernel_for(Layout(lengths=(2, 3)), place, 128)
    how = "one call of flash attention for all sequences" if kernel else "one call for each length in turn"
    return (
        f"{size.num_layers} layers of {size.hidden}, {setting.dtype}, medians of {size.num_rounds} rounds; "
        f"packed attention is {how}."
    )
