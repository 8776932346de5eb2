"""Published Transformers from 66 million to 175 billion weights, by name; arithmetic only.

opt-350m is not among them: it alone has LayerNorm behind its parts and a smaller embedding.
"""

from dataclasses import dataclass, replace

from augment.problem import ProblemError
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture

_GPT2_PAPER = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners, table 2"
_GPT3_PAPER = "Brown et al. 2020, arXiv 2005.14165, table 2.1"
_OPT_PAPER = "Zhang et al. 2022, arXiv 2205.01068, table 1"
_LLAMA_PAPER = "Touvron et al. 2023, arXiv 2302.13971, table 2"
_LLAMA2_PAPER = "Touvron et al. 2023, arXiv 2307.09288, table 1"
_LLAMA3_PAPER = "Dubey et al. 2024, arXiv 2407.21783, table 3"
_BERT_PAPER = "Devlin et al. 2018, arXiv 1810.04805, section 3"
_DISTILBERT_PAPER = "Sanh et al. 2019, arXiv 1910.01108, section 3 and table 3"
_MILLION, _BILLION = 10**6, 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """One model as it was published."""

    name: str
    architecture: TransformerArchitecture
    source: str
    """The paper, and what else says its sizes."""
    num_parameters: float | None
    """As its source gives it; None where only the sizes are given."""
    rounded_to: float
    """What the last digit of ``num_parameters`` stands for; some sources round, some cut."""


def named(name: str) -> TransformerArchitecture:
    """The architecture of a published model, such as ``gpt2-124m`` or ``opt-175b``.

    Raises:
        ProblemError: for an unknown name, with all names.
    """
    return published(name).architecture


def published(name: str) -> PublishedModel:
    """A published model with its source.

    Raises:
        ProblemError: for an unknown name, with all names.
    """
    for model in LADDER:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in LADDER)
    raise ProblemError(f"No published model is called {name[:60]!r}; those known are {names}.")


def _gpt2(name: str, layers: int, hidden: int, heads: int, millions: int) -> PublishedModel:
    # Counts: README of github.com/openai/gpt-2, which corrects those of the paper.
    return PublishedModel(
        name=name,
        architecture=_gpt(Family.GPT2, layers, hidden, heads, length=1024),
        source=f"{_GPT2_PAPER}; counts and vocabulary: github.com/openai/gpt-2",
        num_parameters=millions * _MILLION,
        rounded_to=_MILLION,
    )


def _opt(name: str, layers: int, hidden: int, heads: int, count: tuple[float, float]) -> PublishedModel:
    return PublishedModel(
        name=name,
        architecture=_gpt(Family.OPT, layers, hidden, heads, length=2048),
        source=f"{_OPT_PAPER}; vocabulary: config.json of huggingface.co/facebook/{name}",
        num_parameters=count[0],
        rounded_to=count[1],
    )


def _gpt(family: Family, layers: int, hidden: int, heads: int, length: int) -> TransformerArchitecture:
    return TransformerArchitecture(
        family=family,
        num_layers=layers,
        hidden_size=hidden,
        num_heads=heads,
        num_kv_heads=heads,
        head_size=hidden // heads,
        ffn_size=4 * hidden,
        vocab_size=50_272 if family is Family.OPT else 50_257,
        max_length=length,
        activation=Activation.RELU if family is Family.OPT else Activation.GELU_TANH,
        norm_epsilon=1e-5,
    )


def _llama(layers: int, hidden: int, ffn: int, heads: int, kv_heads: int) -> TransformerArchitecture:
    return TransformerArchitecture(
        family=Family.LLAMA,
        num_layers=layers,
        hidden_size=hidden,
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_size=hidden // heads,
        ffn_size=ffn,
        vocab_size=32_000,
        max_length=2048,
        activation=Activation.SILU,
        norm_epsilon=1e-6,
        is_head_tied=False,
    )


def _llama1(name: str, architecture: TransformerArchitecture, billions: float) -> PublishedModel:
    return PublishedModel(
        name=name,
        architecture=architecture,
        source=f"{_LLAMA_PAPER}; columns of the MLP: params.json of its release",
        num_parameters=billions * _BILLION,
        rounded_to=0.1 * _BILLION,
    )


def _llama2(name: str, architecture: TransformerArchitecture, billions: int) -> PublishedModel:
    return PublishedModel(
        name=name,
        architecture=replace(architecture, max_length=4096, norm_epsilon=1e-5),
        source=f"{_LLAMA2_PAPER}; sizes: config.json of huggingface.co/meta-llama/Llama-2-{billions}b-hf",
        num_parameters=billions * _BILLION,
        rounded_to=(10 if billions >= 70 else 1) * _BILLION,  # 69.0 of "70B"
    )


