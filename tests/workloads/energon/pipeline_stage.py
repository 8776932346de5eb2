"""A stage without weights, for tests: each of its sums adds 1 to all hidden states."""

from collections.abc import Sequence

import torch
from torch import Tensor

from workloads.energon.plan import EnginePlan
from workloads.energon.ranks import Ranks
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.kv_cache import SequenceCache
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.want import Want

NUM_SUMS = 4
TINY = TransformerArchitecture(
    family=Family.GPT2,
    num_layers=4,
    hidden_size=6,
    num_heads=3,
    num_kv_heads=3,
    head_size=2,
    ffn_size=12,
    vocab_size=7,
    max_length=64,
    activation=Activation.GELU,
    norm_epsilon=1e-5,
)


class AddingStage:
    """Rank t of a group gives t to each sum, rank 0 the rest; ``fault`` says where the next pass fails."""

    architecture = TINY
    place = Place(device=torch.device("cpu"), dtype=torch.float32)
    num_sums = NUM_SUMS

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self.fault = ""

    def forward(
        self, rows: Tensor, layout: Layout, want: Want, caches: Sequence[SequenceCache] | None = None
    ) -> Tensor:
        plan, links = self._ranks.plan, self._ranks.links
        share = plan.share_of(self._ranks.rank)
        self._fail_at("begin")
        hidden = rows[:, None].expand(-1, TINY.hidden_size).float() if links.is_first else rows
        assert hidden.shape[0] == layout.num_rows
        others = sum(range(share.num_ranks))
        for number in range(NUM_SUMS):
            if number == NUM_SUMS // 2:
                self._fail_at("middle")
            part = hidden + 1 - others if share.rank == 0 else torch.full_like(hidden, share.rank)
            hidden = self._ranks.group.sum(part[:-1] if self.fault == "part" else part)
        if links.is_last:
            return self._logits(hidden, plan, share.rank)
        return hidden[:-1] if self.fault == "shape" else hidden

    def _logits(self, hidden: Tensor, plan: EnginePlan, share: int) -> Tensor:
        """Hidden state + number of the column."""
        self._fail_at("gather")
        spans = [each.vocabulary for each in plan.shares]
        wanted = hidden[:-1, :1] if self.fault == "rows" else hidden[:, :1]
        columns = torch.arange(spans[share].begin, spans[share].end)
        whole = self._ranks.group.gather(wanted + columns, [len(span) for span in spans])
        self._fail_at("end")
        return whole

    def _fail_at(self, place: str) -> None:
        if self.fault == place:
            raise MemoryError(f"nothing left at the {place}")
