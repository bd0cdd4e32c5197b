"""What aditd's log says of logins and forwards, as text and as JSON."""

import json
import re
import subprocess

import pytest

from bed import USER, ask, free_port, until, wait_listen

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


def test_logformat_json_is_one_object_a_line(bed):
    server = bed.aditd(LogFormat="json", AllowStreamLocalForwarding="no")
    echo, remote = use_it(bed, server)
    until(lambda: server.log.count('"result":"closed"') >= 1, "the end of the forward")
    lines = [json.loads(line) for line in server.log.splitlines() if line]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]), line
        assert line["level"] and line["program"].startswith("aditd") and line["pid"] > 0 and "message" in line
    events = {(line["event"], line.get("kind"), line["result"]): line for line in lines if "event" in line}
    login = events["login", None, "Accepted"]
    assert login["user"] == USER and login["from"] == "127.0.0.1" and login["method"] == "publickey"
    assert login["key"].startswith("ED25519 SHA256:") and login["message"].startswith("Accepted publickey for ")
    failed = events["login", None, "Failed"]
    assert failed["user"] == "no=user" and failed["reason"]
    opened = events["forward", "local", "open"]
    assert (opened["target"], opened["port"], opened["user"]) == ("127.0.0.1", echo, USER)
    assert events["forward", "remote", "open"]["port"] == remote
    assert "refused\x07.sock" in events["forward", "remote-unix", "refused"]["target"]
