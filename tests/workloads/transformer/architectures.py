"""Small Transformers of every family."""

from dataclasses import replace

from workloads.transformer.architecture import Activation, Family, TransformerArchitecture

GPT2 = TransformerArchitecture(
    family=Family.GPT2,
    num_layers=3,
    hidden_size=24,
    num_heads=4,
    num_kv_heads=4,
    head_size=6,
    ffn_size=37,
    vocab_size=53,
    max_length=40,
    activation=Activation.GELU_TANH,
    norm_epsilon=1e-5,
)
OPT = replace(GPT2, family=Family.OPT, activation=Activation.RELU)
LLAMA = replace(GPT2, family=Family.LLAMA, num_heads=8, activation=Activation.SILU, is_head_tied=False)
BERT = replace(GPT2, family=Family.BERT, activation=Activation.GELU)
ALL = [GPT2, OPT, LLAMA, BERT]
DECODERS = [GPT2, OPT, LLAMA]


def family_name(architecture: TransformerArchitecture) -> str:
    """A name for the cases of a test."""
    return architecture.family.value
