import pytest
import torch

from workloads.galaxy.plan import whole_share
from workloads.galaxy.undivided import Undivided, relative_error, tolerated
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.exchange import Alone
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_stage
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.sized_model import sized
from workloads.transformer.split import Span
from workloads.transformer.want import Want

NUMBERS = {"layers": 2, "hidden": 16, "heads": 2, "kv_heads": 0, "ffn": 0, "vocab": 31}


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_a_model_read_layer_by_layer_answers_as_one_that_is_loaded(family: str) -> None:
    architecture = sized(family, NUMBERS, 8)
    place = Place(device=torch.device("cpu"), dtype=torch.float64)
    weights = RandomWeights(architecture, 3, torch.float64)
    stage = load_stage(architecture, Span(0, 2), whole_share(architecture), weights, Alone(), place)
    tokens = [4, 1, 30, 7]
    with torch.inference_mode():
        expected = stage.forward(torch.tensor(tokens), Layout(lengths=(4,)), Want.LAST_ROWS)
    found = Undivided(architecture=architecture, weights=weights, place=place).answer(tokens)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_errors_are_relative_to_the_greatest_value_and_more_where_links_round() -> None:
    assert relative_error(torch.tensor([1.0, 3.9]), torch.tensor([1.0, 4.0])) == pytest.approx(0.025)
    assert tolerated(WireFormat.EXACT, torch.float32) < 1e-3 < tolerated(WireFormat.INT8, torch.float32)
