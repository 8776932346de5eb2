"""What a server counts, as text that Prometheus reads (exposition format 0.0.4)."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from workloads.energon.generation import GeneratorStats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FIRST_TOKEN_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_NEXT_TOKEN_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_REQUEST_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


@dataclass(slots=True, kw_only=True)
class Histogram:
    """How often something took at most so long."""

    name: str
    meaning: str
    bounds_s: Sequence[float]
    _counts: list[int] = field(init=False)
    _sum_s: float = 0.0

    def __post_init__(self) -> None:
        self._counts = [0] * (len(self.bounds_s) + 1)

    def observe(self, duration_ns: int) -> None:
        """It took so long [ns]."""
        duration_s = duration_ns / 1e9
        self._counts[bisect_left(self.bounds_s, duration_s)] += 1
        self._sum_s += duration_s

    def lines(self) -> list[str]:
        """In Prometheus' words."""
        until = list(accumulate(self._counts))
        bounds = [*(f"{bound:g}" for bound in self.bounds_s), "+Inf"]
        return [
            *_head(self.name, "histogram", self.meaning),
            *(f'{self.name}_bucket{{le="{bound}"}} {num}' for bound, num in zip(bounds, until, strict=True)),
            f"{self.name}_sum {self._sum_s!r}",
            f"{self.name}_count {until[-1]}",
        ]


class ServingMetrics:
    """Counts of one server. Only its event loop may use it."""

    def __init__(self) -> None:
        self.first_token = Histogram(
            name="energon_time_to_first_token_seconds",
            meaning="From the arrival of a request to its first token.",
            bounds_s=_FIRST_TOKEN_S,
        )
        self.next_token = Histogram(
            name="energon_time_per_output_token_seconds",
            meaning="From each token of a request to its next.",
            bounds_s=_NEXT_TOKEN_S,
        )
        self.request = Histogram(
            name="energon_request_duration_seconds",
            meaning="From the arrival of a request to its last token.",
            bounds_s=_REQUEST_S,
        )
        self._outcomes: Counter[str] = Counter()
        self._num_prompt_tokens = self._num_generated_tokens = 0

    def count_outcome(self, outcome: str) -> None:
        """A request ended: by ``stop`` or ``length``, cancelled, or with this type of error."""
        self._outcomes[outcome] += 1

    def count_prompt(self, num_tokens: int) -> None:
        """A prompt was taken."""
        self._num_prompt_tokens += num_tokens

    def count_token(self) -> None:
        """A token was generated."""
        self._num_generated_tokens += 1

    def text(self, stats: GeneratorStats, *, is_up: bool) -> str:
        """Everything, in Prometheus' words."""
        now = stats.now
        lines = [
            *_plain("energon_up", "gauge", "Whether requests are answered.", int(is_up)),
            *_plain("energon_requests_waiting", "gauge", "Requests that wait.", now.num_waiting),
            *_plain("energon_requests_running", "gauge", "Requests that are worked on.", now.num_running),
            *_plain(
                "energon_kept_tokens", "gauge", "Tokens that memory is set aside for.", now.num_kept_tokens
            ),
            *_plain("energon_passes_total", "counter", "Forward passes.", stats.num_passes),
            *_plain("energon_rows_total", "counter", "Tokens of all forward passes.", stats.num_rows),
            *_plain("energon_prompt_tokens_total", "counter", "Tokens of prompts.", self._num_prompt_tokens),
            *_plain("energon_tokens_total", "counter", "Generated tokens.", self._num_generated_tokens),
            *_head("energon_requests_total", "counter", "Requests that ended, by their outcome."),
            *(
                f'energon_requests_total{{outcome="{name}"}} {num}'
                for name, num in sorted(self._outcomes.items())
            ),
            *self.first_token.lines(),
            *self.next_token.lines(),
            *self.request.lines(),
        ]
        return "\n".join(lines) + "\n"


def _plain(name: str, kind: str, meaning: str, value: int) -> list[str]:
    return [*_head(name, kind, meaning), f"{name} {value}"]


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
