"""Finding a host by its addresses: only the one that answers with the token counts."""

import socket

from saih.machine.meeting import answering, candidate_addresses, interface_addresses, reach


def test_the_address_that_answers_is_taken_whatever_comes_before_it() -> None:
    with answering() as (port, token):
        with socket.create_server(("127.0.0.2", 0)) as closed:
            dead = closed.getsockname()[0]
        assert reach([dead, "127.0.0.1"], port, token) is not None
        assert reach(["127.0.0.1"], port, token) == ("127.0.0.1", "127.0.0.1")


def test_a_stranger_at_the_same_address_is_not_taken_for_the_host() -> None:
    with answering() as (port, _), answering() as (_, token):
        assert reach(["127.0.0.1"], port, token) is None


def test_nobody_answers_after_the_meeting() -> None:
    with answering() as (port, token):
        pass
    assert reach(["127.0.0.1"], port, token) is None


def test_candidates_are_this_host_s_own_addresses_without_loopback() -> None:
    assert sorted(candidate_addresses()) == sorted(interface_addresses())
    assert not [address for address in candidate_addresses() if address.startswith("127.")]
