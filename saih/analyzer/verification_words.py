"""Verdicts put to the test, each in one sentence with its numbers."""

from saih.domain.interval import Interval
from saih.domain.verification import Intervention, ToggleEffect

_DONE = {
    Intervention.DUMMY_INPUT: "without making input",
    Intervention.NO_EXCHANGE: "without exchange",
    Intervention.COMPUTE_ONLY: "without input and exchange",
    Intervention.DELAYED_INPUT: "with delayed input",
    Intervention.THROTTLED_EXCHANGE: "with a throttled exchange",
    Intervention.EXTRA_ARITHMETIC: "with extra arithmetic",
    Intervention.EXTRA_TRAFFIC: "with extra memory traffic",
    Intervention.EXTRA_LAUNCHES: "with extra launches",
    Intervention.SLOW_RANK: "with one slower rank",
}


def effect_words(effect: ToggleEffect) -> str:
    """Such as ``without exchange the step took 31 % less, predicted 29 %``."""
    measured = effect.measured_ns.value / effect.off_ns
    predicted = effect.predicted_ns.value / effect.off_ns
    way = "less" if measured < 0 else "more"
    other = "" if measured * predicted >= 0 else (" less" if predicted < 0 else " more")
    return (
        f"{_DONE[effect.toggle.intervention]} the step took {percent(abs(measured))} {way}, "
        f"predicted {percent(abs(predicted))}{other}"
    )


def ratio_words(name: str, ratio: Interval) -> str:
    """Such as ``ratio 1.06 [0.97, 1.15]``."""
    return f"{name} {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def sham_words(sham: ToggleEffect | None) -> str:
    """Such as ``sham 0.2 %, p = 0.4``."""
    if sham is None:
        return "no sham was run"
    return f"sham {percent(sham.measured_ns.value / sham.off_ns)}, p = {sham.p_value:.2g}"


def percent(share: float) -> str:
    """A share in percent: whole ones, one place below ten, and nothing below 0 for what rounds to it."""
    text = f"{100 * share:.0f}" if abs(share) >= 0.0995 else f"{100 * share:.1f}"
    return f"{'0.0' if text == '-0.0' else text} %"
