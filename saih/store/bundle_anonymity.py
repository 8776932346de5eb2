"""Names of people and machines in stored text, replaced by pseudonyms that are the same in a whole bundle.

Pseudonyms are numbers in the order of appearance, not hashes: whoever tries names undoes the hash of one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

_SURE_LENGTH = 4
"""Names so long are replaced inside of words too; shorter ones would tear up common words."""
_SURE_JOB_DIGITS = 5
"""Job numbers so long are replaced wherever they stand; shorter ones only after the word job."""
_NUMBER = re.compile(r"[-+0-9.eE]+")
_SECRET = re.compile(
    r"\b\w*(?:TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|_KEY|APIKEY)\w*[\"']?\s*[=:]\s*\S+", re.IGNORECASE
)
_QUOTED_PATH = re.compile(r"(?<=['\"])(?:/|~|[A-Za-z]:\\)[^'\"\n]+(?=['\"])")
_PATH = re.compile(r"(?<![\w/.])(?:~[\w.-]*/|/(?=[\w.~@+-])|[A-Za-z]:\\)[^\s'\"`,;:()\[\]{}<>|]*")
_HOME = re.compile(
    r"/(?:home\d*|users?)/(?:[a-z]/)?([A-Za-z_][\w.-]{0,63})|~([A-Za-z_][\w.-]{0,63})", re.IGNORECASE
)
_ADDRESS = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*"
    r"|\b(?:\d{1,3}\.){3}\d{1,3}\b"
    r"|\b(?:[0-9a-f]{2}[:-]){5,7}[0-9a-f]{2}\b"
    r"|(?<![\w:])(?=[0-9a-f:]*(?:[a-f][0-9a-f]*:|::))(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{1,4}(?![\w:])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What is known to name somebody or something here."""

    hosts: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()

    def joined(self, other: "Names") -> "Names":
        """The names of both."""
        return Names(
            hosts=self.hosts | other.hosts,
            users=self.users | other.users,
            jobs=self.jobs | other.jobs,
            secrets=self.secrets | other.secrets,
        )


@dataclass(slots=True, kw_only=True)
class Pseudonyms:
    """Replaces names; it remembers what it called each, so that one name has one pseudonym."""

    names: Names
    _given: dict[tuple[str, str], str] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _kinds: dict[str, str] = field(init=False)
    """Each known name in small letters, and its kind."""
    _known: re.Pattern[str] | None = field(init=False)
    _known_alone: re.Pattern[str] | None = field(init=False)

    def __post_init__(self) -> None:
        kinds = {
            **dict.fromkeys((name for name in self.names.jobs if len(name) >= _SURE_JOB_DIGITS), "job"),
            **dict.fromkeys(self.names.users, "user"),
            **dict.fromkeys((name.partition(".")[2] for name in self.names.hosts), "domain"),
            **dict.fromkeys((name.partition(".")[0] for name in self.names.hosts), "host"),
            **dict.fromkeys(self.names.hosts, "host"),
            **dict.fromkeys(self.names.secrets, "secret"),
        }
        kinds.pop("", None)
        self._kinds = {name.lower(): kind for name, kind in kinds.items()}
        self._known = _alternation(self._kinds, is_alone=False)
        self._known_alone = _alternation(kinds, is_alone=True)

    def text(self, text: str) -> str:
        """Text that somebody or something wrote, without names, paths, addresses and secrets."""
        if _NUMBER.fullmatch(text):
            return text
        for pattern, kind in (
            (_SECRET, "secret"),
            (_QUOTED_PATH, "path"),
            (_PATH, "path"),
            (_ADDRESS, "address"),
        ):
            text = pattern.sub(partial(self._renamed, kind), text)
        return self._without_known(self._without_jobs(text), self._known)

    def fact(self, text: str) -> str:
        """A fact of hardware or software: only names that stand alone in it, and paths."""
        text = _PATH.sub(partial(self._renamed, "path"), text)
        return self._without_known(text, self._known_alone)

    def note(self, key: str, text: str) -> str:
        """The value of a note, of which some are nothing but names."""
        if key == "scheduler_job":
            return self._called("job", text)
        if key == "scheduler_nodes":
            return self._called("nodes", text)
        if key in ("host", "hosts"):
            return " ".join(self._called("host", _short(name)) for name in text.split())
        return self.text(text)

    def _without_known(self, text: str, pattern: re.Pattern[str] | None) -> str:
        if pattern is None:
            return text

        def called(found: re.Match[str]) -> str:
            name = found["name"].lower()
            kind = self._kinds[name]
            return self._called(kind, _short(name) if kind == "host" else name)

        return pattern.sub(called, text)

    def _without_jobs(self, text: str) -> str:
        if not self.names.jobs:
            return text
        jobs = "|".join(re.escape(name) for name in sorted(self.names.jobs, key=len, reverse=True))
        pattern = re.compile(rf"(\bjobs?\b[\s:#=_-]*(?:id\b)?[\s:#=]*)({jobs})(?!\w)", re.IGNORECASE)
        return pattern.sub(lambda found: found[1] + self._called("job", found[2]), text)

    def _renamed(self, kind: str, found: re.Match[str]) -> str:
        return self._called(kind, found[0])

    def _called(self, kind: str, name: str) -> str:
        """The pseudonym of a name."""
        key = (kind, name.lower())
        if key not in self._given:
            self._counts[kind] += 1
            self._given[key] = f"{'/' if kind == 'path' else ''}{kind}-{self._counts[kind]}"
        return self._given[key]


def users_in(texts: Iterable[str]) -> frozenset[str]:
    """The users whose home folders are named in texts."""
    return frozenset(found[1] or found[2] for text in texts for found in _HOME.finditer(text))


def names_in(notes: Mapping[str, str]) -> Names:
    """The hosts and jobs that notes name."""
    hosts = {name for key in ("host", "hosts") for name in notes.get(key, "").split()}
    job = notes.get("scheduler_job", "")
    return Names(
        hosts=frozenset(hosts),
        jobs=frozenset({job, job.partition(".")[0], job.partition("_")[0]} - {""}),
        users=users_in(notes.values()),
    )


def _short(name: str) -> str:
    return name.lower().partition(".")[0]


def _alternation(kinds: Mapping[str, str], *, is_alone: bool) -> re.Pattern[str] | None:
    """Finds any of the names, the longest first, hosts with their domain."""
    arms = []
    for name in sorted(kinds, key=lambda one: (-len(one), one)):
        is_bounded = is_alone or len(name) < _SURE_LENGTH or kinds[name] == "job"
        arms.append(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])" if is_bounded else re.escape(name))
    if not arms:
        return None
    return re.compile(rf"(?P<name>{'|'.join(arms)})", 0 if is_alone else re.IGNORECASE)
