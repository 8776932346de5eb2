"""The reference network in TensorFlow, in turns; run by the interpreter of an environment that has it.

Layers and settings are those of MLPerf HPC's CosmoFlow (Keras, channels last): per stage a convolution of
3^3, a LeakyReLU as Keras has it and a maximum of 2^3, then dense layers of 128 and 64 and four tanh
values times 1.2; no dropout, as in its configurations for convergence.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

NUM_BATCHES, WARMUP_STEPS = 4, 3


def main() -> None:
    """Warm up, and answer until nobody asks."""
    asked = json.loads(sys.argv[1])
    tf.config.threading.set_intra_op_parallelism_threads(asked["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.keras.mixed_precision.set_global_policy(asked["policy"])
    model = build(asked)
    model.compile(
        optimizer=tf.keras.optimizers.SGD(learning_rate=0.001, momentum=0.9), loss="mse", jit_compile=False
    )
    random = np.random.default_rng(1)
    shape = (asked["batch"], *[asked["side"]] * 3, asked["channels"])
    batches = [
        (
            tf.constant(random.standard_normal(shape, dtype=np.float32)),
            tf.constant(random.random((asked["batch"], 4), dtype=np.float32)),
        )
        for _ in range(NUM_BATCHES)
    ]
    train(model, batches, WARMUP_STEPS)
    print("ready", flush=True)
    for line in sys.stdin:
        num_steps = int(line)
        begin_s = time.perf_counter()
        train(model, batches, num_steps)
        print(f"answer {(time.perf_counter() - begin_s) / num_steps}", flush=True)


def build(asked: Mapping[str, Any]) -> Any:  # Any: TensorFlow has no types here
    """The network."""
    layers = [tf.keras.layers.Input((*[asked["side"]] * 3, asked["channels"]))]
    for stage_channels in asked["stage_channels"]:
        layers += [
            tf.keras.layers.Conv3D(stage_channels, 3, padding="same"),
            tf.keras.layers.LeakyReLU(0.3),
            tf.keras.layers.MaxPool3D(2),
        ]
    layers.append(tf.keras.layers.Flatten())
    for features in (128, 64):
        layers += [tf.keras.layers.Dense(features), tf.keras.layers.LeakyReLU(0.3)]
    layers += [tf.keras.layers.Dense(4, activation="tanh"), tf.keras.layers.Rescaling(1.2, dtype="float32")]
    return tf.keras.Sequential(layers)


def train(model: Any, batches: Sequence[Any], num_steps: int) -> None:
    """So many steps; Keras reads the loss of each."""
    for step in range(num_steps):
        model.train_on_batch(*batches[step % len(batches)])


if __name__ == "__main__":
    main()
