"""The same requests by transformers: padded batches in their order, each until its longest is done."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.energon_serving_load import Asked

_PADDING = 0


def wasted_by_padding(asked: Sequence[Asked], batch_size: int) -> float:
    """Tokens that padded batches generate over those that were asked for."""
    made = sum(len(batch) * max(one.max_new_tokens for one in batch) for batch in _batches(asked, batch_size))
    return made / sum(one.max_new_tokens for one in asked)


class PaddedBatches:
    """A random GPT-2 of transformers, written to a folder for a server of the same weights."""

    def __init__(self, folder: Path, num_threads: int, *, is_small: bool) -> None:
        torch.set_num_threads(num_threads)
        torch.manual_seed(0)
        small: dict[str, Any] = (  # Any: its arguments have many types
            {"n_layer": 6, "n_embd": 256, "n_head": 4, "vocab_size": 8192} if is_small else {}
        )
        config = GPT2Config(**small, bos_token_id=None, eos_token_id=None)
        self.vocab_size: int = config.vocab_size
        kind: Any = GPT2LMHeadModel  # Any: transformers' types do not fit its own calls
        self._model = kind(config).eval()
        self._model.save_pretrained(folder)

    def tokens_per_s(self, asked: Sequence[Asked], batch_size: int) -> float:
        """Tokens that were asked for; those that others of a batch make a request generate do not count."""
        batches = _batches(asked, batch_size)
        self._generate(batches[0][:1], 2)
        begin_s = perf_counter()
        for batch in batches:
            self._generate(batch, max(one.max_new_tokens for one in batch))
        return sum(one.max_new_tokens for one in asked) / (perf_counter() - begin_s)

    def _generate(self, batch: Sequence[Asked], num_tokens: int) -> None:
        longest = max(len(one.prompt) for one in batch)
        tokens = torch.full((len(batch), longest), _PADDING)
        mask = torch.zeros_like(tokens)
        for row, one in enumerate(batch):  # padded on the left, so that all go on at the same place
            tokens[row, longest - len(one.prompt) :] = torch.tensor(one.prompt)
            mask[row, longest - len(one.prompt) :] = 1
        self._model.generate(
            tokens,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=num_tokens,
            min_new_tokens=num_tokens,
            pad_token_id=_PADDING,
        )


def _batches(asked: Sequence[Asked], batch_size: int) -> list[Sequence[Asked]]:
    return [asked[begin : begin + batch_size] for begin in range(0, len(asked), batch_size)]
