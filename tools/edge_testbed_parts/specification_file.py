"""The YAML of a testbed, checked whole before anything is made."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, get_args

from tools.edge_testbed_parts import quantity
from tools.edge_testbed_parts.errors import MISUSED, TestbedError
from tools.edge_testbed_parts.specification import (
    HEAD,
    MOST_DEVICES,
    Device,
    Link,
    Mode,
    Pair,
    Specification,
)
from tools.edge_testbed_parts.yaml_text import Value, parse_yaml

Number = TypeVar("Number")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
_HOST = re.compile(r"(ssh://)?(?!-)[A-Za-z0-9@._:%-]{1,255}")
_KEYS = ("name", "mode", "devices", "links", "pairs")
_DEVICE_KEYS = ("name", "host", "cores", "quota", "memory", "speed")
_LINK_KEYS = ("rate", "up", "down", "delay")
_PAIR_KEYS = ("between", "rate", "delay")


def read_specification(path: Path) -> Specification:
    """The testbed of a file; a file without a name gives its own.

    Raises:
        TestbedError: when it cannot be read, or asks for what cannot be.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TestbedError(
            f"{path} cannot be read: {error}", "name the YAML of a testbed.", MISUSED
        ) from error
    return parse_specification(text, str(path), default_name=path.stem.lower())


def parse_specification(text: str, source: str, default_name: str = "edge") -> Specification:
    """The testbed of a text that messages call ``source``.

    Raises:
        TestbedError: when it asks for what cannot be.
    """
    whole = _mapping(parse_yaml(text, source), source, _KEYS)
    name = _name(_text(whole.get("name", default_name), "name"), "name")
    mode = _text(whole.get("mode", "real"), "mode")
    modes: dict[str, Mode] = {word: word for word in get_args(Mode)}
    if mode not in modes:
        raise _wrong(f"mode is {mode!r}", "write real (devices compute) or paced (they take the time).")
    devices = _devices(whole.get("devices"))
    names = [device.name for device in devices]
    asked = Specification(
        name=name,
        mode=modes[mode],
        devices=devices,
        links=_links(whole.get("links"), names),
        pairs=_pairs(whole.get("pairs"), names),
    )
    check_pairs(asked)
    return asked


def check_machine(asked: Specification, cores: frozenset[int], memory_bytes: int) -> None:
    """Refuse devices that this machine cannot be.

    Raises:
        TestbedError: where cores, processor time or memory are more than there are.
    """
    for device in asked.devices:
        if strange := sorted(set(device.cores) - cores):
            raise _wrong(
                f"device {device.name} asks for core {strange[0]}, and this machine gives "
                f"{', '.join(map(str, sorted(cores)))}",
                "name cores that there are.",
            )
        room = len(device.cores or cores)
        if device.quota is not None and device.quota > room:
            raise _wrong(
                f"device {device.name} asks for the time of {device.quota:g} cores and may use {room}",
                f"write a quota of at most {room}.",
            )
    quotas = sum(device.quota or 0.0 for device in asked.devices)
    if asked.mode == "real" and quotas > len(cores):
        raise _wrong(
            f"the devices ask for the time of {quotas:g} cores together, and there are {len(cores)}",
            "lower the quotas, or write mode: paced.",
        )
    memory = sum(device.memory_bytes or 0 for device in asked.devices)
    if memory > memory_bytes:
        raise _wrong(
            f"the devices ask for {quantity.size_words(memory)} together, and this machine has "
            f"{quantity.size_words(memory_bytes)}",
            "lower their memory.",
        )


def available_cores() -> frozenset[int]:
    """Cores that this process may use."""
    return frozenset(os.sched_getaffinity(0))


def machine_memory_bytes() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _devices(value: Value | None) -> tuple[Device, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_DEVICES:
        raise _wrong(f"devices is no list of 1 to {MOST_DEVICES} devices", "write '- {name: pi0}' for each.")
    devices = tuple(_device(each, number) for number, each in enumerate(value))
    names = [device.name for device in devices]
    if twice := [name for name in names if names.count(name) > 1]:
        raise _wrong(f"two devices are called {twice[0]}", "give each a name of its own.")
    if len({bool(device.host) for device in devices}) > 1:
        raise _wrong(
            "some devices have a host and some have none",
            "emulated devices have a network of their own: give every device a host, or none.",
        )
    return devices


def _device(value: Value, number: int) -> Device:
    found = _mapping(value, f"devices[{number}]", _DEVICE_KEYS)
    name = _name(_text(found.get("name", ""), f"name of devices[{number}]"), f"name of devices[{number}]")
    if name == HEAD:
        raise _wrong(f"a device is called {HEAD}", "that is the host beside the devices; choose another.")
    host = _text(found.get("host", ""), f"host of {name}")
    if host and not _HOST.fullmatch(host):
        raise _wrong(f"host of {name} is {host!r}", "write it as ssh takes it: user@address.")
    if host and (given := {"cores", "quota"} & set(found)):
        raise _wrong(
            f"device {name} is a real machine and has {min(given)}",
            "remove that: a real machine has what it has.",
        )
    return Device(
        name=name,
        host=host,
        cores=_cores(found.get("cores"), name),
        quota=_read(found, "quota", name, quantity.cores_worth),
        memory_bytes=_read(found, "memory", name, quantity.memory_bytes),
        flop_per_s=_read(found, "speed", name, quantity.flop_per_s),
    )


def _cores(value: Value | None, name: str) -> tuple[int, ...]:
    words = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(word, str) and word.isdecimal() for word in words):
        raise _wrong(f"cores of {name} are {value!r}", "write numbers of cores: [0, 1].")
    return tuple(sorted({int(str(word)) for word in words}))


