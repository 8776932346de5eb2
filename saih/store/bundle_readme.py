"""The README inside a bundle: how to read it without SAIH."""

from saih.domain.bundle import UNVERIFIED, Bundle

_TEXT = """\
# SAIH result bundle: {name}

{points} points, {attempts} attempts, the last of {last_utc}.
Written by SAIH {version}, bundle schema {schema}.
{anonymised}
With SAIH: `saih import FILE`, then `saih status`, `analyze`, `report` and `compare` as for any sweep.

## Without SAIH

- `manifest-sha256.txt`: SHA-256 of every other file. Check with `sha256sum --check manifest-sha256.txt`.
  Its own hash, `sha256sum manifest-sha256.txt`, is the fingerprint of the bundle.
- `bundle.json`: name, counts, schema, the SAIH that wrote the bundle.
- `definition.json`: what was asked. `limits.json`: the room that the machine had.
  `left_out.json` (if any): why the rest of the grid was not measured.
- `points/POINT/attempt-N/`: one try at one point.
  - `point.json`: problem (data, model), placement, precision, timing. POINT is a hash of it.
  - `environment.json`: hardware and software (`facts`), host and date (`notes`).
  - `outcome.json`: completed or why not, notes such as peak memory, SHA-256 of the files beside it.
  - `steps.h5` (HDF5; only of completed attempts): `step` and one dataset for each phase of a step,
    int64 [ranks, steps] in ns, without warm-up; in the same shape meters of threads, such as
    `work_on_cpu` [ns] and `produce_storage_bytes`, where the machine tells them; `losses`, float64
    [steps with warm-up]; attribute `warmup_steps`. With very many ranks only three are kept whole, and
    `kept`, `slowest`, `median_*` say the rest.
  - `verification.json` (if any): steps of windows without and with an intervention.
- `ceilings/ENVIRONMENT/PLACEMENT.json`: measured best rates of the machine, over operation size.
- `ro-crate-metadata.json`: the same list of files as RO-Crate 1.1 (JSON-LD).

In every JSON document the values are under `content`, and `sha256` covers all bytes before it.

## What this proves

Any changed, added or removed byte changes the fingerprint. So two people who see the same fingerprint have
the same files. It is an {unverified}: whoever has the files can change them and hash them
again. Get the fingerprint from the people who measured, by a way that you trust.
"""
_ANONYMISED = (
    "\nNames of hosts, users, domains, paths, addresses and jobs are pseudonyms; numbers are as measured.\n"
)


def readme(about: Bundle) -> bytes:
    """The README of a bundle."""
    return _TEXT.format(
        name=about.name,
        points=about.num_points,
        attempts=about.num_attempts,
        last_utc=about.last_finished_utc,
        version=about.saih_version,
        schema=about.bundle_schema,
        anonymised=_ANONYMISED if about.is_anonymised else "",
        unverified=UNVERIFIED,
    ).encode()
