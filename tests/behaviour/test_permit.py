"""PermitOpen and PermitListen beyond OpenSSH: networks, ranges and negation, met by stock ssh."""

import pytest

from bed import ask, free_port, listening, wait_listen

pytestmark = pytest.mark.short


def opens(bed, server, target):
    """Whether a visitor of -L reaches the target, and what the client heard."""
    port = free_port()
    ssh = bed.ssh(server, "-v", "-L", "127.0.0.1:%d:%s" % (port, target))
    wait_listen(ssh, port)
    try:
        answer = ask(port)
    except OSError:  # reset: before the question was out, or after
        answer = b""
    ssh.stop()
    return answer == b"hello", ssh.err


@pytest.mark.parametrize(
    "rule,host,may",
    [
        ("127.0.0.0/8:{port}", "127.0.0.1", True),
        ("127.0.0.0/8:{port}", "localhost", True),
        ("127.0.0.0/8:{port}", "0x7f000001", True),
        ("10.0.0.0/8:{port}", "localhost", False),
        ("localhost:{low}-{high}", "localhost", True),
        ("localhost:{low}-{high}", "127.0.0.1", False),
        ("*:*  !127.0.0.0/8:{port} ![::1]:{port}", "localhost", False),
        ("*:* !127.0.0.0/8:{port}", "127.1", False),
        ("*:* !10.0.0.0/8:*", "localhost", True),
        ("*:* !*:{low}-{high}", "localhost", False),
    ],
)
def test_an_address_is_dialled_where_the_rules_let_it(bed, rule, host, may):
    port = bed.echo().port
    text = rule.format(port=port, low=port - 1, high=port + 1)
    server = bed.aditd(PermitOpen=text)
    reached, said = opens(bed, server, "%s:%d" % (host, port))
    assert reached == may, said
    if not may:
        server.wait_log("server refused a connection to %s:%d: PermitOpen" % (host, port))
        assert "PermitOpen" in said  # the reason reaches the client


@pytest.mark.parametrize(
    "rule,asked,may",
    [
        ("{low}-{high}", "localhost", True),
        ("*:* !*:{low}-{high}", "localhost", False),
        ("127.0.0.0/8:{low}-{high}", "127.0.0.1", True),
        ("*:* !127.0.0.0/8:*", "localhost", False),
        ("10.0.0.0/8:*", "127.0.0.1", False),
    ],
)
def test_a_port_is_bound_where_the_rules_let_it(bed, rule, asked, may):
    port = free_port()
    server = bed.aditd(PermitListen=rule.format(low=port - 1, high=port + 1))
    ssh = bed.ssh(server, "-o", "ExitOnForwardFailure=yes", "-R", "%s:%d:127.0.0.1:%d" % (asked, port, bed.echo().port))
    if may:
        wait_listen(ssh, port)
        assert ask(port) == b"hello"
    else:
        assert ssh.wait() == 255
        assert not listening(port)
        server.wait_log("server refused to listen on %s:%d: PermitListen" % (asked, port))
