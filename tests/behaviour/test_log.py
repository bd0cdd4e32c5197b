"""What aditd's log says of logins and forwards, as text and as JSON."""

import json
import re
import subprocess

import pytest

from bed import USER, ask, connect, free_port, until, wait_listen

pytestmark = pytest.mark.short


def use_it(bed, server):
    """A login that fails, one that works, a forward each way, and two that are refused."""
    stranger = str(bed.path("stranger"))
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", stranger], check=True)
    argv = ["/usr/bin/ssh"] + bed.client_options(server) + ["-i", stranger, "-N", "no=user@127.0.0.1"]
    subprocess.run(argv, env=bed.env, capture_output=True, timeout=30)
    echo, local, remote = bed.echo().port, free_port(), free_port()
    ssh = bed.ssh(
        server, "-L", "127.0.0.1:%d:127.0.0.1:%d" % (local, echo), "-R", "%d:127.0.0.1:%d" % (remote, echo),
        "-R", "/tmp/../refused\x07.sock:127.0.0.1:%d" % echo,
    )
    wait_listen(ssh, remote)
    wait_listen(ssh, local)
    assert ask(local) == b"hello" and ask(remote) == b"hello"
    ssh.stop()
    return echo, remote


def test_every_login_and_forward_is_a_line(bed):
    server = bed.aditd(AllowStreamLocalForwarding="no")
    echo, remote = use_it(bed, server)
    server.wait_log(r"Failed publickey for invalid user no=user from 127\.0\.0\.1 port \d+ ssh2")
    server.wait_log(r"Accepted publickey for %s from 127\.0\.0\.1 port \d+ ssh2: ED25519 SHA256:" % USER)
    who = r'user=%s key="ED25519 SHA256:\S+" from=127\.0\.0\.1 from_port=\d+ ' % USER
    server.wait_log("forward kind=local %starget=127.0.0.1 port=%d result=open" % (who, echo))
    server.wait_log("forward kind=remote %starget=localhost port=%d result=open reason=" % (who, remote))
    server.wait_log("forward kind=remote %starget=localhost port=%d result=closed" % (who, remote))
    server.wait_log(r'forward kind=remote-unix %starget="\S+refused\\007\.sock" result=refused reason=.*AllowStreamLocalForwarding' % who)
    assert "\x1b" not in server.log and "\x07" not in server.log


def test_the_end_of_a_forward_says_what_went_through(bed):
    server = bed.aditd()
    echo, remote = use_it(bed, server)
    used = r"bytes_in=5 bytes_out=5 connections=1 duration_ms=\d+"
    server.wait_log(r"forward kind=local .* port=%d result=closed.* %s" % (echo, used))
    server.wait_log(r'forward kind=remote .* port=%d result=closed reason="the connection ended" %s' % (remote, used))
    server.wait_log(r"Disconnected from user %s 127\.0\.0\.1 port \d+|Connection closed by user %s" % (USER, USER))


def test_a_forward_that_is_used_often_has_one_line_with_the_sums(bed):
    server, port = bed.aditd(), free_port()
    ssh = bed.ssh(server, "-R", "%d:127.0.0.1:%d" % (port, bed.echo().port))
    wait_listen(ssh, port)
    for _ in range(3):
        assert ask(port) == b"hello"
    with connect(port) as visitor:
        visitor.sendall(b"more")
        assert visitor.recv(4) == b"more"
        ssh.stop()  # what is open is counted, too
    server.wait_log(r"forward kind=remote .* result=closed .* bytes_in=19 bytes_out=19 connections=4 ")


def test_what_was_cut_short_says_so(bed):
    server = bed.aditd()
    client, port = bed.local(server, bed.echo().port, client=bed.ssh)
    with connect(port) as visitor:
        visitor.sendall(b"more")
        assert visitor.recv(4) == b"more"
        client.stop()
    server.wait_log(r'forward kind=local .* result=closed reason="cut short" bytes_in=4 bytes_out=4 connections=1 ')


def test_logformat_json_is_one_object_a_line(bed):
    server = bed.aditd(LogFormat="json", AllowStreamLocalForwarding="no")
    echo, remote = use_it(bed, server)
    until(lambda: '"event":"logout"' in server.log, "the logout")
    until(lambda: server.log.count('"result":"closed"') >= 2, "the end of both forwards")
    lines = [json.loads(line) for line in server.log.splitlines() if line]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]), line
        assert line["level"] and line["program"].startswith("aditd") and line["pid"] > 0 and "message" in line
    events = {(line["event"], line.get("kind"), line.get("result")): line for line in lines if "event" in line}
    login = events["login", None, "Accepted"]
    assert login["user"] == USER and login["from"] == "127.0.0.1" and login["method"] == "publickey"
    assert login["key"].startswith("ED25519 SHA256:") and login["message"].startswith("Accepted publickey for ")
    failed = events["login", None, "Failed"]
    assert failed["user"] == "no=user" and failed["reason"]
    opened = events["forward", "local", "open"]
    assert (opened["target"], opened["port"], opened["user"]) == ("127.0.0.1", echo, USER)
    assert events["forward", "remote", "open"]["port"] == remote
    assert "refused\x07.sock" in events["forward", "remote-unix", "refused"]["target"]
    for kind in ("local", "remote"):
        closed = events["forward", kind, "closed"]
        assert (closed["bytes_in"], closed["bytes_out"], closed["connections"]) == (5, 5, 1)
        assert 0 <= closed["duration_ms"] < 60000 and closed["user"] == USER
    logout = events["logout", None, None]
    assert (logout["user"], logout["key"], logout["from"]) == (USER, login["key"], "127.0.0.1")
    assert (logout["bytes_in"], logout["bytes_out"]) == (10, 10) and 0 < logout["duration_ms"] < 60000
    assert logout["reason"] and logout["message"].startswith(("Disconnected from user ", "Connection closed by user "))