def _llama3(name: str, architecture: TransformerArchitecture, billions: int) -> PublishedModel:
    return PublishedModel(
        name=name,
        architecture=replace(
            architecture, vocab_size=128_256, max_length=8192, norm_epsilon=1e-5, rope_theta=500_000.0
        ),
        source=f"{_LLAMA3_PAPER}; vocabulary: huggingface.co/meta-llama/Meta-Llama-3-{billions}B",
        num_parameters=billions * _BILLION,
        rounded_to=_BILLION,
    )


def _bert(name: str, layers: int, hidden: int, heads: int, millions: int) -> PublishedModel:
    return PublishedModel(
        name=name,
        architecture=TransformerArchitecture(
            family=Family.BERT,
            num_layers=layers,
            hidden_size=hidden,
            num_heads=heads,
            num_kv_heads=heads,
            head_size=hidden // heads,
            ffn_size=4 * hidden,
            vocab_size=30_522,
            max_length=512,
            activation=Activation.GELU,
            norm_epsilon=1e-12,
        ),
        source=f"{_BERT_PAPER}; vocabulary and epsilon: github.com/google-research/bert, uncased",
        num_parameters=millions * _MILLION,  # with the pooler, which is not computed here
        rounded_to=10 * _MILLION,
    )


LADDER: tuple[PublishedModel, ...] = (
    PublishedModel(
        name="distilbert",
        architecture=_bert("", 6, 768, 12, 66).architecture,
        source=f"{_DISTILBERT_PAPER}; it has no segments, of which every token belongs to the first here",
        num_parameters=66 * _MILLION,
        rounded_to=_MILLION,
    ),
    _bert("bert-base", 12, 768, 12, 110),
    _gpt2("gpt2-124m", 12, 768, 12, 124),
    _opt("opt-125m", 12, 768, 12, (125 * _MILLION, _MILLION)),
    _bert("bert-large", 24, 1024, 16, 340),
    _gpt2("gpt2-355m", 24, 1024, 16, 355),
    _gpt2("gpt2-774m", 36, 1280, 20, 774),
    _opt("opt-1.3b", 24, 2048, 32, (1.3 * _BILLION, 0.1 * _BILLION)),
    _gpt2("gpt2-1.5b", 48, 1600, 25, 1558),
    _opt("opt-2.7b", 32, 2560, 32, (2.7 * _BILLION, 0.1 * _BILLION)),
    _opt("opt-6.7b", 32, 4096, 32, (6.7 * _BILLION, 0.1 * _BILLION)),
    _llama1("llama-7b", _llama(32, 4096, 11_008, 32, 32), 6.7),
    _llama2("llama2-7b", _llama(32, 4096, 11_008, 32, 32), 7),
    _llama3("llama3-8b", _llama(32, 4096, 14_336, 32, 8), 8),
    _opt("opt-13b", 40, 5120, 40, (13 * _BILLION, _BILLION)),
    _llama1("llama-13b", _llama(40, 5120, 13_824, 40, 40), 13.0),
    _llama2("llama2-13b", _llama(40, 5120, 13_824, 40, 40), 13),
    PublishedModel(
        name="gpt3-12-layers",
        architecture=_gpt(Family.GPT2, 12, 12_288, 96, length=2048),
        source="Du et al. 2022, arXiv 2209.02341; sizes: gpt3 of its code's energonai/model/model_factory.py",
        num_parameters=None,
        rounded_to=_BILLION,
    ),
    _opt("opt-30b", 48, 7168, 56, (30 * _BILLION, _BILLION)),
    _llama1("llama-33b", _llama(60, 6656, 17_920, 52, 52), 32.5),
    _llama1("llama-65b", _llama(80, 8192, 22_016, 64, 64), 65.2),
    _opt("opt-66b", 64, 9216, 72, (66 * _BILLION, _BILLION)),
    _llama2("llama2-70b", _llama(80, 8192, 28_672, 64, 8), 70),
    _llama3("llama3-70b", _llama(80, 8192, 28_672, 64, 8), 70),
    _opt("opt-175b", 96, 12_288, 96, (175 * _BILLION, _BILLION)),
    PublishedModel(
        name="gpt3-175b",
        architecture=_gpt(Family.GPT2, 96, 12_288, 96, length=2048),
        source=f"{_GPT3_PAPER}; every layer attends densely here, every second one sparsely there",
        num_parameters=175 * _BILLION,
        rounded_to=_BILLION,
    ),
)
"""All of them, by rising size."""
