"""What Slurm prints, read: recorded answers, odd ones, and garbage."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.domain.errors import UsageError
from saih.domain.site import Site
from saih.launch import slurm_text
from saih.launch.job_view import JobView
from saih.launch.site_environment import allocation_around, scheduler_environment
from saih.launch.slurm_error import has_no_accounts, is_transient, refusal

# Recorded from Slurm 22.05.8.
QUEUE = """\
1|N/A|RUNNING|n1|None|saih-abc
2|0|PENDING||JobArrayTaskLimit|saih-abc
2|1|PENDING||Priority|saih-abc
5|N/A|PENDING||PartitionTimeLimit|a|b
"""
ACCOUNTS = """\
1|COMPLETED|0:0|n1|saih-abc
1.batch|COMPLETED|0:0|n1|batch
4|CANCELLED by 0|0:0|None assigned|saih-abc
2_0|FAILED|75:0|n[1-2]|saih-abc
2_0.extern|COMPLETED|0:0|n1|extern
2_[3-4%2]|PENDING|0:0|None assigned|saih-abc
7|OUT_OF_ME+|0:125|n3|saih-abc
"""
NODES = """\
main*|up|1:00:00|n1|127.0.0.1|2|2000|gpu:fake:2|idle
high|down|infinite|n1|127.0.0.1|2|2000|gpu:fake:2|idle
main*|up|1:00:00|n2|node2.example|64+|515000+|gpu:a100:3(S:0-1),gpu:h100:1,shard:8|mixed
"""


def view(job_id: str, state: str, index: int | None = None, **more: str) -> JobView:
    known = {"name": "saih-abc", "reason": "", "nodes": ""}
    return JobView(job_id=job_id, state=state, index=index, **{**known, **more})


def test_the_queue_is_read_with_one_view_for_each_element() -> None:
    assert slurm_text.parse_queue(QUEUE) == (
        view("1", "RUNNING", nodes="n1"),
        view("2", "PENDING", 0, reason="JobArrayTaskLimit"),
        view("2", "PENDING", 1, reason="Priority"),
        view("5", "PENDING", reason="PartitionTimeLimit", name="a|b"),
    )


def test_a_job_in_a_state_of_a_later_slurm_is_still_in_the_queue() -> None:
    assert slurm_text.parse_queue("1|N/A|POWER_UP_NODE||None|saih-abc\n") == (view("1", "POWER_UP_NODE"),)


def test_elements_that_are_told_together_become_views_of_their_own() -> None:
    found = slurm_text.parse_queue("12|3-5,9,20-28:4%2|PENDING||None|x\n")
    assert [one.index for one in found] == [3, 4, 5, 9, 20, 24, 28]


def test_an_absurd_range_of_elements_is_cut() -> None:
    assert len(slurm_text.parse_queue("12|0-999999999|PENDING||None|x\n")) == 100_000


def test_accounts_are_read_without_steps() -> None:
    assert slurm_text.parse_accounts(ACCOUNTS) == (
        view("1", "COMPLETED", nodes="n1"),
        view("4", "CANCELLED", reason="by 0"),
        view("2", "FAILED", 0, nodes="n[1-2]", reason="exit 75:0"),
        view("2", "PENDING", 3),
        view("2", "PENDING", 4),
        view("7", "OUT_OF_MEMORY", nodes="n3", reason="exit 0:125"),
    )


def test_of_a_job_that_is_told_twice_the_last_counts() -> None:
    found = slurm_text.parse_accounts("3|NODE_FAIL|1:0|n1|a\n3|COMPLETED|0:0|n2|a\n")
    assert [(one.state, one.nodes) for one in found] == [("COMPLETED", "n2")]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("CANCELLED by 1001", "CANCELLED"),
        ("CANCELLED+", "CANCELLED"),
        ("OUT_OF_ME+", "OUT_OF_MEMORY"),
        ("RESV_DEL_+", "RESV_DEL_HOLD"),
        ("COMP+", None),  # COMPLETED or COMPLETING
        ("COMPLETE+", "COMPLETED"),
        ("", None),
        ("+", None),
        ("DONE", None),
        ("running", None),
    ],
)
def test_states_are_known_words_also_when_cut(text: str, state: str | None) -> None:
    assert slurm_text.state_of(text) == state


def test_partitions_are_read_with_their_nodes() -> None:
    main, high = slurm_text.parse_nodes(NODES)
    assert (main.name, main.is_default, main.is_up, main.max_time_s) == ("main", True, True, 3600.0)
    assert (high.name, high.is_default, high.is_up, high.max_time_s) == ("high", False, False, None)
    assert [(node.name, node.address, node.cores, node.gpus) for node in main.nodes] == [
        ("n1", "127.0.0.1", 2, 2),
        ("n2", "node2.example", 64, 4),
    ]
    assert main.nodes[1].memory_bytes == 515_000 * 2**20


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30:00", 1800.0),
        ("1:00:00", 3600.0),
        ("2-01:00:05", 176_405.0),
        ("infinite", None),
        ("n/a", None),
        ("", None),
    ],
)
def test_time_limits_are_seconds(text: str, seconds: float | None) -> None:
    assert slurm_text.parse_time_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("(null)", 0),
        ("gpu:4", 4),
        ("gpu:a100:4", 4),
        ("gpu:a:2(S:0),gpu:b:1", 3),
        ("shard:8", 0),
        ("gpu:x", 0),
    ],
)
def test_gpus_are_counted(text: str, count: int) -> None:
    assert slurm_text.parse_gpus(text) == count


@pytest.mark.parametrize(
    ("text", "job_id"),
    [
        ("123\n", "123"),
        ("123;cluster\n", "123"),
        ("a line of a site's own plugin\n123\n", "123"),
        ("", None),
        ("Submitted batch job 123\n", None),
        ("123 456\n", None),
    ],
)
def test_the_id_is_the_last_line(text: str, job_id: str | None) -> None:
    assert slurm_text.parse_job_id(text) == job_id


def test_mpi_plugins_are_those_that_are_listed() -> None:
    recorded = (
        "MPI plugin types are...\n\tpmix\n\tnone\n\tcray_shasta\n\tpmi2\n"
        "specific pmix plugin versions available: pmix_v4,pmix_v5\n"
    )
    found = slurm_text.parse_mpi_plugins(recorded)
    assert found == ("pmix", "none", "cray_shasta", "pmi2", "pmix_v4", "pmix_v5")


@given(
    st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("|_[]-%,:.+*\n0123456789"), max_size=200)
)
def test_garbage_is_left_out_and_ends_nothing(text: str) -> None:
    for one in slurm_text.parse_queue(text):
        assert one.job_id.isdigit()
        assert re.fullmatch(r"[A-Z_,+]+", one.state)
    for one in slurm_text.parse_accounts(text):
        assert one.job_id.isdigit()
        assert one.state in slurm_text.STATES
    slurm_text.parse_nodes(text)
    slurm_text.parse_job_id(text)
    slurm_text.parse_time_s(text)
    slurm_text.parse_gpus(text)
    slurm_text.parse_setting(text, "MaxArraySize")


@pytest.mark.parametrize(
    "text",
    [
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Resource temporarily unavailable",
        "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        "squeue: error: slurm_receive_msg: Zero Bytes were transmitted or received",
    ],
)
def test_what_passes_is_told_from_what_does_not(text: str) -> None:
    assert is_transient(text)


SITE = Site(name="x", scheduler="slurm", partition="p1", account="a1", qos="q1", constraint="c1")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Invalid partition name specified", "'p1'"),
        ("Invalid account or account/partition combination specified", "'a1'"),
        ("Invalid qos specification", "'q1'"),
        ("Invalid feature specification", "'c1'"),
        ("Requested time limit is invalid (missing or exceeds some limit)", "time limit"),
        ("Requested node configuration is not available", "nodes or cores"),
        ("Invalid generic resource (gres) specification", "GPUs"),
        ("Job violates accounting/QOS policy (job submit limit)", "more jobs"),
        ("something new", "something new"),
    ],
)
def test_a_refusal_names_what_is_to_be_changed(text: str, named: str) -> None:
    said = f"sbatch: error: Batch job submission failed: {text}\n"
    assert not is_transient(said)
    error = refusal(said, SITE)
    assert isinstance(error, UsageError)
    assert named in error.problem


def test_an_option_that_sbatch_does_not_know_is_told() -> None:
    said = "sbatch: unrecognized option '--wurst'\nTry \"sbatch --help\" for more information\n"
    assert not is_transient(said)
    assert "an option" in refusal(said, SITE).problem


def test_missing_accounting_is_no_failure() -> None:
    assert has_no_accounts("Slurm accounting storage is disabled\n")


def test_commands_see_no_variables_that_change_what_they_do() -> None:
    base = {
        "PATH": "/bin", "HOME": "/h", "SLURM_CONF": "/c", "SBATCH_PARTITION": "x", "SLURM_JOB_ID": "3",
        "SQUEUE_FORMAT": "%i", "SACCT_FORMAT": "x", "SLURM_TIME_FORMAT": "%H", "LC_ALL": "de_DE",
        "PMIX_RANK": "0",
    }  # fmt: skip
    found = scheduler_environment(base)
    assert found == {
        "PATH": "/bin",
        "HOME": "/h",
        "SLURM_CONF": "/c",
        "LC_ALL": "C",
        "SLURM_TIME_FORMAT": "standard",
        "FLUX_F58_FORCE_ASCII": "1",
    }
    assert allocation_around(base) == "SLURM_JOB_ID=3"
    assert allocation_around(found) is None
