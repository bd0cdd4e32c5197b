"""What is cut short must look cut short: a reset, never the clean end of a shorter file."""

import signal
import threading

import pytest

from bed import connect, receive_exactly, reset, until

pytestmark = pytest.mark.short


def endless(s):
    block = b"x" * 65536
    while True:
        s.sendall(block)


def read_to_the_end(s):
    while s.recv(1 << 16):
        pass


@pytest.mark.parametrize("server", ["aditd", "sshd"])
@pytest.mark.parametrize("kind", ["local", "remote"])
def test_a_cut_ssh_connection_resets_what_adit_serves(bed, server, kind):
    """The relay in the middle dies: adit's own side (-L) or its target's side (-R) sees RST."""
    up = bed.server(server)
    relay = bed.relay(up.port)
    failed = threading.Event()

    def serve(s):
        try:
            endless(s)
        except ConnectionResetError:
            failed.set()
            raise

    target = bed.target(serve)
    up.port = relay.port  # the client is sent through the relay
    start = bed.local if kind == "local" else bed.remote
    _, port = start(up, target.port)
    with connect(port) as s:
        receive_exactly(s, 1 << 20)
        relay.cut()
        if kind == "local" or server == "aditd":
            with pytest.raises(ConnectionResetError):
                read_to_the_end(s)
        else:  # a stock sshd ends its listeners' connections as it likes
            try:
                read_to_the_end(s)
            except ConnectionResetError:
                pass
    if kind == "remote" or server == "aditd":
        until(failed.is_set, "the target to see a reset")


def test_a_killed_client_resets_what_the_server_serves(bed):
    adit, port = bed.remote(bed.aditd(), bed.target(endless).port)
    with connect(port) as s:
        receive_exactly(s, 1 << 20)
        adit.popen.send_signal(signal.SIGKILL)
        with pytest.raises(ConnectionResetError):
            read_to_the_end(s)


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_a_reset_by_the_target_reaches_the_visitor_as_a_reset(bed, kind):
    """Both ends ours: RST crosses the tunnel."""

    def serve(s):
        s.sendall(b"half a file")
        s.recv(1)
        reset(s)

    start = bed.local if kind == "local" else bed.remote
    _, port = start(bed.aditd(), bed.target(serve).port)
    with connect(port) as s:
        receive_exactly(s, 11)
        s.sendall(b"!")
        with pytest.raises(ConnectionResetError):
            read_to_the_end(s)


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_a_reset_by_the_visitor_reaches_the_target_as_a_reset(bed, kind):
    seen = threading.Event()

    def serve(s):
        try:
            while s.recv(65536):
                pass
        except ConnectionResetError:
            seen.set()

    start = bed.local if kind == "local" else bed.remote
    target = bed.target(serve)
    _, port = start(bed.aditd(), target.port)
    s = connect(port)
    s.sendall(b"half a file")
    until(lambda: target.visits, "the visit to arrive")
    reset(s)
    until(seen.is_set, "the target to see a reset")


def test_an_abort_touches_no_other_connection(bed):
    def serve(s):
        first = s.recv(1)
        if first == b"r":
            reset(s)
        else:
            s.sendall(b"whole")

    _, port = bed.local(bed.aditd(), bed.target(serve).port)
    with connect(port) as good, connect(port) as bad:
        bad.sendall(b"r")
        with pytest.raises(ConnectionResetError):
            read_to_the_end(bad)
        good.sendall(b"g")
        receive_exactly(good, 5)
