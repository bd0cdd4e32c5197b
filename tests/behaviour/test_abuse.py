"""
Crowds of those who are not logged in, and what the others notice of them; and what a refusal tells.
Sources are addresses of this machine's loopback. test_sources.py has the limits of one source.
"""

import contextlib
import resource
import socket
import statistics
import subprocess
import time

import pytest

import login_help
from bed import READY, USER, descendants_of, name_of, receive_all, until

NOT_ALLOWED = b"Not allowed at this time\r\n"
HALF_OPEN = 5000


def visit(server, source="127.0.0.1"):
    """A connection from a source of our choice, that has said nothing."""
    return socket.create_connection((server.address, server.port), timeout=20, source_address=(source, 0))


def first_words(server, source="127.0.0.1"):
    with visit(server, source) as s:
        try:
            return s.recv(255)
        except ConnectionResetError:
            return NOT_ALLOWED  # the reset was faster than the words


def log_in(bed, server, source, user=USER, key="ed25519"):
    argv = ["/usr/bin/ssh"] + bed.client_options(server, user_kind=key)
    argv += ["-b", source, "-o", "PreferredAuthentications=publickey", "%s@%s" % (user, server.address), "true"]
    return subprocess.run(argv, env=bed.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def waiting(server):
    """The processes of connections that are not logged in, with those that stand ready for the next."""
    return [pid for pid in descendants_of(server.pid) if name_of(pid) == "aditd-pre"]


def only_ecdsa(bed):
    """Whoever comes with the ed25519 key is refused, with the ecdsa256 key let in."""
    return bed.write("only_ecdsa", bed.keys.public("user", "ecdsa256") + "\n")


def test_a_name_that_nobody_has_costs_its_source(bed):
    server = bed.aditd(PerSourcePenalties="invaliduser:60s authfail:0 noauth:0 min:1s")
    assert log_in(bed, server, "127.0.0.1", user="nosuchuser").returncode == 255
    server.wait_log("127.0.0.1 is refused for 60 s: .*an invalid user")
    assert first_words(server) == NOT_ALLOWED
    server.wait_log("drop connection from 127.0.0.1 .*an invalid user")


def test_one_who_logs_in_is_never_penalised(bed):
    server = bed.aditd(PerSourcePenalties="authfail:60s noauth:60s min:1s")
    for _ in range(3):
        assert log_in(bed, server, "127.0.0.1").returncode == 0


# ---- how many may wait ----


def test_past_max_startups_newcomers_are_dropped(bed):
    server = bed.aditd(MaxStartups="3:100:5")
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(visit(server)).recv(255).startswith(b"SSH-2.0-")
        assert first_words(server) == NOT_ALLOWED
        server.wait_log("drop connection from 127.0.0.1 .*past MaxStartups .3 are not logged in")


def test_between_begin_and_full_some_are_dropped_and_some_are_not(bed):
    server = bed.aditd(MaxStartups="2:50:60")
    with contextlib.ExitStack() as stack:
        words = [stack.enter_context(visit(server)).recv(255) for _ in range(40)]
    dropped = sum(said == NOT_ALLOWED for said in words)
    assert 0 < dropped < 38  # each is wrong once in 2^38, or rarer
    assert all(said.startswith(b"SSH-2.0-") for said in words[:2])


def test_logged_in_is_not_waiting(bed):
    server = bed.aditd(MaxStartups="2:100:2", PerSourceMaxStartups=2)
    for _ in range(4):
        ssh = bed.ssh(server, "-v")
        ssh.wait_line("Authenticated to ")
        until(lambda: first_words(server).startswith(b"SSH-2.0-"), "the place of one who logged in")


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < HALF_OPEN + 200:
        pytest.skip("so many descriptors are more than this shell permits")
    resource.setrlimit(resource.RLIMIT_NOFILE, (HALF_OPEN + 200, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("limit", [{}, {"PerSourceMaxStartups": 8}])
def test_many_half_open_connections_of_one_source_do_not_keep_another_from_logging_in(bed, many_descriptors, limit):
    server = bed.aditd(PerSourcePenalties="yes", **limit)
    with contextlib.ExitStack() as stack:
        for _ in range(HALF_OPEN):
            stack.enter_context(visit(server))
        for _ in range(5):
            began = time.monotonic()
            done = log_in(bed, server, "127.0.0.2")
            took = time.monotonic() - began
            assert done.returncode == 0, done.stderr + server.log[-3000:]
            assert took <= 2, "it took %.1f s" % took
        assert len(waiting(server)) <= 100 + READY + 1  # MaxStartups 10:30:100


# ---- time ----


@pytest.mark.parametrize("says_hello", [False, True])
def test_the_grace_time_is_what_was_configured(bed, says_hello):
    server = bed.aditd(LoginGraceTime=5)
    began = time.monotonic()
    with visit(server) as s:
        if says_hello:
            s.sendall(b"SSH-2.0-half\r\n")
        receive_all(s)
    assert 4.9 <= time.monotonic() - began <= 7
    server.wait_log("Timeout before authentication for 127.0.0.1")


def seconds_to_refusal(bed, server, user, options):
    argv = ["/usr/bin/ssh"] + options + ["%s@%s" % (user, server.address), "true"]
    began = time.monotonic()
    done = subprocess.run(argv, env=bed.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    took = time.monotonic() - began
    assert done.returncode == 255 and "Permission denied" in done.stderr, done.stderr
    return took


def password_options(bed, options):
    bed.env.update(SSH_ASKPASS=bed.write("askpass", "#!/bin/sh\necho wrong\n", 0o700), SSH_ASKPASS_REQUIRE="force")
    first = ["-o", "BatchMode=no", "-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1"]
    return first + options  # of two, ssh takes the first


@pytest.mark.parametrize("method", ["publickey", "password"])
def test_whether_an_account_exists_cannot_be_told_by_the_time_of_a_refusal(bed, method):
    account = login_help.Account(bed, password="its own")
    server = bed.aditd(AuthorizedKeysFile=only_ecdsa(bed), PasswordAuthentication="yes")
    options = bed.client_options(server)
    if method == "password":
        options = password_options(bed, options)
    took = {account.name: [], "nosuchuser": []}
    for _ in range(30):
        for user, times in took.items():
            times.append(seconds_to_refusal(bed, server, user, options))
    known, unknown = (statistics.median(times) for times in took.values())
    assert max(known, unknown) / min(known, unknown) < 1.25, "known: %.3f s, unknown: %.3f s" % (known, unknown)
