"""How fast devices could be at best, whatever the plan: what need not be searched; arithmetic only."""

from collections.abc import Sequence
from functools import lru_cache

from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.profile import NS_PER_S, DeviceProfile
from workloads.galaxy.wire_format import wire_bytes
from workloads.transformer.architecture import TransformerArchitecture


def least_ns(problem: PlanProblem, devices: Sequence[int]) -> float:
    """No plan in which these devices share heads and columns is faster, with whatever memory."""
    return max(_least_computing_ns(problem, devices), _least_sending_ns(problem, devices))


def needed_mlps(architecture: TransformerArchitecture) -> int:
    """MLPs that every device of a ring has done when the answer is there, and all before them.

    The answer of an encoder is in rows of the first device: of the last MLP, others need to have done no more
    than their part of these.
    """
    return architecture.num_layers - (0 if architecture.is_decoder else 1)


def needed_halves(architecture: TransformerArchitecture) -> int:
    """Halves of layers whose rows every link has gathered and summed when the answer is there.

    Behind the last sums nothing is gathered; those of an encoder are needed of the first device's rows only.
    """
    return architecture.num_layers + needed_mlps(architecture) - 1


def _least_computing_ns(problem: PlanProblem, devices: Sequence[int]) -> float:
    """Products at their best rates, split without rest.

    Device p does parts x_p and y_p of both halves, which would take it A_p and B_p. The latest of all is no
    earlier than any mean of them; with weights 1 / (A_p + B_p) that is nearly it.
    """
    load = problem.load
    halves = [
        _halves_ns(problem.architecture, problem.cluster.devices[device], load.num_tokens, load.itemsize)
        for device in devices
    ]
    if load.num_new_tokens:
        tokens = [
            _halves_ns(problem.architecture, problem.cluster.devices[device], 1, load.itemsize)
            for device in devices
        ]
        halves = [
            (prompt[0] + load.num_new_tokens * token[0], prompt[1] + load.num_new_tokens * token[1])
            for prompt, token in zip(halves, tokens, strict=True)
        ]
    layers, mlps = problem.architecture.num_layers, needed_mlps(problem.architecture)
    weights = sum(1.0 / (attention + mlp) for attention, mlp in halves)
    least = layers * min(attention / (attention + mlp) for attention, mlp in halves)
    least += mlps * min(mlp / (attention + mlp) for attention, mlp in halves)
    return least / weights


@lru_cache(maxsize=4096)
def _halves_ns(
    architecture: TransformerArchitecture, device: DeviceProfile, rows: int, itemsize: int
) -> tuple[float, float]:
    """All of an attention, and of an MLP, on one device at its best."""
    hidden, queries = architecture.hidden_size, architecture.attention_size
    best = max(device.product_rates) if rows > 1 else device.rate(1)
    entries = queries + 2 * architecture.kv_size + queries
    pairs = rows * (rows + 1) / 2 if architecture.is_decoder else rows * rows
    attention = _product_ns(device, best, (rows, hidden * entries), itemsize)
    attention += 4.0 * pairs * queries / device.attention_rate * NS_PER_S
    parts = 3 if architecture.has_gate else 2
    return attention, _product_ns(device, best, (rows, hidden * parts * architecture.ffn_size), itemsize)


def _product_ns(device: DeviceProfile, rate: float, sizes: tuple[int, int], itemsize: int) -> float:
    rows, weights = sizes
    return max(2.0 * rows * weights / rate, weights * itemsize / device.memory_rate) * NS_PER_S


def _least_sending_ns(problem: PlanProblem, devices: Sequence[int]) -> float:
    """Every ring carries all rows at least once a half over each link, and nearly twice on average."""
    links, num, load = problem.cluster.links, len(devices), problem.load
    hidden, layers = problem.architecture.hidden_size, problem.architecture.num_layers
    halves = needed_halves(problem.architecture)
    pairs = [[links[sender][other] for other in devices if other != sender] for sender in devices]
    rates = [max(link.rate for link in row) for row in pairs]
    delay = min(link.delay_ns for row in pairs for link in row)
    size = min(wire_bytes(wire, load.num_tokens, hidden, load.itemsize) for wire in problem.wires)
    slowest = halves * size / min(rates) * NS_PER_S
    together = halves * size * 2 * (num - 1) / sum(rates) * NS_PER_S
    token = min(wire_bytes(wire, 1, hidden, load.itemsize) for wire in problem.wires)
    tokens = load.num_new_tokens * 2 * layers * (delay + token / max(rates) * NS_PER_S)
    # The sums of a chunk pass all devices before the next half can begin with it.
    hops = halves * (num - 1) * delay if load.num_tokens > 1 else 0.0
    return max(slowest, together, hops) + tokens
