"""What an engine can be asked, and how what it cannot is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workloads.energon.request import Kept, RequestRules
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.errors import RequestError
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want


def rules(family: Family = Family.GPT2, *, is_packed: bool = True) -> RequestRules:
    architecture = TransformerArchitecture(
        family=family,
        num_layers=1,
        hidden_size=4,
        num_heads=1,
        num_kv_heads=1,
        head_size=4,
        ffn_size=4,
        vocab_size=11,
        max_length=8,
        activation=Activation.GELU,
        norm_epsilon=1e-5,
    )
    return RequestRules(architecture=architecture, is_packed=is_packed)


@given(prompts=st.lists(st.lists(st.integers(0, 10), min_size=1, max_size=8), min_size=1, max_size=6))
def test_lists_arrays_and_tensors_of_any_lengths_are_packed_in_their_order(prompts: list[list[int]]) -> None:
    flat = [token for prompt in prompts for token in prompt]
    kinds = [
        prompts,
        tuple(map(tuple, prompts)),
        [torch.tensor(prompt, dtype=torch.int32) for prompt in prompts],
    ]
    kinds.append([torch.tensor(prompt).numpy() for prompt in prompts])
    for given_prompts in kinds:
        request = rules().request(given_prompts, Want.LAST_ROWS, Kept())  # type: ignore[arg-type]  # also arrays
        assert request.tokens.tolist() == flat
        assert request.tokens.dtype is torch.int64
        assert request.layout == Layout(lengths=tuple(map(len, prompts)))


def test_a_tensor_of_whole_sequences_is_taken() -> None:
    request = rules().request(torch.arange(6, dtype=torch.uint8).reshape(2, 3), "next_tokens", Kept())
    assert request.tokens.tolist() == [0, 1, 2, 3, 4, 5]
    assert request.layout.lengths == (3, 3)
    assert request.want is Want.NEXT_TOKENS


def test_an_engine_that_pads_gets_padded_rows() -> None:
    request = rules(is_packed=False).request([[1], [2, 3, 4]], Want.ALL_ROWS, Kept())
    assert request.tokens.tolist() == [1, 0, 0, 2, 3, 4]
    assert request.layout == Layout(lengths=(1, 3), padded_to=3)


def test_kept_sequences_travel_in_the_command() -> None:
    kept = Kept(ids=(4, 7), past=(6, 0), released=(5,))
    command = rules().request([[1, 1], [2]], Want.NEXT_TOKENS, kept).command(12)
    assert (command.key, command.sequence_ids, command.released_ids) == (12, (4, 7), (5,))
    assert command.layout.past_lengths == (6, 0)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([[1, 11]], "token id 11 is not in the vocabulary; ids are 0 to 10"),
        ([[3], [-1]], "token id -1"),
        ([[1 << 70]], "no lists of integers"),
        ([], "no sequence"),
        ([[1], []], "sequence 1 is empty"),
        (torch.zeros(2, 0, dtype=torch.int64), "sequence 0 is empty"),
        (torch.zeros(0, 2, dtype=torch.int64), "no sequence"),
        ([[1] * 9], "9 tokens is beyond the context of 8"),
        ([1, 2, 3], "list of token ids for each sequence"),
        ([[[1]]], "list of token ids for each sequence"),
        (torch.tensor([1, 2]), r"shape \[2\]"),
        (torch.zeros(1, 2), "float32; give integers"),
        ([[1.0, 2.0]], "float32; give integers"),
        ([[True, False]], "bool; give integers"),
        ([["a"]], "no lists of integers"),
        ("text", "no lists of integers"),
        ([[None]], "no lists of integers"),
        (None, "no lists of integers"),
        ([[1, [2]]], "no lists of integers"),
    ],
)
def test_what_is_no_prompt_is_refused_with_what_is_wrong(prompts: object, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        rules().request(prompts, Want.ALL_ROWS, Kept())  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (Kept(ids=(1,)), "do not name 2 sequences"),
        (Kept(ids=(1, 1)), "do not name 2 sequences"),
        (Kept(ids=(1, 1, 2)), "do not name 2 sequences"),
        (Kept(ids=(1, 2), past=(1,)), "give one for each"),
        (Kept(past=(1, 1)), "give one for each"),
        (Kept(ids=(1, 2), past=(0, -1)), "0 or more"),
        (Kept(ids=(1, 2), past=(0, 7)), "a sequence of 9 tokens is beyond the context of 8"),
    ],
)
def test_kept_sequences_that_cannot_be_are_refused(kept: Kept, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        rules().request([[1], [2, 3]], Want.NEXT_TOKENS, kept)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (None, "kept is None; give Kept"),
        (Kept(ids=None), "give Kept with tuples of int"),  # type: ignore[arg-type]  # wrong on purpose
        (Kept(ids=("a", "b")), "'a' is str"),  # type: ignore[arg-type]
        (Kept(ids=(1, True)), "True is bool"),
        (Kept(ids=(1, 10**5000)), "more than 64 bits"),
        (Kept(ids=(1, 2), past=(0, 10**5000)), "more than 64 bits"),
    ],
)
def test_what_names_no_sequences_is_refused(kept: Kept, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        rules().request([[1], [2, 3]], Want.NEXT_TOKENS, kept)


def test_names_may_come_in_any_sequence_and_the_caller_may_change_it_later() -> None:
    names = [4, 7]
    request = rules().request([[1], [2]], Want.NEXT_TOKENS, Kept(ids=names, released=[5]))  # type: ignore[arg-type]
    names.clear()
    command = request.command(0)
    assert (command.sequence_ids, command.released_ids) == ((4, 7), (5,))


def test_a_tensor_without_values_is_refused_and_a_sparse_one_taken() -> None:
    with pytest.raises(RequestError, match="no lists of integers"):
        rules().request(torch.ones(1, 2, device="meta").long(), Want.ALL_ROWS, Kept())
    request = rules().request(torch.eye(2).long().to_sparse(), Want.ALL_ROWS, Kept())
    assert request.tokens.tolist() == [1, 0, 0, 1]


def test_an_encoder_predicts_and_keeps_nothing() -> None:
    for want, kept in ((Want.NEXT_TOKENS, Kept()), (Want.ALL_ROWS, Kept(ids=(1,)))):
        with pytest.raises(RequestError, match="encoder"):
            rules(Family.BERT).request([[1]], want, kept)
    with pytest.raises(RequestError, match="use one of all_rows, last_rows, next_tokens"):
        rules().request([[1]], "everything", Kept())


def test_names_and_lengths_of_kept_sequences_are_whole_numbers() -> None:
    of_numpy, of_torch = Kept(ids=(np.int64(5),)), Kept(ids=(1,), past=(torch.tensor(3),))
    for kept in (of_numpy, of_torch, Kept(released=(True,))):
        with pytest.raises(RequestError, match="name and count sequences by int"):
            rules().request([[1, 2]], Want.NEXT_TOKENS, kept)
