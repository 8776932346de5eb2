"""The environment of all hosts together: one, or named as mixed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from saih.domain.record import Environment, environment_id
from saih.harness.ranks import Ranks
from saih.machine.environment import capture
from saih.machine.messages import broadcast, gather


def common_environment(ranks: Ranks) -> Environment:
    """What the ranks run on, the same on all of them; every rank calls it.

    The first rank of each host looks. Hosts that differ make an environment of their own, so that its
    records are never mixed with those of equal hosts.
    """
    found = capture() if ranks.rank in ranks.first_ranks else None
    messages = gather(
        ranks.comm, {} if found is None else {"facts": dict(found.facts), "notes": dict(found.notes)}
    )
    together = None
    if messages is not None:
        facts = [messages[rank]["facts"] for rank in ranks.first_ranks]
        notes = messages[ranks.first_ranks[0]]["notes"]
        first = Environment(facts=facts[0], notes=notes, environment_id=environment_id(facts[0]))
        together = asdict(mixed(first, facts))
    return Environment(**broadcast(ranks.comm, together))


def mixed(first: Environment, facts: Sequence[Mapping[str, str]]) -> Environment:
    """``first`` itself when every host has its facts; else with what differs as a fact."""
    names = sorted({name for other in facts for name in other})
    differences = []
    for name in names:
        values = sorted({other.get(name, "absent") for other in facts})
        if len(values) > 1:
            differences.append(f"{name}: {' or '.join(values)}")
    if not differences:
        return first
    together = {**first.facts, "hosts_differ_in": "; ".join(differences)}
    return replace(first, facts=together, environment_id=environment_id(together))
