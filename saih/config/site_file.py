"""A site file: what is to be known of one system, checked whole."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from saih.config.entry import Entries, read_section
from saih.config.json_schema import DIALECT, section_json
from saih.config.key import Key
from saih.config.mistake import Mistake, SweepFileError
from saih.config.node import compose
from saih.config.site_schema import OWN_OPTIONS, SITE_SCHEMA
from saih.config.source import read_text
from saih.domain.site import Packing, SchedulerName, Site, Starter

VARIABLE = "SAIH_SITE"
"""Names the site file where no option does."""
_COMMAND = "saih init --site"
_EXAMPLES = {
    "name": "mycluster",
    "scheduler": "slurm",
    "partition": "gpu",
    "account": "proj42",
    "qos": "normal",
    "constraint": "a100&ib",
    "environment": '{OMPI_MCA_btl_tcp_if_include: ib0, NCCL_DEBUG: "WARN"}',
    "container": "/shared/images/saih.sif",
    "python": "python3",
    "cores_per_node": "64",
    "gpus_per_node": "4",
    "memory_GiB_per_node": "512",
    "gpu_memory_GiB": "80",
    "power_W_per_node": "1800",
    "max_nodes": "128",
    "testbed": "/home/me/.cache/saih/edge-testbed/kitchen/testbed.json",
    "staging_folder": "/local/scratch",
}
_BATCH_ONLY = ("partition", "account", "qos", "constraint", "options")


def find_site(option: str | None, environ: Mapping[str, str]) -> Site | None:
    """The site of the file that an option names, else the variable SAIH_SITE; None where neither does.

    Raises:
        UsageError: when that file is none, with every mistake of it.
    """
    path = option or environ.get(VARIABLE)
    return read_site(Path(path)) if path else None


def read_site(path: Path) -> Site:
    """The site of a file.

    Raises:
        UsageError: with every mistake of the file at once.
    """
    return parse_site(read_text(path, what="site", command=_COMMAND), str(path))


def parse_site(text: str, source: str) -> Site:
    """The site of a text that is called ``source`` in messages.

    Raises:
        UsageError: with every mistake of the text at once.
    """
    mistakes: list[Mistake] = []
    root = compose(text, lambda line, column: f"{source}:{line}:{column}", mistakes)
    if root is None:
        raise SweepFileError(source, mistakes, command=_COMMAND)
    entries = Entries(mistakes=mistakes)
    read_section(root, SITE_SCHEMA, (), entries)
    _check_meaning(entries)
    if mistakes:
        raise SweepFileError(source, mistakes, command=_COMMAND)
    return _site(entries)


def explained_site() -> str:
    """A site file in which every key is explained; what may be left out is commented out."""
    lines = [
        "# A site: what SAIH must know of one system. Write it once for each system, and share it.",
        "# Use it by `saih sweep FILE --site THIS_FILE`, or `export SAIH_SITE=/path/of/THIS_FILE`.",
        "",
    ]
    for key in SITE_SCHEMA.keys:
        default = "" if key.default is None else f" (default {json.dumps(key.default)})"
        lines += [
            f"# {key.meaning}{default}",
            f"{'' if key.is_required else '# '}{key.name}: {_example(key)}",
            "",
        ]
    return "\n".join(lines)


def site_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a site file."""
    return {"$schema": DIALECT, "title": "SAIH site", **section_json(SITE_SCHEMA)}


def _example(key: Key) -> str:
    listed = getattr(key.kind, "example", None)
    return _EXAMPLES.get(key.name) or listed or json.dumps(key.default)


def _check_meaning(entries: Entries) -> None:
    scheduler = entries.values.get(("scheduler",))
    if scheduler is None:
        return
    if scheduler.value == "local":
        _refuse_given(entries, _BATCH_ONLY, "no such key with scheduler: local")
    else:
        _refuse_given(entries, ("testbed",), "no testbed with a batch scheduler")
    if scheduler.value != "slurm":
        starter = entries.values.get(("starter",))
        if starter is not None and starter.value == "srun":
            entries.report(
                starter.place, ("starter",), "srun", "mpirun with this scheduler", "srun belongs to Slurm"
            )
    if scheduler.value in {"pbs", "flux"}:
        _refuse_given(entries, ("qos",), f"no qos with scheduler: {scheduler.value}")
    if "container_options" in {path[0] for path in entries.values} and ("container",) not in entries.values:
        _refuse_given(entries, ("container_options",), "a container too")
    _check_times(entries)
    _check_options(entries, str(scheduler.value))


