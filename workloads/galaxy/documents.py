"""Plans, profiles and architectures as JSON values, and back: what devices tell each other."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy
from workloads.galaxy.profile import ClusterProfile, DeviceProfile, LinkProfile, Pace
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.split import Span, TensorShare

Document = Mapping[str, Any]  # Any: as JSON gives it
Value = ParallelPlan | DeviceProfile | LinkProfile | ClusterProfile | TransformerArchitecture
T = TypeVar("T")


def as_document(value: Value) -> dict[str, Any]:
    """A value as JSON has it."""
    return asdict(value)


def plan_of(document: Document) -> ParallelPlan:
    """The plan in a document.

    Raises:
        ValueError: where there is none.
    """
    return _read("plan", _plan, document)


def device_profile_of(document: Document) -> DeviceProfile:
    """The profile of a device in a document.

    Raises:
        ValueError: where there is none.
    """
    return _read("profile of a device", _device, document)


def link_profile_of(document: Document) -> LinkProfile:
    """The profile of a link in a document.

    Raises:
        ValueError: where there is none.
    """
    return _read("profile of a link", lambda known: LinkProfile(**known), document)


def cluster_profile_of(document: Document) -> ClusterProfile:
    """The profile of a cluster in a document.

    Raises:
        ValueError: where there is none.
    """
    return _read("profile of a cluster", _cluster, document)


def architecture_of(document: Document) -> TransformerArchitecture:
    """The architecture in a document.

    Raises:
        ValueError: where there is none.
    """
    return _read("architecture", _architecture, document)


def _read(name: str, make: Callable[[Document], T], document: Document) -> T:
    try:
        return make(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a document is no {name}: {error!r}") from error


def _plan(document: Document) -> ParallelPlan:
    known = dict(document)
    parts = tuple(map(_part, known.pop("parts")))
    strategy, wire = Strategy(known.pop("strategy")), WireFormat(known.pop("wire"))
    return ParallelPlan(strategy=strategy, parts=parts, wire=wire, **known)


def _part(document: Document) -> DevicePart:
    known = dict(document)
    share, layers = _share(known.pop("share")), Span(**known.pop("layers"))
    return DevicePart(share=share, layers=layers, **known)


def _share(document: Document) -> TensorShare:
    known = dict(document)
    known |= {name: Span(**known[name]) for name in ("kv_heads", "ffn_columns", "vocabulary")}
    return TensorShare(**known | {"vocabulary_sizes": tuple(known["vocabulary_sizes"])})


def _device(document: Document) -> DeviceProfile:
    known = dict(document)
    rows, rates = tuple(known.pop("product_rows")), tuple(known.pop("product_rates"))
    return DeviceProfile(product_rows=rows, product_rates=rates, **known)


def _cluster(document: Document) -> ClusterProfile:
    return ClusterProfile(
        devices=tuple(map(_device, document["devices"])),
        links=tuple(tuple(LinkProfile(**link) for link in row) for row in document["links"]),
        pace=Pace(document["pace"]),
    )


def _architecture(document: Document) -> TransformerArchitecture:
    known = dict(document)
    kinds = {"family": Family(known.pop("family")), "activation": Activation(known.pop("activation"))}
    return TransformerArchitecture(**known | kinds)
