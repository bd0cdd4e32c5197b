"""The client's agent behind a socket of aditd's, for the commands of a session and for nobody else."""

import os
import pathlib
import re
import subprocess

import pytest

from bed import until

pytestmark = pytest.mark.short


@pytest.fixture
def agent(bed):
    sock, key = bed.path("agent.sock"), bed.path("agents_key")
    process = bed.run(["ssh-agent", "-D", "-a", str(sock)], name="ssh-agent")
    until(lambda: os.path.exists(sock), "the agent's socket")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "in the agent", "-f", str(key)], check=True)
    env = dict(bed.env, SSH_AUTH_SOCK=str(sock))
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=env)
    process.env, process.public = env, pathlib.Path("%s.pub" % key).read_text().split()[1]
    return process


def run(bed, server, agent, command, *options):
    argv = ["/usr/bin/ssh"] + list(options) + bed.client_options(server) + [bed.login(server), command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, env=agent.env, stdin=subprocess.DEVNULL)


def test_a_command_reaches_the_clients_agent(bed, agent):
    server = bed.aditd(PermitSession="yes")
    done = run(bed, server, agent, "ssh-add -L; echo $SSH_AUTH_SOCK; stat -c '%a %F' $SSH_AUTH_SOCK $(dirname $SSH_AUTH_SOCK)", "-A")
    lines = done.stdout.splitlines()
    assert lines[0].split()[1] == agent.public, done.stderr
    assert re.fullmatch(r"/tmp/ssh-\w{10}/agent\.\d+", lines[1])
    assert lines[2:] == ["600 socket", "700 directory"]
    until(lambda: not os.path.exists(os.path.dirname(lines[1])), "the socket and its folder to go with the connection")


def test_a_key_signs_through_the_forwarded_agent(bed, agent):
    """The command logs in to a second server with the key that only the client's agent has."""
    allowed = bed.write("second_keys", "ssh-ed25519 %s\n" % agent.public)
    second = bed.sshd(AuthorizedKeysFile=allowed)
    server = bed.aditd(PermitSession="yes")
    options = "-F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    command = "/usr/bin/ssh %s -p %d %s echo there" % (options, second.port, bed.login(second))
    done = run(bed, server, agent, command, "-A")
    assert done.stdout == "there\n", done.stderr


@pytest.mark.parametrize("options, key_options", [
    ({"AllowAgentForwarding": "no"}, ""), ({"DisableForwarding": "yes"}, ""), ({}, "no-agent-forwarding "), ({}, "restrict,pty "),
])
def test_it_is_refused_where_it_is_not_permitted(bed, agent, options, key_options):
    if key_options:
        lines = open(bed.keys.authorized).read().splitlines()
        keys = bed.write("restricted_keys", "".join(key_options + line + "\n" for line in lines))
        options = dict(options, AuthorizedKeysFile=keys)
    server = bed.aditd(PermitSession="yes", **options)
    done = run(bed, server, agent, "echo sock=$SSH_AUTH_SOCK", "-A", "-v")
    assert done.stdout == "sock=\n", done.stderr
    server.wait_log("server refused agent forwarding")


def test_nobody_has_an_agent_who_did_not_ask(bed, agent):
    server = bed.aditd(PermitSession="yes")
    assert run(bed, server, agent, "echo sock=$SSH_AUTH_SOCK", "-a").stdout == "sock=\n"