def _refuse_given(entries: Entries, names: tuple[str, ...], expected: str) -> None:
    for name in names:
        entry = entries.values.get((name,))
        if entry is not None:
            entries.report(entry.place, (name,), "a value", expected, "remove it, or correct the scheduler")


def _check_times(entries: Entries) -> None:
    notice, longest = entries.values.get(("notice_s",)), entries.values.get(("max_time_h",))
    if notice is None or longest is None:
        return
    if entries.real(("notice_s",)) > 0.5 * 3600 * entries.real(("max_time_h",)):
        entries.report(
            notice.place,
            ("notice_s",),
            f"{notice.value} s",
            f"at most half of max_time_h ({longest.value} h)",
            "shorten the notice: a job that is told to stop at once finishes nothing",
        )


def _check_options(entries: Entries, scheduler: str) -> None:
    given = entries.values.get(("options",))
    for option in _texts(entries, "options"):
        name = re.split("[= ]", option, maxsplit=1)[0]
        if given is not None and _is_own(name, scheduler):
            entries.report(
                given.place,
                ("options",),
                f"the option {name}",
                "options that SAIH does not set itself",
                "remove it; partition, account, times and sizes have keys of their own",
            )


def _is_own(name: str, scheduler: str) -> bool:
    """Whether SAIH sets this option: long ones may be cut short, and values may follow short ones at once."""
    own = OWN_OPTIONS.get(scheduler, ())
    if name.startswith("--"):
        return any(one.startswith(name) for one in own)
    return name in own or (scheduler != "lsf" and name[:2] in own)


def _site(entries: Entries) -> Site:
    scheduler: dict[str, SchedulerName] = {word: word for word in get_args(SchedulerName)}
    starter: dict[str, Starter] = {word: word for word in get_args(Starter)}
    packing: dict[str, Packing] = {word: word for word in get_args(Packing)}
    return Site(
        name=entries.word(("name",)),
        scheduler=scheduler[entries.word(("scheduler",))],
        partition=_word(entries, "partition"),
        account=_word(entries, "account"),
        qos=_word(entries, "qos"),
        constraint=_word(entries, "constraint"),
        options=tuple(_texts(entries, "options")),
        modules=tuple(_texts(entries, "modules")),
        environment={name: str(entry.value) for name, entry in entries.below(("environment",))},
        container=_word(entries, "container"),
        container_options=tuple(_texts(entries, "container_options")),
        python=_word(entries, "python"),
        starter=starter[entries.word(("starter",))],
        srun_mpi=entries.word(("srun_mpi",)),
        cores_per_node=_whole(entries, "cores_per_node"),
        gpus_per_node=_whole(entries, "gpus_per_node"),
        memory_bytes_per_node=_bytes(entries, "memory_GiB_per_node"),
        gpu_memory_bytes=_bytes(entries, "gpu_memory_GiB"),
        power_w_per_node=_real(entries, "power_W_per_node"),
        max_nodes=_whole(entries, "max_nodes"),
        max_time_s=entries.real(("max_time_h",)) * 3600,
        notice_s=entries.real(("notice_s",)),
        max_jobs=entries.whole(("max_jobs",)),
        is_exclusive=bool(entries.whole(("is_exclusive",))),
        is_requeued=bool(entries.whole(("is_requeued",))),
        packing=packing[entries.word(("packing",))],
        testbed=_word(entries, "testbed"),
        staging_folder=_word(entries, "staging_folder"),
    )


def _word(entries: Entries, name: str) -> str:
    return entries.word((name,)) if (name,) in entries.values else ""


def _whole(entries: Entries, name: str) -> int | None:
    return entries.whole((name,)) if (name,) in entries.values else None


def _real(entries: Entries, name: str) -> float | None:
    return entries.real((name,)) if (name,) in entries.values else None


def _bytes(entries: Entries, name: str) -> int | None:
    return round(entries.real((name,)) * 2**30) if (name,) in entries.values else None


def _texts(entries: Entries, name: str) -> Iterator[str]:
    entry = entries.values.get((name,))
    if entry is not None and isinstance(entry.value, tuple):
        yield from (str(value) for value in entry.value)
