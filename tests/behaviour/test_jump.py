"""ProxyJump: one hop and two, from the command line and from a file, and what is refused."""

import pytest

from bed import ADIT, ask, free_port, wait_listen


def config(bed, *servers):
    """Host s0, s1, ... for the servers; every adit of a chain reads it by -F."""
    text = "".join(
        "Host s%d\n    HostName 127.0.0.1\n    Port %d\n    User %s\n" % (i, s.port, bed.login(s).split("@")[0])
        for i, s in enumerate(servers))
    text += "Host *\n    IdentityFile %s\n    IdentitiesOnly yes\n    BatchMode yes\n" % bed.keys.user("ed25519")
    text += "    UserKnownHostsFile %s\n    GlobalKnownHostsFile none\n" % bed.known_hosts(*servers)
    return bed.write("jump.conf", text)


@pytest.mark.parametrize("kinds", [("sshd", "aditd"), ("aditd", "sshd"), ("aditd", "aditd", "sshd")])
def test_a_tunnel_through_jump_hosts(bed, kinds):
    servers = [bed.server(kind) for kind in kinds]
    echo, port = bed.echo(), free_port()
    hops = ",".join("s%d" % i for i in range(len(servers) - 1))
    adit = bed.run(
        [ADIT, "-F", config(bed, *servers), "-N", "-J", hops, "-L", "%d:127.0.0.1:%d" % (port, echo.port),
         "s%d" % (len(servers) - 1)], name="adit")
    wait_listen(adit, port)
    assert ask(port) == b"hello"


def test_a_jump_host_of_the_file(bed):
    first, second = bed.aditd(), bed.sshd()
    path = config(bed, first, second)
    with open(path, "a") as f:
        f.write("Match host 127.0.0.1 originalhost s1\n    ProxyJump ssh://s0\n")
    echo, port = bed.echo(), free_port()
    adit = bed.run([ADIT, "-F", path, "-N", "-L", "%d:127.0.0.1:%d" % (port, echo.port), "s1"], name="adit")
    wait_listen(adit, port)
    assert ask(port) == b"hello"


@pytest.mark.parametrize("hops", ["$(id)", "-oX", "a:0", "a:b", "u`id`@h", "a,,b", ""])
def test_hops_that_a_shell_or_an_option_would_read_are_refused(bed, hops):
    adit = bed.run([ADIT, "-F", "none", "-N", "-J", hops, "host.invalid"], name="adit")
    assert adit.wait() == 255


def test_a_jump_host_that_is_not_there_is_named(bed):
    port = free_port()
    adit = bed.run(
        [ADIT, "-F", "none", "-N", "-o", "BatchMode=yes", "-J", "127.0.0.1:%d" % port, "inside.invalid"], name="adit")
    assert adit.wait() == 255
    assert "connect to host 127.0.0.1 port %d" % port in adit.err
