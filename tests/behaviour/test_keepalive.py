"""A peer that is silent is noticed, by either side; a peer that answers is not."""

import contextlib
import os
import signal

import pytest

from bed import Server, ask, descendants_of, listening, until

pytestmark = pytest.mark.short


@pytest.mark.parametrize("server", ["aditd", "sshd"])
def test_adit_notices_a_stopped_server(bed, server):
    relay_to = bed.server(server)
    relay = bed.relay(relay_to.port)
    relay_to.port = relay.port
    adit, port = bed.local(relay_to, bed.echo().port, "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2")
    assert ask(port) == b"hello"
    relay.is_held.set()
    assert adit.wait(15) == 255
    assert "Timeout, server 127.0.0.1 not responding." in adit.err
    assert not listening(port)


def test_aditd_notices_a_stopped_client_and_frees_the_port(bed):
    server = bed.aditd(ClientAliveInterval="1", ClientAliveCountMax="2")
    adit, port = bed.remote(server, bed.echo().port)
    adit.signal(signal.SIGSTOP)
    until(lambda: not listening(port), "the dead client's port to be free", 15)


def test_a_stopped_aditd_worker_is_noticed(bed):
    server = bed.aditd()
    adit, port = bed.local(server, bed.echo().port, "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2")
    assert ask(port) == b"hello"
    stopped = descendants_of(server.pid)
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):  # the one that judged the login has gone
            os.kill(pid, signal.SIGSTOP)
    try:
        assert adit.wait(15) == 255
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_an_idle_connection_that_answers_stays(bed):
    server = bed.aditd(ClientAliveInterval="1", ClientAliveCountMax="1")
    adit, port = bed.local(server, bed.echo().port, "-v", "-v", "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1")
    relay = bed.relay(server.port)
    other, second = bed.local(_through(server, relay), bed.echo().port, "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1")
    start = relay.passed
    # Four keepalives crossed an otherwise silent connection.
    until(lambda: relay.passed >= start + 400, "keepalives to pass", 15)
    assert adit.is_alive() and other.is_alive()
    assert ask(port) == b"hello" and ask(second) == b"hello"


def _through(server, relay):
    return Server(server.process, relay.port, server.host_kind, server.name)
