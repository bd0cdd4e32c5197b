"""Sources that misbehave or crowd: refused before a word of SSH, their neighbours served on."""

import socket
import subprocess

import pytest

from bed import ask, until

pytestmark = pytest.mark.short

REFUSED = b"Not allowed at this time\r\n"


def greeting(server, source):
    """The first bytes that somebody from this address hears; and the socket."""
    s = socket.socket()
    s.settimeout(20)
    s.bind((source, 0))
    s.connect(("127.0.0.1", server.port))
    try:
        return s.recv(8), s
    except ConnectionResetError:
        return REFUSED[:8], s


def is_served(server, source):
    said, s = greeting(server, source)
    s.close()
    assert said in (b"SSH-2.0-", REFUSED[:8]), said
    return said == b"SSH-2.0-"


def fail_to_log_in(bed, server, source):
    key = bed.path("stranger")
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", str(key)], check=True)
    argv = ["/usr/bin/ssh", "-F", "none", "-p", str(server.port), "-b", source, "-i", str(key), "-o", "IdentitiesOnly=yes"]
    argv += ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-N", bed.login(server)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert done.returncode == 255 and "Permission denied" in done.stderr, done.stderr


def test_a_guesser_is_refused_for_a_while_and_his_neighbour_is_not(bed):
    server = bed.aditd(PerSourcePenalties="authfail:60s min:90s noauth:0", PerSourcePenaltyExemptList="127.0.0.4,127.0.0.16/28")
    fail_to_log_in(bed, server, "127.0.0.2")
    assert is_served(server, "127.0.0.2")  # 60 s are below min
    fail_to_log_in(bed, server, "127.0.0.2")
    server.wait_log(r"127\.0\.0\.2 is refused for \d+ s: failed authentication")
    assert not is_served(server, "127.0.0.2")
    assert is_served(server, "127.0.0.3")
    for exempt in ("127.0.0.4", "127.0.0.20"):
        fail_to_log_in(bed, server, exempt)
        fail_to_log_in(bed, server, exempt)
        assert is_served(server, exempt)
    _, port = bed.local(server, bed.echo().port)
    assert ask(port) == b"hello"


def test_a_penalty_ends(bed):
    server = bed.aditd(PerSourcePenalties="authfail:4s min:1s noauth:0")
    fail_to_log_in(bed, server, "127.0.0.2")
    server.wait_log("is refused for 4 s")
    assert not is_served(server, "127.0.0.2")
    until(lambda: is_served(server, "127.0.0.2"), "the penalty to end")


def test_who_leaves_without_trying_is_refused_and_his_block_with_him(bed):
    server = bed.aditd(PerSourcePenalties="noauth:60s min:60s", PerSourceNetBlockSize="24:64")
    assert is_served(server, "127.0.1.2")  # and leaves
    server.wait_log("is refused for 60 s: left without attempting authentication")
    assert not is_served(server, "127.0.1.9")
    assert is_served(server, "127.0.2.9")


def test_the_grace_time_costs_its_own_penalty(bed):
    server = bed.aditd(PerSourcePenalties="grace-exceeded:60s min:60s noauth:0", LoginGraceTime="1")
    said, s = greeting(server, "127.0.0.2")
    with s:
        assert said == b"SSH-2.0-"
        server.wait_log("is refused for 60 s: exceeded LoginGraceTime")
    assert not is_served(server, "127.0.0.2")


def test_a_source_has_its_share_of_startups_and_no_more(bed):
    server = bed.aditd(PerSourceMaxStartups="2", PerSourcePenalties="no")
    held = [greeting(server, "127.0.0.2") for _ in range(2)]
    assert [said for said, _ in held] == [b"SSH-2.0-"] * 2
    assert not is_served(server, "127.0.0.2")
    assert is_served(server, "127.0.0.3")
    server.wait_log("PerSourceMaxStartups")
    held[0][1].close()
    until(lambda: is_served(server, "127.0.0.2"), "the place to be free again")
    held[1][1].close()


def test_a_refused_user_is_cut_and_costs_his_source(bed):
    server = bed.aditd(RefuseConnection="yes", PerSourcePenalties="refuseconnection:60s min:60s noauth:0 authfail:0")
    argv = ["/usr/bin/ssh"] + bed.client_options(server) + ["-b", "127.0.0.2", "-N", bed.login(server)]
    assert subprocess.run(argv, capture_output=True, timeout=30).returncode == 255
    server.wait_log("RefuseConnection")
    assert not is_served(server, "127.0.0.2")
    assert is_served(server, "127.0.0.3")
