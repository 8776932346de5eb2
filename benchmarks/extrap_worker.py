"""Runs in Extra-P's own environment: series from standard input, what Extra-P foresees to standard output.

Fair use: medians over repeats, negative exponents where the time is to fall (strong scaling).
"""

import json
import sys
import warnings

from extrap.entities.callpath import Callpath
from extrap.entities.coordinate import Coordinate
from extrap.entities.experiment import Experiment
from extrap.entities.measurement import Measure, Measurement
from extrap.entities.metric import Metric
from extrap.entities.parameter import Parameter
from extrap.modelers.model_generator import ModelGenerator


def foreseen(task: dict[str, list[float]], *, falls: bool) -> list[float]:
    """Values at ``targets`` of the model that Extra-P makes of ``sizes`` and ``values``."""
    experiment, callpath, metric = Experiment(), Callpath("main"), Metric("time")
    experiment.add_parameter(Parameter("p"))
    experiment.add_callpath(callpath)
    experiment.add_metric(metric)
    repeats: dict[float, list[float]] = {}
    for size, value in zip(task["sizes"], task["values"], strict=True):
        repeats.setdefault(size, []).append(value)
    for size, values in repeats.items():
        coordinate = Coordinate(size)
        experiment.add_coordinate(coordinate)
        experiment.add_measurement(Measurement(coordinate, callpath, metric, values))
    generator = ModelGenerator(experiment, modeler="Default", use_measure=Measure.from_str("median"))
    if falls:
        generator.modeler.allow_negative_exponents = True
    generator.model_all()
    function = generator.models[callpath, metric].hypothesis.function
    return [float(function.evaluate(target)) for target in task["targets"]]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # below five points it warns, and still models
    tasks = json.load(sys.stdin)
    answers = [foreseen(task, falls=task["falls"]) for task in tasks]
    sys.stdout.write(json.dumps(answers))
