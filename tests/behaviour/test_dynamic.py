"""-D: a SOCKS port of this machine, seen from the server's side."""

import socket
import struct
import subprocess

import pytest

from bed import connect, free_port, receive_all, receive_exactly, serve_echo, wait_listen

pytestmark = pytest.mark.short


@pytest.fixture
def socks(bed):
    port = free_port()
    adit = bed.adit(bed.aditd(), "-D", str(port))
    wait_listen(adit, port)
    adit.bed_port = port
    return adit


def finish(s):
    s.sendall(b"hello")
    s.shutdown(socket.SHUT_WR)
    assert receive_all(s) == b"hello"


def test_socks4_takes_an_address(bed, socks):
    echo = bed.echo()
    with connect(socks.bed_port) as s:
        s.sendall(struct.pack(">BBH4s", 4, 1, echo.port, socket.inet_aton("127.0.0.1")) + b"me\0")
        assert receive_exactly(s, 8)[:2] == b"\0\x5a"
        finish(s)


def test_socks4a_takes_a_name(bed, socks):
    echo = bed.echo()
    with connect(socks.bed_port) as s:
        s.sendall(struct.pack(">BBH4s", 4, 1, echo.port, b"\0\0\0\1") + b"\0" + b"localhost\0")
        assert receive_exactly(s, 8)[:2] == b"\0\x5a"
        finish(s)


@pytest.mark.parametrize(
    "address",
    [b"\1" + socket.inet_aton("127.0.0.1"), b"\3\x09localhost", b"\4" + socket.inet_pton(socket.AF_INET6, "::1")],
    ids=["ipv4", "name", "ipv6"],
)
def test_socks5_takes_every_kind_of_address(bed, socks, address):
    echo = bed.target(serve_echo, address="::1" if address[0] == 4 else "127.0.0.1")
    with connect(socks.bed_port) as s:
        s.sendall(b"\5\1\0")
        assert receive_exactly(s, 2) == b"\5\0"
        s.sendall(b"\5\1\0" + address + struct.pack(">H", echo.port))
        assert receive_exactly(s, 10)[:2] == b"\5\0"
        finish(s)


def test_socks5_a_byte_at_a_time(bed, socks):
    echo = bed.echo()
    with connect(socks.bed_port) as s:
        greeting = b"\5\1\0"
        for i in range(len(greeting)):
            s.sendall(greeting[i : i + 1])
        assert receive_exactly(s, 2) == b"\5\0"
        request = b"\5\1\0\1" + socket.inet_aton("127.0.0.1") + struct.pack(">H", echo.port)
        for i in range(len(request)):
            s.sendall(request[i : i + 1])
        assert receive_exactly(s, 10)[:2] == b"\5\0"
        finish(s)


def test_socks_sends_with_the_request_and_loses_nothing(bed, socks):
    echo = bed.echo()
    with connect(socks.bed_port) as s:
        s.sendall(struct.pack(">BBH4s", 4, 1, echo.port, socket.inet_aton("127.0.0.1")) + b"\0early ")
        assert receive_exactly(s, 8)[:2] == b"\0\x5a"
        s.sendall(b"late")
        s.shutdown(socket.SHUT_WR)
        assert receive_all(s) == b"early late"


def test_socks5_says_that_the_target_refused(socks):
    with connect(socks.bed_port) as s:
        s.sendall(b"\5\1\0")
        receive_exactly(s, 2)
        s.sendall(b"\5\1\0\1" + socket.inet_aton("127.0.0.1") + struct.pack(">H", free_port()))
        answer = receive_exactly(s, 10)
        assert answer[0] == 5 and answer[1] != 0


@pytest.mark.parametrize(
    "bad", [b"GET / HTTP/1.0\r\n\r\n", b"\5\1\x02", b"\5\1\0\5\2\0\1\x7f\0\0\1\0\x50", b"\4\2\0\x50\x7f\0\0\1\0", b"\5\0"]
)
def test_what_is_no_socks_ends_and_harms_nobody(bed, socks, bad):
    with connect(socks.bed_port) as s:
        s.sendall(bad)
        s.shutdown(socket.SHUT_WR)
        try:
            receive_all(s)
        except ConnectionResetError:
            pass
    assert socks.is_alive()
    test_socks4_takes_an_address(bed, socks)


@pytest.mark.parametrize("kind", ["--socks4", "--socks4a", "--socks5", "--socks5-hostname"])
def test_curl_goes_through(bed, socks, kind):
    def page(s):
        s.recv(4096)
        s.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\npage")

    target = bed.target(page)
    url = "http://localhost:%d/" % target.port if kind.endswith(("4a", "hostname")) else "http://127.0.0.1:%d/" % target.port
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "20", kind, "127.0.0.1:%d" % socks.bed_port, url],
        capture_output=True, text=True, env=bed.env,
    )
    assert (done.returncode, done.stdout) == (0, "page"), done.stderr


def test_it_says_who_can_use_it(socks):
    socks.wait_line("%d.*this machine only.*SOCKS" % socks.bed_port)


# ---- -R with a port alone: SOCKS spoken at the server's side, dialled by adit ----


@pytest.mark.parametrize("server", ["aditd", "sshd"])
@pytest.mark.parametrize("way", ["--socks4", "--socks4a", "--socks5", "--socks5-hostname"])
def test_remote_dynamic_forward_reaches_what_adit_reaches(bed, server, way):
    web, port = bed.target(serve_page), free_port()
    adit = bed.adit(bed.server(server), "-R", port)
    wait_listen(adit, port)
    url = "http://%s:%d/" % ("127.0.0.1" if way in ("--socks4", "--socks5") else "localhost", web.port)
    page = subprocess.run(
        ["curl", "-sS", "-4", "--max-time", "10", way, "127.0.0.1:%d" % port, url], capture_output=True, check=True)
    assert page.stdout == b"a page"


def test_permit_remote_open_is_kept(bed):
    web, other, port = bed.target(serve_page), bed.target(serve_page), free_port()
    adit = bed.adit(bed.aditd(), "-o", "PermitRemoteOpen=127.0.0.1:%d" % web.port, "-R", port)
    wait_listen(adit, port)
    for target, good in ((web, True), (other, False)):
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "10", "--socks5", "127.0.0.1:%d" % port, "http://127.0.0.1:%d/" % target.port],
            capture_output=True)
        assert (done.returncode == 0) is good
    adit.wait_line("refused by PermitRemoteOpen")


def serve_page(s):
    s.recv(4096)
    s.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\na page")
