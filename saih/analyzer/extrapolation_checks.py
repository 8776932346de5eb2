"""Whether what a trend foresees beyond its points may be believed."""

import numpy as np

from saih.analyzer.divergence import GREATEST_DIVERGENCE, diverge
from saih.analyzer.division import grows_of
from saih.analyzer.fit import GREATEST_FACTOR, PREDICTION_LEVEL, intervals
from saih.analyzer.knee import find_knee
from saih.analyzer.step_rule import sum_of
from saih.analyzer.trend_scene import TARGET_FACTOR, Laws, Scene
from saih.domain.quantity import in_seconds, percent
from saih.domain.record import Phase
from saih.domain.trend import Check

_CAUTION, _NORMAL = 4.0, 2.0


def check_extrapolation(scene: Scene, laws: Laws) -> list[Check]:
    """Held-out point, factor, laws against each other, crossings, a bend, and what nobody recorded."""
    return [
        _held_out(scene, laws),
        _factor(scene),
        _divergence(scene, laws),
        _cross_check(scene, laws),
        _input(scene, laws),
        _turns(scene, laws),
        _knee(scene, laws),
        _unseen(scene, laws),
    ]


def _held_out(scene: Scene, laws: Laws) -> Check:
    name = "largest point held out"
    largest = scene.sizes[-1]
    if laws.expected is None:
        text = f"Without the largest point ({scene.at(largest)}) nothing reaches it; the law is untested."
        return Check(name=name, passed=None, statement=text)
    expected = intervals(laws.expected, sum(size < largest for size in scene.sizes))[0]
    measured = scene.points[-1].step_ns.value
    passed = expected.low <= measured <= expected.high
    text = (
        f"From the smaller points the step at {scene.at(largest)} was expected "
        f"between {in_seconds(expected.low)} and {in_seconds(expected.high)} ({percent(PREDICTION_LEVEL)}); "
        f"it took {in_seconds(measured)}."
    )
    return Check(name=name, passed=passed, statement=text)


def _factor(scene: Scene) -> Check:
    reached = scene.target / scene.sizes[-1]
    text = (
        f"The curve ends at {reached:.3g} times the largest measured size. Up to 4 times calls for "
        f"caution, up to {GREATEST_FACTOR:g} times is speculation, and beyond that only the law is given."
    )
    if scene.target == scene.greatest:
        text = f"The curve ends at {scene.at(scene.target)}: {_end(scene)}."
    return Check(name="extrapolation factor", passed=True, statement=text)


def _end(scene: Scene) -> str:
    """Why more ranks cannot be."""
    grows = grows_of(scene.points)
    if grows != "data":
        divided = "samples" if grows == "spatial" else "model"
        return f"the {divided} cannot be divided among more ranks"
    return "more ranks than the global batch has samples would have nothing to do"


def _divergence(scene: Scene, laws: Laws) -> Check:
    name = "laws agree"
    found = diverge(laws.total, scene.target, scene.greatest)
    low, high = found.names
    text = f"Laws that count differ by a factor of {found.ratio:.2f} at {scene.at(scene.target)}"
    if found.ratio > GREATEST_DIVERGENCE:
        text = (
            f"{text} ({low} lowest, {high} highest), so the points do not identify the law. "
            f"Measure {scene.at(found.next_size)} next."
        )
        return Check(name=name, passed=False, statement=text)
    return Check(name=name, passed=True, statement=f"{text}.")


def _cross_check(scene: Scene, laws: Laws) -> Check:
    """The step from its phases against the law of whole steps, which cannot foresee a change of regime."""
    name = "phases and whole step agree"
    whole, composed = laws.forecast.whole_at(scene.target), laws.forecast.step_at(scene.target)
    passed = whole.low <= composed.value <= whole.high or composed.low <= whole.value <= composed.high
    text = (
        f"At {scene.at(scene.target)} the phases sum to {in_seconds(composed.value)}, "
        f"the law of whole steps gives {in_seconds(whole.value)}"
    )
    if not passed:
        text += "; another phase takes over beyond the measured range, trust the phases"
    return Check(name=name, passed=passed, statement=f"{text}.")


