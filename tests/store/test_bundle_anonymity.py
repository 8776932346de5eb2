import json
import re
import zipfile
from pathlib import Path

import pytest
from bundle_samples import bundled, environment, files_in, verified, write_sample
from hypothesis import assume, given
from hypothesis import strategies as st

from saih.commands.analysis import analysis_of
from saih.commands.import_stage import import_file
from saih.domain.point import Placement
from saih.domain.record import environment_id
from saih.store.bundle_anonymity import Names, Pseudonyms
from saih.store.ceilings_file import read_ceilings
from saih.store.sweep_folder import SweepFolder, read_records

HOST, DOMAIN, USER, JOB = "canaryhost017", "canarysite.example", "canaryuser", "4815162342"
OTHER_HOST = "canaryhost018"
TOKEN = "hf_CanaryTokenCanaryToken"  # noqa: S105 - it opens nothing
REASON = (
    f"rank 3 on {HOST.upper()} ended: /home/{USER}/runs/x.log: no space left; {USER}@{DOMAIN} was told;\n"
    f"HF_TOKEN={TOKEN} job {JOB} at 10.20.30.40, see '/scratch/{USER}/my runs/core' and ~{USER}/.bashrc"
)
NOTES = {
    "hosts": f"{HOST} {OTHER_HOST}",
    "peak_memory_bytes": "720588800",
    "scheduler_job": JOB,
    "scheduler_nodes": "canaryhost[017-018]",
}
FACTS = {"cpu_model": "Test 9000", "mpi_library": f"Open MPI of {USER} at /home/{USER}/opt"}
CANARIES = (
    HOST,
    OTHER_HOST,
    DOMAIN,
    "canary",
    USER,
    TOKEN,
    JOB,
    "/home",
    "/scratch",
    "10.20.30.40",
    "HF_TOKEN",
)


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    where = environment(FACTS, {"host": f"{HOST}.{DOMAIN}", "date_utc": "2026-11-21T01:46:22+00:00"})
    return write_sample(tmp_path, f"runs-of-{USER}", where=where, reason=REASON, notes=NOTES)


def found_in(path: Path) -> set[str]:
    """The canaries anywhere in a bundle, packed or not, in names or contents."""
    with zipfile.ZipFile(path) as bundle:
        unpacked = [name.encode() + b"\n" + bundle.read(name) for name in bundle.namelist()]
    whole = b"\n".join([path.name.encode(), path.read_bytes(), *unpacked]).lower()
    return {canary for canary in CANARIES if canary.lower().encode() in whole}


