"""How much a scheduler may put into one forward pass, and how much it may admit; arithmetic only."""

from dataclasses import dataclass

from augment.problem import ProblemError
from workloads.energon.plan import EnginePlan
from workloads.transformer.architecture import TransformerArchitecture


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules:
    """The limits of continuous batching.

    Raises:
        ProblemError: for limits within which nothing could run.
    """

    num_kept_tokens: int
    """Most tokens whose keys and values are kept, over all running sequences.

    A sequence is admitted when all that it may ever need is free: none that runs lacks memory later."""
    block_tokens: int = 1
    """Memory for keys and values is taken for a multiple of so many tokens of a sequence."""
    max_rows: int = 2048
    """Most rows of one pass: tokens of prompts and of decoding together, and padding where there is some."""
    max_running: int = 64
    """Most sequences that are worked on by turns."""
    max_waiting: int = 256
    """Most requests that may wait to be admitted."""
    num_passes: int = 1
    """Passes that may be under way at once: each stage of a pipeline needs one to have work."""
    is_packed: bool = True
    """Whether sequences with different numbers of new tokens share a pass without padding."""

    def __post_init__(self) -> None:
        for name in (
            "num_kept_tokens",
            "block_tokens",
            "max_rows",
            "max_running",
            "max_waiting",
            "num_passes",
        ):
            if getattr(self, name) < 1:
                raise ProblemError(f"{name} is {getattr(self, name)}; give 1 or more.")

    def set_aside(self, num_tokens: int) -> int:
        """Tokens for which a sequence of ``num_tokens`` takes memory; it may be all that there is."""
        return min(-(-num_tokens // self.block_tokens) * self.block_tokens, self.num_kept_tokens)


def num_kept_tokens(
    architecture: TransformerArchitecture, plan: EnginePlan, *, cache_bytes: int, element_bytes: int
) -> int:
    """Tokens whose keys and values fit into ``cache_bytes`` on every rank of an engine.

    A rank keeps a key and a value of each of its heads in each of its layers.
    """
    token_bytes = max(
        2 * len(layers) * len(share.kv_heads) * architecture.head_size * element_bytes
        for layers in plan.stages
        for share in plan.shares
    )
    return cache_bytes // token_bytes
