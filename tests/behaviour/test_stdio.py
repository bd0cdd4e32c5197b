"""-W: standard input and output joined to a target on the server's side, and as a ProxyCommand."""

import hashlib
import subprocess

import pytest

from bed import ADIT, USER, ask, free_port, seeded_bytes, until, wait_listen

pytestmark = pytest.mark.short
SERVERS = ["aditd", "sshd"]


def stdio(bed, server, port, payload, program=ADIT):
    argv = [program] + bed.client_options(server) + ["-W", "127.0.0.1:%d" % port, bed.login(server)]
    return subprocess.run(argv, input=payload, capture_output=True, timeout=60, env=bed.env)


@pytest.mark.parametrize("server", SERVERS)
def test_stdio_carries_everything_both_ways_and_ends_with_0(bed, server):
    payload = seeded_bytes(3, 3 << 20)
    done = stdio(bed, bed.server(server), bed.echo().port, payload)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(payload).digest()


def test_stdio_to_nobody_is_told_and_ends_with_255(bed):
    port = free_port()
    done = stdio(bed, bed.aditd(), port, b"")
    assert done.returncode == 255
    assert b"stdio forwarding failed" in done.stderr and b"refused" in done.stderr
    assert done.stdout == b""


def test_a_target_that_ends_first_ends_stdio(bed):
    target = bed.target(lambda s: s.sendall(b"only this"))
    server = bed.aditd()
    argv = [ADIT] + bed.client_options(server) + ["-W", "127.0.0.1:%d" % target.port, bed.login(server)]
    adit = bed.run(argv, stdin=subprocess.PIPE)
    until(lambda: adit.out == b"only this", lambda: "the target's words; got %r, %s" % (adit.out, adit.err))
    adit.popen.stdin.close()
    assert adit.wait() == 0


@pytest.mark.parametrize("outer,client", [("aditd", "adit"), ("aditd", "ssh"), ("sshd", "adit")])
def test_stdio_is_a_proxycommand(bed, outer, client):
    """A bastion: the inner server is reached through -W on the outer one."""
    outside, inside, echo, port = bed.server(outer), bed.sshd(), bed.echo(), free_port()
    inner_known = bed.known_hosts(outside, inside, name="known_both")
    command = "%s -F none -p %d -i %s -o UserKnownHostsFile=%s -o BatchMode=yes -W %%h:%%p %s@127.0.0.1" % (
        ADIT, outside.port, bed.keys.user(), inner_known, USER,
    )
    start = bed.adit if client == "adit" else bed.ssh
    adit = start(inside, "-o", "ProxyCommand=" + command, "-L", "127.0.0.1:%d:127.0.0.1:%d" % (port, echo.port))
    wait_listen(adit, port)
    assert ask(port) == b"hello"


def test_a_proxycommand_that_fails_is_told(bed):
    server = bed.sshd()
    adit = bed.adit(server, "-o", "ProxyCommand=exit 3", "-L", "%d:127.0.0.1:1" % free_port())
    assert adit.wait() == 255
    assert adit.err.strip()