def test_no_canary_leaves_in_an_anonymised_bundle(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    plain = bundled(folder, tmp_path / "plain.saih.zip")
    assert found_in(plain) == set(CANARIES)
    path = bundled(folder, None, is_anonymised=True)  # type: ignore[arg-type]
    assert found_in(path) == set()
    assert path.name == "runs-of-user-1.saih.zip"
    assert verified(path).about.is_anonymised
    assert b"pseudonyms" in files_in(path)["README.md"]
    assert b"pseudonyms" in files_in(path)["ro-crate-metadata.json"]


def test_a_secret_of_the_environment_is_found_wherever_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_API_KEY", TOKEN)
    folder = write_sample(tmp_path, reason=f"the server refused {TOKEN}.")
    assert found_in(bundled(folder, tmp_path / "a.saih.zip", is_anonymised=True)) == set()


def test_one_name_has_one_pseudonym_in_the_whole_bundle(folder: SweepFolder, tmp_path: Path) -> None:
    path = bundled(folder, tmp_path / "a.saih.zip", is_anonymised=True)
    hosts, reasons, jobs = set(), set(), set()
    for name, data in files_in(path).items():
        content = json.loads(data)["content"] if name.endswith(("environment.json", "outcome.json")) else {}
        notes = content.get("notes", {})
        hosts |= {notes[key] for key in ("host", "hosts") if key in notes}
        jobs |= {notes["scheduler_job"]} if "scheduler_job" in notes else set()
        reasons |= {content["reason"]} if content.get("reason", "").startswith("rank 3") else set()
    assert hosts == {"host-1", "host-1 host-2"}
    assert jobs == {"job-1"}
    assert len(reasons) == 1
    assert reasons.pop().startswith("rank 3 on host-1 ended: /path-")


def test_anonymised_bundles_of_the_same_records_are_the_same_bytes(
    folder: SweepFolder, tmp_path: Path
) -> None:
    first, second = (
        bundled(folder, tmp_path / name, is_anonymised=True).read_bytes() for name in ("a.zip", "b.zip")
    )
    assert first == second


def test_anonymising_changes_names_and_no_number(folder: SweepFolder, tmp_path: Path) -> None:
    path = bundled(folder, tmp_path / "a.saih.zip", is_anonymised=True)
    import_file(path, tmp_path / "there", "there", is_dry=False)
    there = SweepFolder(tmp_path / "there", "there")
    ours, theirs = read_records(folder)[0], read_records(there)[0]
    assert [one.result.steps for one in ours] == [one.result.steps for one in theirs]
    assert [one.point for one in ours] == [one.point for one in theirs]
    assert {one.result.notes["peak_memory_bytes"] for one in theirs} == {"720588800"}
    where = theirs[0].environment
    assert where.facts == {"cpu_model": "Test 9000", "mpi_library": "Open MPI of user-1 at /path-1"}
    assert where.environment_id == environment_id(where.facts)
    found = read_ceilings(there.path, where.environment_id, Placement(ranks_per_node=2, data_parallel=2))
    assert found is not None
    before, after = analysis_of(folder, tmp_path)[0], analysis_of(there, tmp_path)[0]
    assert [one.step_ns for one in before.points] == [one.step_ns for one in after.points]
    assert [one.share_of_peak for one in before.points] == [one.share_of_peak for one in after.points]
    assert after.points[0].share_of_peak is not None


def test_facts_without_names_keep_their_environment_id(tmp_path: Path) -> None:
    folder = write_sample(tmp_path)
    path = bundled(folder, tmp_path / "a.saih.zip", is_anonymised=True)
    assert verified(path).about.environment_ids == (environment().environment_id,)


NAME = st.from_regex(r"[a-z][a-z0-9]{3,11}", fullmatch=True)
WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)


@given(NAME, NAME, st.lists(WORDS, max_size=4))
def test_a_known_name_is_in_no_text_afterwards(host: str, user: str, words: list[str]) -> None:
    kinds = "host user domain path address secret job"
    assume(host not in user and user not in host and not any(name in kinds for name in (host, user)))
    pseudonyms = Pseudonyms(names=Names(hosts=frozenset({f"{host}.site.example"}), users=frozenset({user})))
    text = f"{host} {user}_{host.upper()}".join(words) + f" on {host}.site.example /home/{user}/x {user}"
    shown = pseudonyms.text(text)
    assert host not in shown.lower()
    assert user not in shown.lower()
    assert pseudonyms.text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "budget of 8 s spent after 367 steps, interval 6.5 %",
        "2 threads of 2 cores",
        "12.4 GB/s of 3 FLOP/byte, 1/2 of the ranks",
        "2026-11-21T01:46:22+00:00",
        "720588800",
        "1.5e-3",
    ],
)
def test_words_and_numbers_that_name_nobody_stay(text: str) -> None:
    names = Names(hosts=frozenset({"vm"}), users=frozenset({"al"}), jobs=frozenset({"8", "367"}))
    assert Pseudonyms(names=names).text(text) == text


def test_short_job_numbers_are_replaced_only_where_a_job_is_meant() -> None:
    pseudonyms = Pseudonyms(names=Names(jobs=frozenset({"12"})))
    assert pseudonyms.text("job 12 was cancelled after 12 steps") == "job job-1 was cancelled after 12 steps"
    assert re.search(r"\b12\b", pseudonyms.text("12 steps"))
