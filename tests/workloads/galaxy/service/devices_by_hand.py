"""Devices of a service as processes of their own, and the model alone to compare with."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from workloads.galaxy.service.agent import TOKEN_VARIABLE
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.exchange import Alone
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_stage
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.want import Want

ROOT = Path(__file__).parents[4]
PATIENCE_S = 120.0
AGENT = "workloads.galaxy.service.agent"
SEED = 5
MODEL = TransformerArchitecture(
    family=Family.GPT2,
    num_layers=2,
    hidden_size=48,
    num_heads=6,
    num_kv_heads=6,
    head_size=8,
    ffn_size=96,
    vocab_size=61,
    max_length=64,
    activation=Activation.GELU_TANH,
    norm_epsilon=1e-5,
)


@dataclass(slots=True)
class Devices:
    """Agents that were started; all are ended with the test."""

    port: int
    token: str
    processes: dict[str, "subprocess.Popen[str]"] = field(default_factory=dict)

    def start(
        self, name: str, *more: str, token: str | None = None, known_as: str = "", module: str = AGENT
    ) -> "subprocess.Popen[str]":
        """An agent of this name, kept by ``known_as`` where there are two of it."""
        command = [
            sys.executable,
            "-m",
            module,
            "--service",
            f"127.0.0.1:{self.port}",
        ]
        environ = os.environ | {
            TOKEN_VARIABLE: self.token if token is None else token,
            "OMP_NUM_THREADS": "1",
        }
        process = subprocess.Popen(
            [*command, "--name", name, "--memory", str(1 << 30), *more],
            cwd=ROOT,
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes[known_as or name] = process
        return process


@contextmanager
def devices_of(port: int, token: str) -> Iterator[Devices]:
    """Nothing of what is started is left."""
    devices = Devices(port, token)
    try:
        yield devices
    finally:
        for process in devices.processes.values():
            process.kill()
            process.communicate()


def alone(tokens: list[int]) -> Tensor:
    """What the undivided model says of the last token, [1, vocabulary] (float64)."""
    place = Place(device=torch.device("cpu"), dtype=torch.float64)
    (whole,) = tensor_shares(MODEL, 1)
    weights = RandomWeights(MODEL, SEED)
    stage = load_stage(MODEL, Span(0, MODEL.num_layers), whole, weights, Alone(), place)
    with torch.inference_mode():
        return stage.forward(torch.tensor(tokens), Layout(lengths=(len(tokens),)), Want.LAST_ROWS)
