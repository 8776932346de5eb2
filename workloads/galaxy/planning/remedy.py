"""What would make a model fit that fits no plan; arithmetic only."""

from dataclasses import replace
from math import ceil

from workloads.galaxy.memory import SHARED, MemoryNeed, shared_need, whole_bytes
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.search import best_of_each
from workloads.transformer.split import Span

_MB = 1e6
_STEP = 100_000
_MORE = 1.02
_MOST_TRIALS = 12


def remedy(problem: PlanProblem) -> str:
    """A sentence on what is missing, and the least memory for one device that was found to do."""
    architecture, devices = problem.architecture, problem.cluster.devices
    budgets = [problem.budget_bytes(device) for device in range(len(devices))]
    alone = whole_bytes(architecture, Span(0, architecture.num_layers), problem.load.num_tokens, problem.load)
    largest = max(range(len(devices)), key=budgets.__getitem__)
    told = (
        f"{architecture.num_layers} layers of {architecture.hidden_size} columns with "
        f"{problem.load.num_tokens} tokens fit no plan ({', '.join(problem.strategies)}) of "
        f"{len(devices)} device{'s' if len(devices) > 1 else ''} with "
        f"{', '.join(f'{budget / _MB:.1f}' for budget in budgets)} MB; "
        f"one device alone needs {alone / _MB:.1f} MB"
    )
    wanted = enough_bytes(problem, largest)
    if wanted is None:
        return f"{told}. Allow other kinds of parallelism, or add devices."
    name = devices[largest].name
    return (
        f"{told}. Give {name} {wanted / _MB:.1f} MB in place of {budgets[largest] / _MB:.1f} MB, "
        "or add devices."
    )


def enough_bytes(problem: PlanProblem, device: int) -> int | None:
    """Memory of a device with which a plan is found, a bit more than the least; None where none is."""
    budgets = [problem.budget_bytes(other) for other in range(len(problem.cluster.devices))]
    needed = [*_shared_bytes(problem, budgets, device)]
    if Strategy.LOCAL in problem.strategies or Strategy.PIPELINE in problem.strategies:
        layers = Span(0, problem.architecture.num_layers)
        needed.append(whole_bytes(problem.architecture, layers, problem.load.num_tokens, problem.load))
    if not needed:
        return None
    wanted = float(max(min(needed), budgets[device]))
    for _ in range(_MOST_TRIALS):
        rounded = ceil(wanted / _STEP) * _STEP
        if best_of_each(_with_budget(problem, device, rounded)):
            return rounded
        wanted *= _MORE
    return None


def _shared_bytes(problem: PlanProblem, budgets: list[int], device: int) -> list[float]:
    """What a device would need beside the others, for each number of devices that might share layers."""
    architecture, load = problem.architecture, problem.load
    found = []
    for strategy in SHARED:
        if strategy not in problem.strategies:
            continue
        need = shared_need(architecture, strategy, load, problem.wires[0], load.num_tokens)
        others = sorted((budget for other, budget in enumerate(budgets) if other != device), reverse=True)
        able = [budget for budget in others if budget >= need.of(1, 1)]
        for num in range(2, min(len(able) + 1, architecture.num_kv_heads) + 1):
            missing = _together(problem, need, num) - sum(able[: num - 1])
            found.append(max(missing, need.of(1, 1)))
    return found


def _together(problem: PlanProblem, need: MemoryNeed, num: int) -> float:
    """What so many devices need together; whole heads leave some room of each."""
    architecture = problem.architecture
    shared = need.of(architecture.num_kv_heads, architecture.ffn_size) - need.base_bytes
    return num * (need.base_bytes + need.per_column_bytes) + shared


def _with_budget(problem: PlanProblem, device: int, budget_bytes: int) -> PlanProblem:
    devices = list(problem.cluster.devices)
    devices[device] = replace(devices[device], memory_bytes=budget_bytes + problem.reserve_bytes)
    return problem.with_cluster(replace(problem.cluster, devices=tuple(devices)))
