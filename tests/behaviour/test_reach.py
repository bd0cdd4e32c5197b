"""Getting to the server: by which address, by which program, how often, and what is said first."""

import contextlib
import os
import socket
import subprocess

import pytest

from bed import ADIT, IS_ROOT, ask, free_port, state_of, until, wait_listen

PASSER = """import array, socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
out = socket.socket(fileno=1)
out.sendmsg([b"\\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
"""


class Plain:
    """A listener that is no SSH server: what adit says first, and when."""

    def __init__(self, bed):
        self.said = []
        self.target = bed.target(self._serve)
        self.port = self.target.port

    def _serve(self, s):
        with contextlib.suppress(OSError):
            self.said.append(s.recv(65536))
            s.sendall(b"HTTP/1.0 400 what?\r\n")


def lone(bed, *args):
    return bed.run([ADIT, "-F", "none", "-N", "-o", "BatchMode=yes"] + [str(a) for a in args], name="adit")


def works(bed, server, *args):
    adit, port = bed.local(server, bed.echo().port, "-v", *args)
    assert ask(port) == b"hello"
    return adit


@pytest.mark.parametrize("option", ["BindAddress=127.0.0.9", "-b127.0.0.9"])
def test_the_source_address_that_was_asked_for(bed, option):
    sshd = bed.sshd()
    works(bed, sshd, *(["-o", option] if "=" in option else [option]))
    sshd.wait_log("Connection from 127.0.0.9 port")


def test_the_source_address_of_an_interface(two_hosts, bed):
    """Two addresses of the left host lead to the right one; the interface says which is used."""
    two_hosts.ip(two_hosts.left, "link", "add", "other", "type", "veth", "peer", "name", "other-end")
    two_hosts.ip(two_hosts.left, "addr", "add", "10.99.0.7/32", "dev", "other")
    two_hosts.ip(two_hosts.left, "link", "set", "other", "up")
    two_hosts.ip(two_hosts.left, "link", "set", "other-end", "up")
    two_hosts.ip(two_hosts.right, "route", "add", "10.99.0.7/32", "via", two_hosts.left_address)
    sshd = bed.sshd(netns=two_hosts.right, address=two_hosts.right_address)
    for option, source in (("other", "10.99.0.7"), ("wire", two_hosts.left_address)):
        adit = bed.adit(sshd, "-v", "-B", option, netns=two_hosts.left)
        adit.wait_line("Authenticated to")
        sshd.wait_log("Connection from %s port" % source)
        adit.stop()


def test_a_source_address_is_a_number(bed):
    adit = lone(bed, "-b", "localhost", "-p", bed.echo().port, "127.0.0.1")
    assert adit.wait() == 255 and "BindAddress localhost: adit wants the address itself" in adit.err


def test_an_interface_that_is_not_there_is_named(bed):
    adit = lone(bed, "-B", "nosuch0", "-p", bed.echo().port, "127.0.0.1")
    assert adit.wait() == 255 and "BindInterface nosuch0: no such interface" in adit.err


def test_each_attempt_is_made_and_told(bed):
    adit = lone(bed, "-o", "ConnectionAttempts=2", "-p", free_port(), "127.0.0.1")
    assert adit.wait() == 255
    assert adit.err.count("Connection refused") == 2


def test_identification_and_proposal_leave_in_one_write_with_the_addendum(bed):
    plain = Plain(bed)
    adit = lone(bed, "-o", "VersionAddendum=of the north", "-p", plain.port, "127.0.0.1")
    assert adit.wait() == 255
    line, _, rest = plain.said[0].partition(b"\r\n")
    assert line.startswith(b"SSH-2.0-adit_") and line.endswith(b" of the north")
    assert rest[5] == 20  # KEXINIT


def test_a_connection_that_the_configuration_refuses_is_not_begun(bed):
    plain = Plain(bed)
    config = bed.write("refuse.conf", "Host 127.*\n  RefuseConnection \"not from this machine\"\n")
    adit = bed.run([ADIT, "-F", config, "-N", "-p", str(plain.port), "127.0.0.1"], name="adit")
    assert adit.wait() == 255 and "not from this machine" in adit.err
    assert not plain.target.visits


def test_quality_of_service_is_on_the_socket(bed):
    sshd = bed.sshd()
    works(bed, sshd, "-o", "IPQoS=cs5 cs1")
    shown = subprocess.run(["ss", "-tn", "--tos", "dport = :%d" % sshd.port], capture_output=True, text=True).stdout
    assert "tos:0x20" in shown  # cs1


def test_a_terminal_has_the_other_quality_of_service(bed):
    sshd = bed.sshd()
    argv = [ADIT] + bed.client_options(sshd) + ["-v", "-tt", "-o", "IPQoS=cs5 cs1", bed.login(sshd), "echo ready; cat"]
    adit = bed.run(argv, name="adit", stdin=subprocess.PIPE)
    until(lambda: b"ready" in adit.out, "the command to run")
    shown = subprocess.run(["ss", "-tn", "--tos", "dport = :%d" % sshd.port], capture_output=True, text=True).stdout
    assert "tos:0xa0" in shown  # cs5


def test_a_proxy_command_gets_the_tokens_and_dies_with_the_connection(bed):
    server, note = bed.aditd(), bed.path("proxy.pid")
    relay = "import os,socket,sys,threading\n" \
        "open(sys.argv[3],'w').write(str(os.getpid()))\n" \
        "sys.stderr.write('proxy to %s %s\\n' % (sys.argv[1], sys.argv[2]))\n" \
        "s=socket.create_connection(('127.0.0.1', int(sys.argv[2])))\n" \
        "def up():\n" \
        "    while True:\n" \
        "        b=os.read(0,65536)\n" \
        "        if not b: break\n" \
        "        s.sendall(b)\n" \
        "threading.Thread(target=up,daemon=True).start()\n" \
        "while True:\n" \
        "    b=s.recv(65536)\n" \
        "    if not b: break\n" \
        "    os.write(1,b)\n" \
        "threading.Event().wait()\n"
    command = "/usr/bin/python3 %s %%h %%p %s" % (bed.write("relay.py", relay), note)
    adit = works(bed, server, "-o", "ProxyCommand=" + command)
    pid = int(note.read_text())
    assert "proxy to 127.0.0.1 %d" % server.port in adit.err
    adit.stop()
    until(lambda: state_of(pid) in (None, "Z"), "the proxy to end")


def test_a_proxy_command_may_be_none(bed):
    works(bed, bed.aditd(), "-o", "ProxyCommand=none", "-o", "ProxyJump=none")


def test_a_proxy_passes_a_connected_descriptor(bed):
    server = bed.aditd()
    command = "/usr/bin/python3 %s %%h %%p" % bed.write("passer.py", PASSER)
    adit = works(bed, server, "-o", "ProxyUseFdpass=yes", "-o", "ProxyCommand=" + command)
    adit.wait_line("the proxy passed a connection to 127.0.0.1")
    adit.wait_line("ProxyCommand ended with status 0")  # it is not needed any more
    assert adit.is_alive()


@pytest.mark.parametrize("command", ["/bin/true", "echo nothing here"])
def test_a_proxy_that_passes_nothing_is_told(bed, command):
    adit = lone(bed, "-o", "ProxyUseFdpass=yes", "-o", "ProxyCommand=" + command, "host.invalid")
    assert adit.wait() == 255
    assert "proxy dialer did not pass back a connection" in adit.err
