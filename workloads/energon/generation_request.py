"""What can be asked of a generator, checked before anything is queued."""

from collections.abc import Sequence
from dataclasses import dataclass

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.errors import RequestError


class RequestTooLong(RequestError):  # noqa: N818  # callers read it as what is wrong with the request
    """More tokens than a sequence of this model, or the memory for keys and values, can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One prompt, and when to stop."""

    prompt: tuple[int, ...]
    """Token ids, at least one."""
    max_new_tokens: int
    stop_ids: frozenset[int] = frozenset()
    """Tokens after which nothing follows; they belong to what is generated."""

    @property
    def num_kept_tokens(self) -> int:
        """Most tokens whose keys and values are ever kept: those of the last one are never needed."""
        return len(self.prompt) + self.max_new_tokens - 1


def checked_request(
    architecture: TransformerArchitecture, prompt: object, max_new_tokens: object, stop_ids: object = ()
) -> GenerationRequest:
    """The request, where the model can answer it; its values may come from strangers.

    Raises:
        RequestTooLong: beyond the context of the model.
        RequestError: otherwise, with the value that is wrong.
    """
    if not architecture.is_decoder:
        raise RequestError(f"{architecture.family} is an encoder and generates nothing; launch a decoder.")
    if isinstance(max_new_tokens, bool) or not isinstance(max_new_tokens, int) or max_new_tokens < 1:
        raise RequestError(f"max_new_tokens is {_shown(max_new_tokens)}; give a whole number of 1 or more.")
    kept = _token_ids(prompt, "prompt", architecture.vocab_size)
    if not kept:
        raise RequestError("prompt is empty; give at least one token id.")
    stops = _token_ids(stop_ids, "stop", architecture.vocab_size)
    num_tokens = len(kept) + max_new_tokens
    if num_tokens > architecture.max_length:
        raise RequestTooLong(
            f"{len(kept)} tokens of prompt and {_shown(max_new_tokens)} new ones are beyond the context of "
            f"{architecture.max_length}; shorten the prompt or ask for fewer."
        )
    return GenerationRequest(prompt=kept, max_new_tokens=max_new_tokens, stop_ids=frozenset(stops))


def _token_ids(ids: object, name: str, vocab_size: int) -> tuple[int, ...]:
    if isinstance(ids, str | bytes) or not isinstance(ids, Sequence):
        raise RequestError(f"{name} is {_shown(ids)}; give a list of token ids.")
    for place, token in enumerate(ids):
        if isinstance(token, bool) or not isinstance(token, int):
            raise RequestError(f"{name}[{place}] is {_shown(token)}; token ids are whole numbers.")
        if not 0 <= token < vocab_size:
            raise RequestError(
                f"{name}[{place}] is {_shown(token)}, which is not in the vocabulary; ids are 0 to "
                f"{vocab_size - 1}."
            )
    return tuple(ids)


def _shown(value: object) -> str:
    """A value of a stranger, cut to what is worth reading."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integers of more than 4 300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."
