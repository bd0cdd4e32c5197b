"""-R: a port of the server that ends at a target on the client's side."""

import re

import pytest

from bed import BothWays, ask, connect, exchange, free_port, is_turned_away, listening, until, wait_listen

pytestmark = pytest.mark.short
SERVERS = ["aditd", "sshd"]


def any_address(found):
    """ss writes * for a socket that serves both families."""
    return {"0.0.0.0", "::"} if found == {"*"} else found


@pytest.mark.parametrize("server", SERVERS)
def test_remote_forward_carries_bytes_both_ways(bed, server):
    both = BothWays(1 << 20)
    target = bed.target(both)
    _, port = bed.remote(bed.server(server), target.port)
    sent = exchange(port, 1 << 20)
    until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, 1 << 20)]


@pytest.mark.parametrize("server", SERVERS)
def test_gatewayports_no_means_both_loopbacks_and_nothing_else(bed, server):
    echo = bed.echo()
    _, port = bed.remote(bed.server(server, GatewayPorts="no"), echo.port)
    assert listening(port) == {"127.0.0.1", "::1"}
    assert ask(("127.0.0.1", port)) == b"hello"
    assert ask(("::1", port)) == b"hello"


@pytest.mark.parametrize(
    "gateway,bind,expected",
    [
        ("no", "*:", {"127.0.0.1", "::1"}),
        ("no", "127.0.0.1:", {"127.0.0.1"}),  # stricter than OpenSSH, which adds ::1
        ("yes", "", {"0.0.0.0", "::"}),
        ("yes", "127.0.0.1:", {"0.0.0.0", "::"}),
        ("clientspecified", "", {"127.0.0.1", "::1"}),
        ("clientspecified", "*:", {"0.0.0.0", "::"}),
        ("clientspecified", ":", {"0.0.0.0", "::"}),
        ("clientspecified", "localhost:", {"127.0.0.1", "::1"}),
        ("clientspecified", "127.0.0.1:", {"127.0.0.1"}),
        ("clientspecified", "[::1]:", {"::1"}),
        ("clientspecified", "127.0.0.9:", {"127.0.0.9"}),
    ],
)
def test_gatewayports_decides_what_is_bound(bed, gateway, bind, expected):
    echo, port = bed.echo(), free_port()
    server = bed.aditd(GatewayPorts=gateway)
    adit = bed.adit(server, "-R", "%s%d:127.0.0.1:%d" % (bind, port, echo.port))
    wait_listen(adit, port)
    assert any_address(listening(port)) == expected


def test_a_forward_that_the_server_narrows_says_so(bed):
    echo, port = bed.echo(), free_port()
    adit = bed.adit(bed.aditd(GatewayPorts="no"), "-R", "*:%d:127.0.0.1:%d" % (port, echo.port))
    adit.wait_line("%d is open on the server's loopback only \\(GatewayPorts no there\\)" % port)
    assert "Ask for: GatewayPorts clientspecified" in adit.err


def test_a_stock_server_that_may_have_narrowed_is_hinted_at(bed):
    echo, port = bed.echo(), free_port()
    adit = bed.adit(bed.sshd(GatewayPorts="no"), "-R", "*:%d:127.0.0.1:%d" % (port, echo.port))
    adit.wait_line("remote port %d .*GatewayPorts" % port)


@pytest.mark.parametrize("server", SERVERS)
def test_port_0_tells_the_port_in_openssh_words(bed, server):
    echo = bed.echo()
    adit = bed.adit(bed.server(server), "-R", "0:127.0.0.1:%d" % echo.port)
    said = adit.wait_line(r"Allocated port (\d+) for remote forward to 127\.0\.0\.1:%d" % echo.port)
    port = int(said.group(1))
    wait_listen(adit, port)
    assert ask(port) == b"hello"


def test_two_ports_0_are_two_forwards(bed):
    one, two = bed.echo(), bed.target(lambda s: s.sendall(b"two"))
    adit = bed.adit(bed.aditd(), "-R", "0:127.0.0.1:%d" % one.port, "-R", "0:127.0.0.1:%d" % two.port)
    adit.wait_line("Allocated port", count=2)
    found = dict((int(t), int(p)) for p, t in re.findall(r"Allocated port (\d+) .*:(\d+)", adit.err))
    assert ask(found[one.port]) == b"hello"
    with connect(found[two.port]) as s:
        assert s.recv(3) == b"two"


def test_the_listener_goes_when_the_client_ends(bed):
    server = bed.aditd()
    adit, port = bed.remote(server, bed.echo().port)
    adit.stop()
    until(lambda: not listening(port), "the port to be free again")
    _, again = bed.remote(server, bed.echo().port)
    assert ask(again) == b"hello"


def test_the_listener_goes_when_the_client_is_killed(bed):
    adit, port = bed.remote(bed.aditd(), bed.echo().port)
    adit.popen.kill()
    until(lambda: not listening(port), "the port to be free again")


@pytest.mark.parametrize("server", SERVERS)
def test_a_taken_port_is_told_and_the_other_forward_goes_on(bed, server):
    # OpenSSH settles for one family of two, aditd does not.
    taken, echo = bed.echo(address="127.0.0.1" if server == "aditd" else "::"), bed.echo()
    adit, port = bed.remote(bed.server(server), echo.port, "-R", "%d:127.0.0.1:1" % taken.port)
    adit.wait_line("remote port forwarding failed for listen port %d" % taken.port)
    assert ask(port) == b"hello"
    assert adit.is_alive()


def test_a_local_target_that_refuses_is_told_on_this_side(bed):
    nobody = free_port()
    adit, port = bed.remote(bed.aditd(), nobody)
    assert is_turned_away(port)
    adit.wait_line("connect to 127.0.0.1:%d on this machine failed" % nobody)
    assert adit.is_alive()


@pytest.mark.parametrize("value", ["no", "local"])
def test_allowtcpforwarding_refuses_in_words(bed, value):
    adit = bed.adit(bed.aditd(AllowTcpForwarding=value), "-R", "%d:127.0.0.1:1" % free_port())
    adit.wait_line("AllowTcpForwarding")
    adit.wait_line("remote port forwarding failed")


@pytest.mark.parametrize("value,may", [("yes", True), ("all", True), ("local", True), ("remote", False), ("no", False)])
def test_allowtcpforwarding_holds_for_local_forwards(bed, value, may):
    echo = bed.echo()
    adit, port = bed.local(bed.aditd(AllowTcpForwarding=value), echo.port)
    if may:
        assert ask(port) == b"hello"
        return
    assert is_turned_away(port)
    adit.wait_line("open to .* failed")
    assert not echo.visits


def test_slashes_and_ipv6_in_a_remote_spec(bed):
    echo, port = bed.echo(address="::1"), free_port()
    server = bed.aditd(GatewayPorts="clientspecified")
    adit = bed.adit(server, "-R", "127.0.0.1/%d/::1/%d" % (port, echo.port))
    wait_listen(adit, port)
    assert listening(port) == {"127.0.0.1"}
    assert ask(port) == b"hello"
