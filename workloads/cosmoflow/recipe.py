"""The settings with which small members of the family learn best on few universes."""

from cosmology.architecture import Architecture
from workloads.cosmoflow.learning import Augmentation, LearningPlan
from workloads.cosmoflow.optimizers import Optimizer

BATCH = 16
_PEAK_RATE = 2e-3
_PEAK_WIDTH = 16
"""Wider members take a lower rate, in proportion: the update of a feature then keeps its size under Adam
(muP; Yang et al., arXiv:2203.03466)."""
_WARM_UP_SHARE = 0.1
_WEIGHT_DECAY = 0.01


def standard_plan(
    architecture: Architecture, *, num_steps: int, seed: int, batch: int = BATCH
) -> LearningPlan:
    """Adam with decoupled decay, one cycle of the rate, and every sample under another symmetry each time."""
    return LearningPlan(
        architecture=architecture,
        learning_rate=standard_rate(architecture),
        batch=batch,
        num_steps=num_steps,
        warm_up_steps=int(_WARM_UP_SHARE * num_steps),
        optimizer=Optimizer.ADAM,
        augmentation=Augmentation.SYMMETRIES,
        weight_decay=_WEIGHT_DECAY,
        seed=seed,
    )


def standard_rate(architecture: Architecture) -> float:
    """Peak learning rate of Adam."""
    return _PEAK_RATE * min(1.0, _PEAK_WIDTH / architecture.stage_channels[0])
