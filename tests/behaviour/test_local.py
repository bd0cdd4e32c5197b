"""-L: a port of this machine that ends at a target on the server's side."""

import socket

import pytest

from bed import BothWays, ask, connect, exchange, free_port, is_turned_away, listening, until, wait_listen

pytestmark = pytest.mark.short
SERVERS = ["aditd", "sshd"]


@pytest.mark.parametrize("server", SERVERS)
def test_local_forward_carries_bytes_both_ways(bed, server):
    both = BothWays(1 << 20)
    target = bed.target(both)
    _, port = bed.local(bed.server(server), target.port)
    sent = exchange(port, 1 << 20)
    until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, 1 << 20)]


def test_local_forward_of_a_name_binds_both_loopbacks_and_nothing_else(bed):
    echo, port = bed.echo(), free_port()
    adit = bed.adit(bed.aditd(), "-L", "%d:127.0.0.1:%d" % (port, echo.port))
    wait_listen(adit, port)
    assert listening(port) == {"127.0.0.1", "::1"}
    assert ask(("127.0.0.1", port)) == b"hello"
    assert ask(("::1", port)) == b"hello"
    adit.wait_line("%d.*this machine only" % port)


@pytest.mark.parametrize(
    "bind,expected",
    [
        ("127.0.0.1:", {"127.0.0.1"}),
        ("[::1]:", {"::1"}),
        ("*:", {"0.0.0.0", "::"}),
        (":", {"0.0.0.0", "::"}),
        ("localhost:", {"127.0.0.1", "::1"}),
    ],
)
def test_local_forward_binds_the_address_it_was_given(bed, bind, expected):
    echo, port = bed.echo(), free_port()
    adit = bed.adit(bed.aditd(), "-L", "%s%d:127.0.0.1:%d" % (bind, port, echo.port))
    wait_listen(adit, port)
    found = {"0.0.0.0", "::"} if listening(port) == {"*"} else listening(port)
    assert found == expected


def test_local_forward_with_g_says_that_others_reach_it(bed):
    echo, port = bed.echo(), free_port()
    adit = bed.adit(bed.aditd(), "-g", "-L", "%d:127.0.0.1:%d" % (port, echo.port))
    wait_listen(adit, port)
    adit.wait_line("%d.*anyone who reaches" % port)
    assert ask(port) == b"hello"


def test_local_forward_takes_slashes_and_ipv6_targets(bed):
    echo, port = bed.echo(address="::1"), free_port()
    adit = bed.adit(bed.aditd(), "-L", "127.0.0.1/%d/::1/%d" % (port, echo.port))
    wait_listen(adit, port)
    assert ask(port) == b"hello"


def test_local_forwards_share_one_connection(bed):
    server, echoes, ports = bed.aditd(), [bed.echo() for _ in range(3)], [free_port() for _ in range(3)]
    args = []
    for port, echo in zip(ports, echoes):
        args += ["-L", "%d:127.0.0.1:%d" % (port, echo.port)]
    adit = bed.adit(server, *args)
    for port in ports:
        wait_listen(adit, port)
        assert ask(port) == b"hello"


def test_a_refused_target_is_told_and_costs_one_connection_only(bed):
    echo, nobody = bed.echo(), free_port()
    server, port = bed.aditd(), free_port()
    adit, good = bed.local(server, echo.port, "-L", "%d:127.0.0.1:%d" % (port, nobody))
    with connect(good) as other:
        other.sendall(b"before")
        assert other.recv(6) == b"before"
        assert is_turned_away(port)
        adit.wait_line("open to 127.0.0.1:%d failed on the server's side.*[Cc]onnection refused" % nobody)
        other.sendall(b"after")
        assert other.recv(5) == b"after"


def test_a_name_is_looked_up_on_the_servers_side(bed):
    adit, port = bed.local(bed.aditd(), 80, host="no-such-name.invalid")
    assert is_turned_away(port)
    adit.wait_line("no-such-name.invalid.*server")


def test_a_port_in_use_is_told_and_the_rest_goes_on(bed):
    echo = bed.echo()
    adit, port = bed.local(bed.aditd(), echo.port, "-L", "127.0.0.1:%d:127.0.0.1:1" % echo.port)
    adit.wait_line("cannot listen to port: %d" % echo.port)
    assert ask(port) == b"hello"
    assert adit.err.count("cannot listen to port") == 1, "told again when the link was there"


def test_server_speaks_first(bed):
    def greet(s):
        s.sendall(b"220 ready\r\n")
        s.recv(1)

    target = bed.target(greet)
    _, port = bed.local(bed.aditd(), target.port)
    with connect(port) as s:
        assert s.recv(100) == b"220 ready\r\n"
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
