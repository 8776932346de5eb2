"""The RO-Crate metadata of a bundle, as JSON-LD: what it is, when, by what, and each file in it.

RO-Crate 1.1 (https://w3id.org/ro/crate/1.1); its context lacks ``sha256``, which is schema.org's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saih.domain.bundle import UNVERIFIED, Bundle
from saih.store.bundle_layout import CRATE, MANIFEST

_VERSION = "https://w3id.org/ro/crate/1.1"
_FORMATS = {
    ".json": "application/json",
    ".h5": "application/x-hdf5",
    ".md": "text/markdown",
    ".txt": "text/plain",
}
_MEANINGS = {
    "environment.json": "What the attempt ran on",
    "outcome.json": "How the attempt ended, with the SHA-256 of its other files",
    "point.json": "The problem and its placement",
    "steps.h5": "Duration of every measured step by rank and phase [ns], and losses",
    "definition.json": "What the sweep asked to be measured",
    "verification.json": "Steps of windows in which causes were switched on and off",
    "left_out.json": "How precisely the sweep was to be known, and why the rest of its grid was left out",
    "limits.json": "The room that the machine had for the sweep",
    "README.md": "How to read the bundle without SAIH",
    "bundle.json": "What the bundle is, and which SAIH wrote it",
}
Node = dict[str, Any]
"""A node of JSON-LD: plain JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Size and checksum of a file of the bundle."""

    num_bytes: int
    sha256: str


def crate(about: Bundle, files: Mapping[str, Listed]) -> bytes:
    """The metadata file of a bundle that holds these files."""
    names = sorted(files)
    nodes = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "conformsTo": {"@id": _VERSION},
            "about": {"@id": "./"},
        },
        _root(about, [*names, MANIFEST]),
        *_credits(about),
        {
            "@id": "#saih",
            "@type": "SoftwareApplication",
            "name": "SAIH",
            "softwareVersion": about.saih_version,
        },
        {
            "@id": "#bundling",
            "@type": "CreateAction",
            "name": "saih bundle",
            "instrument": {"@id": "#saih"},
            "result": {"@id": "./"},
        },
        *(_file(name, files[name]) for name in names),
        {
            "@id": MANIFEST,
            "@type": "File",
            "name": "SHA-256 of every other file; its own SHA-256 is the fingerprint of the bundle",
            "encodingFormat": "text/plain",
        },
    ]
    context = [f"{_VERSION}/context", {"sha256": "https://schema.org/sha256"}]
    return (json.dumps({"@context": context, "@graph": nodes}, indent=1, sort_keys=True) + "\n").encode()


def _root(about: Bundle, names: list[str]) -> Node:
    anonymised = " Names of hosts, users, paths and jobs are pseudonyms." if about.is_anonymised else ""
    root: Node = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"SAIH sweep {about.name}",
        "description": (
            f"Measured points of the SAIH sweep {about.name}: {about.num_points} points, "
            f"{about.num_attempts} attempts. It is an {UNVERIFIED}.{anonymised}"
        ),
        "datePublished": about.last_finished_utc[:10],
        "hasPart": [{"@id": name} for name in names],
        "mentions": {"@id": "#bundling"},
    }
    if about.credit.license:
        root["license"] = {"@id": _license_id(about.credit.license)}
    if about.credit.author:
        root["author"] = {"@id": "#author"}
    return root


def _credits(about: Bundle) -> list[Node]:
    nodes: list[Node] = []
    if about.credit.license:
        nodes.append(
            {
                "@id": _license_id(about.credit.license),
                "@type": "CreativeWork",
                "name": about.credit.license,
            }
        )
    if about.credit.author:
        nodes.append({"@id": "#author", "@type": "Person", "name": about.credit.author})
    return nodes


def _license_id(license_text: str) -> str:
    is_address = license_text.startswith(("https://", "http://"))
    return license_text if is_address else f"https://spdx.org/licenses/{license_text}"


def _file(name: str, listed: Listed) -> Node:
    last = name.rpartition("/")[2]
    return {
        "@id": name,
        "@type": "File",
        "name": _MEANINGS.get(last, "Measured best of the machine for one placement"),
        "contentSize": str(listed.num_bytes),
        "encodingFormat": _FORMATS[last[last.rindex(".") :]],
        "sha256": listed.sha256,
    }
