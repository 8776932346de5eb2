"""What ranks do with passes, by hand: a model whose next token depends on every token before it."""

from workloads.energon.generation_request import GenerationRequest

VOCAB_SIZE = 97


def next_token(tokens) -> int:
    value = 7
    for place, token in enumerate(tokens):
        value = (value * 31 + (place + 1) * (token + 3)) % 1_000_003
    return value % VOCAB_SIZE


def alone(request: GenerationRequest) -> list[int]:
    """What a request gives when nothing shares its passes."""
    tokens = list(request.prompt)
    for _ in range(request.max_new_tokens):
        tokens.append(next_token(tokens))
        if tokens[-1] in request.stop_ids:
            break
    return tokens[len(request.prompt) :]


class RanksByHand:
    """Keeps tokens in the place of keys and values, and refuses what no rank could do."""

    def __init__(self) -> None:
        self.kept: dict[int, list[int]] = {}
        self.most_kept = 0

    def do(self, ids, past, tokens, released) -> list[int]:
        for name in released:
            self.kept.pop(name, None)
        if len(set(ids)) != len(ids):
            raise ValueError("a sequence is twice in one pass")
        for name, num_past, new in zip(ids, past, tokens, strict=True):
            if num_past == 0:
                self.kept[name] = []
            if len(self.kept[name]) != num_past or not new:
                raise ValueError(f"{name} keeps {len(self.kept[name])} tokens, not {num_past}")
            self.kept[name] += new
        self.most_kept = max(self.most_kept, sum(map(len, self.kept.values())))
        return [next_token(self.kept[name]) for name in ids]

    def lose(self, ids) -> None:
        """A pass failed: what its sequences kept is gone."""
        for name in ids:
            self.kept.pop(name, None)
