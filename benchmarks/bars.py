"""Bars of benchmarks: one line each, in one form."""

import operator

_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def judge(name: str, value: float, unit: str, relation: str, limit: float) -> bool:
    """Print one bar and say whether it is reached; a value that is no number never reaches one."""
    passed = bool(_OPERATORS[relation](value, limit))
    print(f"BAR {name}: {value:.3f} {unit} (bar {relation} {limit:g}) {'PASS' if passed else 'FAIL'}")
    return passed
