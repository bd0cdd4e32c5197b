"""Unix sockets as listeners and as targets, both ways, against our server and OpenSSH's, and for OpenSSH's client."""

import os
import socket
import stat
import threading

import pytest

from bed import ask, free_port, until

PAIRS = [("adit", "aditd"), ("adit", "sshd"), ("ssh", "aditd")]


def echo_socket(bed):
    path = str(bed.path("echo.sock"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)

    def serve(s):
        with s:
            for data in iter(lambda: s.recv(65536), b""):
                s.sendall(data)

    def accept():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(s,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    bed.at_end(listener.close)
    return path


def joins(s, path):
    """A socket's file is there a moment before it listens."""
    try:
        s.connect(str(path))
        return True
    except ConnectionRefusedError:
        return False


def ask_path(path, payload):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        until(lambda: joins(s, path), lambda: "%s to listen" % path)
        s.sendall(payload)
        s.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: s.recv(65536), b""))


def is_there(path):
    return os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode)


@pytest.mark.parametrize("client,server", PAIRS)
@pytest.mark.parametrize("side", ["-L", "-R"])
def test_every_combination_of_sockets_and_ports_carries_bytes(bed, client, server, side):
    target = echo_socket(bed)
    tcp = bed.echo()
    one, two, port = str(bed.path("one.sock")), str(bed.path("two.sock")), free_port()
    start = bed.adit if client == "adit" else bed.ssh
    start(
        bed.server(server),
        "-N",
        side, "%s:127.0.0.1:%d" % (one, tcp.port),
        side, "%s:%s" % (two, target),
        side, "%d:%s" % (port, target),
    )
    payload = os.urandom(200000)
    for path in (one, two):
        until(lambda: is_there(path), "the socket %s" % path)
        assert ask_path(path, payload) == payload
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    until(lambda: port_answers(port), "port %d" % port)
    assert ask(port, b"through") == b"through"


def port_answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_our_listening_socket_is_gone_when_adit_has_ended(bed):
    path = str(bed.path("gone.sock"))
    adit = bed.adit(bed.aditd(), "-N", "-L", "%s:127.0.0.1:%d" % (path, bed.echo().port))
    until(lambda: is_there(path), "the socket")
    adit.stop()
    assert not os.path.exists(path)


def test_a_stale_socket_is_replaced_only_where_that_is_asked_for(bed):
    path = str(bed.path("stale.sock"))
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    server, echo = bed.aditd(), bed.echo()
    spec = "%s:127.0.0.1:%d" % (path, echo.port)
    refused = bed.adit(server, "-N", "-o", "ExitOnForwardFailure=yes", "-L", spec)
    assert refused.wait() == 255
    assert path in refused.err
    bed.adit(server, "-N", "-o", "StreamLocalBindUnlink=yes", "-L", spec)
    until(lambda: answers(path), "the socket to be ours")
    assert ask_path(path, b"x") == b"x"


def answers(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


def test_a_file_that_is_no_socket_is_never_removed(bed):
    path = bed.write("precious", "text")
    adit = bed.adit(
        bed.aditd(), "-N", "-o", "StreamLocalBindUnlink=yes", "-o", "ExitOnForwardFailure=yes",
        "-L", "%s:127.0.0.1:1" % path)
    assert adit.wait() == 255
    assert open(path).read() == "text"


@pytest.mark.parametrize("option", [{"AllowStreamLocalForwarding": "no"}, {"DisableForwarding": "yes"}])
def test_the_server_refuses_sockets_where_it_is_told_to(bed, option):
    server = bed.aditd(**option)
    path = str(bed.path("no.sock"))
    adit = bed.adit(server, "-N", "-o", "ExitOnForwardFailure=yes", "-R", "%s:127.0.0.1:1" % path)
    assert adit.wait() == 255
    assert not os.path.exists(path)
    rule = list(option)[0]
    server.wait_log("%s" % rule)
    port = free_port()
    local = bed.adit(server, "-N", "-L", "%d:%s" % (port, echo_socket(bed)))
    until(lambda: port_answers(port), "our own port")
    with pytest.raises((ConnectionError, AssertionError)):
        assert ask(port, b"x") == b"x"
    local.wait_line("administratively prohibited.*%s" % rule)