def _links(value: Value | None, names: list[str]) -> tuple[Link, ...]:
    known = _mapping(value if value is not None else {}, "links", ("default", *names))
    rows = {name: _mapping(each, f"links.{name}", _LINK_KEYS) for name, each in known.items()}
    return tuple(_link({**rows.get("default", {}), **rows.get(name, {})}, rows, name) for name in names)


def _link(found: Mapping[str, Value], rows: Mapping[str, Mapping[str, Value]], name: str) -> Link:
    own = rows.get(name, {})
    if "rate" in own and {"up", "down"} & set(own):
        raise _wrong(f"links.{name} has a rate and one direction", "give rate, or up and down.")
    rate = _read(found, "rate", name, quantity.bit_per_s)
    # A device's own rate stands before the directions of the default.
    directions = own if "rate" in own else found
    up = _read(directions, "up", name, quantity.bit_per_s)
    down = _read(directions, "down", name, quantity.bit_per_s)
    return Link(
        up_bit_per_s=rate if up is None else up,
        down_bit_per_s=rate if down is None else down,
        delay_ns=_read(found, "delay", name, quantity.delay_ns) or 0.0,
    )


def _pairs(value: Value | None, names: list[str]) -> tuple[Pair, ...]:
    if not isinstance(value, list | None):
        raise _wrong("pairs is no list", "write '- {between: [pi0, pi1], rate: 50 Mbit/s}' for each.")
    found: list[Pair] = []
    for number, each in enumerate(value or []):
        pair = _pair(_mapping(each, f"pairs[{number}]", _PAIR_KEYS), number, names)
        if any({*pair.between} == {*other.between} for other in found):
            raise _wrong(f"{' and '.join(pair.between)} are a pair twice", "remove one of the two.")
        found.append(pair)
    return tuple(found)


def _pair(found: Mapping[str, Value], number: int, names: list[str]) -> Pair:
    between = found.get("between")
    words = between if isinstance(between, list) else []
    pair = [word for word in words if isinstance(word, str) and word in names]
    if len(pair) != len(words) or len(set(pair)) != 2 or len(pair) != 2:
        raise _wrong(
            f"pairs[{number}].between is {between!r}", f"name two of the devices {', '.join(names)}."
        )
    label = f"pairs[{number}]"
    return Pair(
        between=(pair[0], pair[1]),
        rate_bit_per_s=_read(found, "rate", label, quantity.bit_per_s),
        delay_ns=_read(found, "delay", label, quantity.delay_ns),
    )


def check_pairs(asked: Specification) -> None:
    """Refuse pairs that ask for more than their links have.

    Raises:
        TestbedError: naming both.
    """
    for pair in asked.pairs:
        for source, target in (pair.between, pair.between[::-1]):
            possible = asked.rate_bit_per_s(source, target)
            if pair.rate_bit_per_s is not None and possible is not None and pair.rate_bit_per_s > possible:
                raise _wrong(
                    f"{source} and {target} ask for {quantity.rate_words(pair.rate_bit_per_s)} between "
                    f"them, and their links have {quantity.rate_words(possible)}",
                    "lower the rate of the pair, or raise those of the links.",
                )


def _mapping(value: Value, name: str, keys: tuple[str, ...]) -> Mapping[str, Value]:
    if not isinstance(value, dict):
        raise _wrong(f"{name} is no mapping", f"write keys of {', '.join(keys)}.")
    if strange := sorted(set(value) - set(keys)):
        raise _wrong(f"{name} has the key {strange[0]}", f"write keys of {', '.join(keys)}.")
    return value


def _text(value: Value, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong(f"{name} is {value!r}", "write one value.")
    return value


def _name(text: str, what: str) -> str:
    if not _NAME.fullmatch(text):
        raise _wrong(f"{what} is {text!r}", "write 1 to 20 small letters, digits and '-', a letter at first.")
    return text


def _read(
    found: Mapping[str, Value], key: str, name: str, read: Callable[[str, str], Number]
) -> Number | None:
    value = found.get(key)
    return None if value is None else read(_text(value, f"{key} of {name}"), f"{key} of {name}")


def _wrong(problem: str, remedy: str) -> TestbedError:
    return TestbedError(problem, remedy, MISUSED)
