"""The service of ``benchmarks.galaxy_live``: NUM_REQUESTS, at which of them what happens (JSON), NUM_DEVICES.

It prints where it listens, then each event that is to happen with the devices that answered last, and waits
for a line; at last all requests.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import torch

from workloads.galaxy.service.agent import TOKEN_VARIABLE
from workloads.galaxy.service.best_plans import BestPlans
from workloads.galaxy.service.request import Answered
from workloads.galaxy.service.service import Served, Service
from workloads.galaxy.undivided import Undivided, relative_error
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights

ADDRESS = "head"
MODEL = TransformerArchitecture(
    family=Family.GPT2,
    num_layers=4,
    hidden_size=1024,
    num_heads=16,
    num_kv_heads=16,
    head_size=64,
    ffn_size=4096,
    vocab_size=512,
    max_length=256,
    activation=Activation.GELU_TANH,
    norm_epsilon=1e-5,
)
"""Requests last longer than a period of a quota, which would not hold them back else, and compute longer than
they send: two devices are faster than one by far, so that plans follow what happens, not how timings scatter.
"""
NUM_TOKENS, SEED = 128, 3
_PATIENCE_S = 120.0


def main(arguments: Sequence[str]) -> None:
    """Serve all requests one after the other."""
    torch.set_num_threads(1)
    num_requests, at, num_devices = int(arguments[0]), json.loads(arguments[1]), int(arguments[2])
    said: list[str] = []
    served = Served(
        architecture=MODEL,
        planning=BestPlans(architecture=MODEL, itemsize=4),
        seed=SEED,
        address="0.0.0.0",  # noqa: S104  # of a namespace that only the devices reach
        token=os.environ[TOKEN_VARIABLE],
    )
    tokens = [place % MODEL.vocab_size for place in range(NUM_TOKENS)]
    place = Place(device=torch.device("cpu"), dtype=torch.float32)
    alone = Undivided(architecture=MODEL, weights=RandomWeights(MODEL, SEED), place=place).answer(tokens)
    with Service(served, said.append) as service:
        print(f"{ADDRESS}:{service.port}", flush=True)
        _until(service, num_devices)
        requests: list[Mapping[str, Any]] = []
        for number in range(num_requests):
            for event, moment in at.items():
                if number == moment:
                    _ask_for({"event": event, "devices": requests[-1]["devices"]}, service, num_devices)
            requests.append(_told(service.submit(tokens), alone, said))
    print(json.dumps({"requests": requests, "said": said}), flush=True)


def _ask_for(event: Mapping[str, Any], service: Service, num_devices: int) -> None:
    print(json.dumps(event), flush=True)
    sys.stdin.readline()
    if event["event"] == "joined":
        _until(service, num_devices)


def _told(answer: "Future[Answered]", alone: torch.Tensor, said: Sequence[str]) -> Mapping[str, Any]:
    begin_s = time.perf_counter()
    try:
        answered = answer.result(_PATIENCE_S)
    except Exception as error:  # whatever it is, it is counted
        nothing = {"latency_ms": float("nan"), "devices": [], "error": float("nan"), "num_plans": 0}
        return {"failure": str(error), **nothing}
    return {
        "failure": "",
        "num_plans": sum(line.startswith("plan ") for line in said),
        "waited_ms": 1e3 * (time.perf_counter() - begin_s),
        "latency_ms": answered.latency_ns / 1e6,
        "foreseen_ms": answered.foreseen_ns / 1e6,
        "devices": answered.devices,
        "error": relative_error(answered.rows, alone),
    }


def _until(service: Service, num_devices: int) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while len(service.devices) < num_devices:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"only {service.devices} came")
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1:])
