"""One request on its way from its prompt to its last token."""

from dataclasses import dataclass
from enum import StrEnum

from workloads.energon.generation_request import GenerationRequest


class Finish(StrEnum):
    """Why a generation ended well."""

    STOP = "stop"
    """A stop token was generated."""
    LENGTH = "length"
    """As many tokens as were asked for."""


@dataclass(slots=True, kw_only=True, eq=False)
class SequenceProgress:
    """A request on its way."""

    ticket: int
    request: GenerationRequest
    sequence_id: int
    """The name of its keys and values on the ranks."""
    tokens: list[int]
    """The prompt, and what was generated."""
    num_past: int = 0
    is_under_way: bool = False
    is_cancelled: bool = False
    is_alone: bool = False
    """It was in a pass that failed: it shares none until it gave a token, so that only the culprit fails."""

    @property
    def num_missing(self) -> int:
        """Tokens that no pass has seen."""
        return len(self.tokens) - self.num_past

    @property
    def is_decoding(self) -> bool:
        """Whether its next pass has one token."""
        return self.num_missing == 1

    @property
    def finish(self) -> Finish | None:
        """Why its last token is the last; None where it is not."""
        if self.tokens[-1] in self.request.stop_ids:
            return Finish.STOP
        is_long = len(self.tokens) - len(self.request.prompt) >= self.request.max_new_tokens
        return Finish.LENGTH if is_long else None