def _input(scene: Scene, laws: Laws) -> Check:
    """Where the production of input overtakes the work, up to the greatest factor."""
    name = "input keeps up"
    sizes, parts = laws.forecast.sizes, laws.forecast.parts
    if parts.produce is None:
        text = "The time to produce input was not recorded, or does not explain the waiting for it."
        return Check(name=name, passed=None, statement=text)
    work = parts.compute if parts.exchange is None else sum_of([parts.compute, parts.exchange])
    behind = np.flatnonzero(parts.produce.log_value > work.log_value)
    if len(behind) == 0:
        text = f"Producing a batch stays faster than the work on it up to {scene.at(sizes[-1])}."
        return Check(name=name, passed=True, statement=text)
    begin = float(sizes[behind[0]])
    text = f"Producing a batch takes longer than the work on it from about {scene.at(begin)} on."
    return Check(name=name, passed=bool(begin > TARGET_FACTOR * scene.sizes[-1]), statement=text)


def _turns(scene: Scene, laws: Laws) -> Check:
    """A law of whole steps does not survive another part taking over just beyond the points."""
    name = "no turn just beyond the range"
    largest = scene.sizes[-1]
    ahead = [one for one in laws.crossings if one.is_extrapolated or one.is_open_above]
    end = float(laws.forecast.sizes[-1])
    if end <= largest * (1 + 1e-9):
        text = f"Nothing larger than {scene.at(largest)} can exist."
        return Check(name=name, passed=True, statement=text)
    if not ahead:
        text = f"No part of the step overtakes another between {scene.at(largest)} and {scene.at(end)}."
        return Check(name=name, passed=True, statement=text)
    first = ahead[0]
    text = f"{first.statement} Measure {scene.at(min(first.size.value, end))} next to settle it."
    return Check(name=name, passed=None if first.size.low > scene.target else False, statement=text)


def _knee(scene: Scene, laws: Laws) -> Check:
    steps = [point.step_ns.value for point in scene.points]
    found = find_knee(scene.sizes, steps, laws.total.noise)
    passed = found.knee is None if found.is_known else None
    return Check(name="no bend inside the range", passed=passed, statement=found.reason)


def _unseen(scene: Scene, laws: Laws) -> Check:
    """Only parts that were recorded while they were hidden can be foreseen to take over."""
    name = "hidden parts were recorded"
    missing = []
    if not any(point.phases_ns.get(Phase.INPUT_PRODUCE) for point in scene.points) or not any(
        point.phases_ns[Phase.INPUT_PRODUCE].value > 0
        for point in scene.points
        if Phase.INPUT_PRODUCE in point.phases_ns
    ):
        missing.append("the production of input")
    exchanging = [point for point in scene.points if point.gradient_bytes]
    if exchanging and not any(
        point.phases_ns[Phase.COMMUNICATION_TOTAL].value > 0
        for point in exchanging
        if Phase.COMMUNICATION_TOTAL in point.phases_ns
    ):
        missing.append("the whole exchange")
    if missing:
        text = (
            f"An unseen regime is possible: {' and '.join(missing)} was not recorded, so nobody can tell "
            "when it stops being hidden."
        )
        return Check(name=name, passed=None, statement=text)
    overlap = laws.composition.rule.overlap
    if overlap is not None and not overlap.is_bound:
        text = (
            "The exchange was hidden at every measured size, so how much of the backward pass can hide it is "
            "not known; the interval holds every window from what was hidden to the whole backward pass."
        )
        return Check(name=name, passed=None, statement=text)
    text = "Input and exchange were recorded also where they are hidden, so that they can be foreseen."
    return Check(name=name, passed=True, statement=text)
