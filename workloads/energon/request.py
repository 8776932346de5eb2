"""What callers ask an engine for, checked before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from workloads.energon.command import Command
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.errors import RequestError
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want

Prompts = Sequence[Sequence[int]] | Sequence[Tensor] | Tensor
"""Token ids of some sequences: a list for each, or integers [sequences, tokens] without padding."""
_MOST_NAME = 1 << 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Sequences whose keys and values stay on the ranks, so that a later request goes on with them."""

    ids: tuple[int, ...] = ()
    """A name for each sequence of the request. A generator on the same engine uses those below 0."""
    past: tuple[int, ...] = ()
    """Tokens of each that are kept already; empty where there are none."""
    released: tuple[int, ...] = ()
    """Sequences that are given up before this request, or the next one where this is cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One forward pass that can be done; it becomes a command when its turn comes."""

    layout: Layout
    tokens: Tensor
    """Token ids [rows] (int64), padding included where the layout has it."""
    want: Want
    kept: Kept

    def command(self, key: int) -> Command:
        """The command of this request."""
        return Command(
            key=key,
            layout=self.layout,
            tokens=self.tokens,
            want=self.want,
            sequence_ids=self.kept.ids,
            released_ids=self.kept.released,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRules:
    """What one engine can be asked."""

    architecture: TransformerArchitecture
    is_packed: bool

    def request(self, prompts: Prompts, want: Want | str, kept: Kept) -> Request:
        """The request for a forward pass.

        Raises:
            RequestError: when it cannot be answered, with the value that is wrong.
        """
        parts = _parts(prompts)
        lengths = tuple(part.numel() for part in parts)
        tokens = _integers(torch.cat(parts))
        self._check_tokens(tokens)
        kept = _checked(kept, len(lengths))
        self._check_lengths(lengths, kept)
        purpose = self._purpose(want, kept)
        padded_to = None if self.is_packed else max(lengths)
        if padded_to is not None:
            tokens = pad_sequence(list(torch.split(tokens, list(lengths))), batch_first=True).reshape(-1)
        layout = Layout(lengths=lengths, past=kept.past, padded_to=padded_to)
        return Request(layout=layout, tokens=tokens, want=purpose, kept=kept)

    def _check_tokens(self, tokens: Tensor) -> None:
        vocab_size = self.architecture.vocab_size
        least, greatest = (int(edge) for edge in tokens.aminmax())
        if least < 0 or greatest >= vocab_size:
            wrong = least if least < 0 else greatest
            raise RequestError(f"token id {wrong} is not in the vocabulary; ids are 0 to {vocab_size - 1}.")

    def _check_lengths(self, lengths: tuple[int, ...], kept: Kept) -> None:
        past = kept.past or (0,) * len(lengths)
        longest, most = max(map(sum, zip(past, lengths, strict=True))), self.architecture.max_length
        if longest > most:
            raise RequestError(f"a sequence of {longest} tokens is beyond the context of {most}; shorten it.")

    def _purpose(self, want: Want | str, kept: Kept) -> Want:
        try:
            purpose = Want(want)
        except ValueError:
            raise RequestError(f"{want!r} cannot be wanted; use one of {', '.join(Want)}.") from None
        if not self.architecture.is_decoder and (purpose is Want.NEXT_TOKENS or kept != Kept()):
            family = self.architecture.family
            raise RequestError(f"{family} is an encoder: it predicts no next tokens, and keeps no sequences.")
        return purpose


def _checked(kept: Kept, num_sequences: int) -> Kept:
    """The same, in tuples, where it can be."""
    try:
        ids, past, released = (tuple(names) for names in (kept.ids, kept.past, kept.released))
    except (AttributeError, TypeError):
        raise RequestError(f"kept is {kept!r:.200}; give Kept with tuples of int.") from None
    for number in (*ids, *past, *released):
        if type(number) is not int:
            raise RequestError(f"{number!r} is {type(number).__name__}; name and count sequences by int.")
        if not -_MOST_NAME <= number < _MOST_NAME:
            raise RequestError("a number of more than 64 bits names or counts a sequence; use smaller ones.")
    if ids and not len(ids) == len(set(ids)) == num_sequences:
        raise RequestError(f"{list(ids)} do not name {num_sequences} sequences; give each a name of its own.")
    if past and (len(past) != len(ids) or min(past) < 0):
        raise RequestError(
            f"past lengths {list(past)} are given for {len(ids)} kept sequences; "
            "give one for each, 0 or more."
        )
    return Kept(ids=ids, past=past, released=released)


def _parts(prompts: Prompts) -> list[Tensor]:
    """The token ids of each sequence, at least one."""
    if isinstance(prompts, Tensor) and prompts.ndim != 2:
        raise RequestError(
            f"tokens have shape {list(prompts.shape)}; give [sequences, tokens], or a list for each."
        )
    parts = _listed(prompts)
    if not parts:
        raise RequestError("no sequence is given; give at least one.")
    if 0 in (lengths := [part.numel() for part in parts]):
        raise RequestError(f"sequence {lengths.index(0)} is empty; give at least one token for each.")
    return parts


def _listed(prompts: Prompts) -> list[Tensor]:
    try:
        rows = prompts.detach().cpu() if isinstance(prompts, Tensor) else prompts
        parts = [torch.as_tensor(row).detach().cpu().to_dense() for row in rows]
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise RequestError(f"tokens are no lists of integers: {error}") from None
    if wrong := [list(part.shape) for part in parts if part.ndim != 1]:
        raise RequestError(f"a sequence has shape {wrong[0]}; give a list of token ids for each sequence.")
    return parts


def _integers(tokens: Tensor) -> Tensor:
    if tokens.dtype is torch.bool or tokens.is_floating_point() or tokens.is_complex():
        raise RequestError(f"token ids are {tokens.dtype}; give integers.")
    return tokens.to(torch.int64)
