"""Keys that an ssh-agent holds: found, offered in the right order, and never the only way."""

import os
import shutil
import subprocess

import pytest

from bed import ADIT, ask, free_port, until, wait_listen


def is_answering(path):
    """ssh-add -l ends with 2 where no agent answers, with 1 where one has no keys."""
    listed = subprocess.run(["ssh-add", "-l"], env=dict(os.environ, SSH_AUTH_SOCK=str(path)), capture_output=True)
    return listed.returncode != 2


@pytest.fixture
def agent(bed):
    """A running ssh-agent; its socket, and a function that gives it keys."""
    path = str(bed.path("agent.sock"))
    process = bed.run(["ssh-agent", "-D", "-a", path], name="ssh-agent")
    until(lambda: is_answering(path), "the agent to answer")
    env = dict(os.environ, SSH_AUTH_SOCK=path)

    def add(*files):
        subprocess.run(["ssh-add", "-q", *files], env=env, check=True, stdin=subprocess.DEVNULL)

    return process, path, add


def tunnel(bed, server, *args):
    """adit without any -i; the arguments say where keys come from."""
    port = free_port()
    argv = [ADIT, "-F", "none", "-p", str(server.port), "-o", "BatchMode=yes", "-v"]
    argv += ["-o", "UserKnownHostsFile=" + bed.known_hosts(server), "-o", "GlobalKnownHostsFile=none"]
    argv += ["-N", "-L", "%d:127.0.0.1:%d" % (port, bed.echo().port), *args, bed.login(server)]
    return bed.run(argv, name="adit"), port


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa256", "rsa3072"])
@pytest.mark.parametrize("server", ["aditd", "sshd"])
def test_a_key_of_the_agent_logs_in(bed, agent, server, kind):
    _, path, add = agent
    add(bed.keys.user(kind))
    adit, port = tunnel(bed, bed.server(server), "-o", "IdentityAgent=" + path, "-o", "IdentityFile=none")
    wait_listen(adit, port)
    assert ask(port) == b"hello"


def test_a_file_that_is_named_is_offered_before_the_agents_keys(bed, agent):
    _, path, add = agent
    add(bed.keys.user("rsa3072"), bed.keys.user("ecdsa256"))
    adit, port = tunnel(
        bed, bed.aditd(), "-o", "IdentityAgent=" + path, "-i", bed.keys.user("ed25519"))
    wait_listen(adit, port)
    adit.wait_line("Server accepts key: .*user_ed25519")


def test_identities_only_keeps_the_agents_other_keys_back(bed, agent):
    _, path, add = agent
    add(bed.keys.user("rsa3072"))
    adit, _ = tunnel(
        bed, bed.aditd(), "-o", "IdentityAgent=" + path, "-o", "IdentitiesOnly=yes", "-o", "IdentityFile=none")
    assert adit.wait() == 255
    assert "Permission denied" in adit.err


def test_a_public_file_names_the_agents_key(bed, agent):
    _, path, add = agent
    add(bed.keys.user("rsa3072"), bed.keys.user("ed25519"))
    only = str(bed.path("only.pub"))
    shutil.copy(bed.keys.user("ed25519") + ".pub", only)
    os.chmod(only, 0o600)
    adit, port = tunnel(
        bed, bed.aditd(), "-o", "IdentityAgent=" + path, "-o", "IdentitiesOnly=yes", "-i", only)
    wait_listen(adit, port)
    adit.wait_line("Server accepts key: .*only.pub")


def test_an_agent_that_is_gone_is_no_failure_of_its_own(bed, agent):
    process, path, _ = agent
    process.stop()
    adit, port = tunnel(
        bed, bed.aditd(), "-o", "IdentityAgent=" + path, "-i", bed.keys.user("ed25519"))
    wait_listen(adit, port)
    assert ask(port) == b"hello"
