"""adit with other people's servers: every kind of forward there is, data both ways at once and a
half-close in each, and a command. What a peer cannot do stands in CANNOT with the reason, and that
adit says so instead of waiting is tested, too.
"""

import contextlib
import hashlib
import os
import socket
import struct
import subprocess

import pytest

import bed as b
from peers import start_adit, start_server

SERVERS = ["sshd", "dropbear", "paramiko", "aditd"]
SIZE = 3 << 20
NO_SOCKETS = {
    "dropbear": "dropbear 2022.83 knows neither direct-streamlocal nor streamlocal-forward",
    "paramiko": "paramiko 2.12 parses neither direct-streamlocal nor streamlocal-forward",
}


class Pipes:
    """A program's standard input and output, used as a socket is."""

    def __init__(self, process):
        self.process = process

    def settimeout(self, within_s):
        pass  # who waits for the end of the stream has a limit of his own

    def sendall(self, data):
        self.process.stdin.write(data)

    def recv(self, size):
        return os.read(self.process.stdout.fileno(), size)

    def shutdown(self, how):
        self.process.stdin.close()

    def close(self):
        pass


class Scene:
    """One server, adit as its client, and a target with BothWays."""

    def __init__(self, bed, place, name):
        self.bed, self.place, self.name = bed, place, name
        self.server = start_server(bed, place, name)
        self.both = b.BothWays(SIZE)
        self.adit = None

    def target(self, netns, at="port"):
        path = str(self.bed.path("target.sock"))
        with self.place.inside(netns):
            return self.bed.target(self.both, address=path if at == "path" else "127.0.0.1")

    def listening(self, netns, at):
        """(how the forward names it, what connects to it)"""
        if at == "path":
            path = str(self.bed.path("listen.sock"))
            return path, lambda: self.join_path(path)
        port = b.free_port()
        return str(port), lambda: self.join_port(port, netns)

    def start(self, *forward):
        self.adit = start_adit(self.bed, self.place, self.server, list(forward), ("-o", "ExitOnForwardFailure=yes"))

    def join_port(self, port, netns):
        b.wait_listen(self.adit, port, netns)
        with self.place.inside(netns):
            return b.connect(port)

    def join_path(self, path):
        s = socket.socket(socket.AF_UNIX)

        def joins():
            try:
                s.connect(path)
                return True
            except (FileNotFoundError, ConnectionRefusedError):
                assert self.adit.is_alive(), self.adit.err
                return False

        b.until(joins, lambda: "%s to listen; adit said:\n%s" % (path, self.adit.err))
        return s

    def check(self, s):
        sent = b.exchange_over(s, SIZE)
        s.close()
        b.until(lambda: self.both.results, "the target to see the end")
        assert self.both.results == [(sent, SIZE)]


# ---- the kinds: each starts adit and gives what is connected to the target ----


def fixed(side, listen, to):
    def kind(scene):
        here, there = scene.place.left, scene.place.right
        near, far = (here, there) if side == "-L" else (there, here)
        target = scene.target(far, to)
        where, join = scene.listening(near, listen)
        scene.start(side, "%s:%s" % (where, target.where))
        return join()

    return kind


def allocated(scene):
    """-R 0: the server says which port it is."""
    scene.start("-R", "0:" + scene.target(scene.place.left).where)
    said = scene.adit.wait_line(r"Allocated port (\d+) for remote forward to 127\.0\.0\.1:\d+")
    return scene.join_port(int(said.group(1)), scene.place.right)


def ask_socks(s, version, port):
    """The target is named by an address for SOCKS 4, by a name for 4a and 5."""
    if version == "5":
        s.sendall(b"\5\1\0")
        assert b.receive_exactly(s, 2) == b"\5\0"
        s.sendall(b"\5\1\0\3\x09localhost" + struct.pack(">H", port))
        assert b.receive_exactly(s, 10)[:2] == b"\5\0"
        return s
    address, name = (socket.inet_aton("127.0.0.1"), b"") if version == "4" else (b"\0\0\0\1", b"localhost\0")
    s.sendall(struct.pack(">BBH4s", 4, 1, port, address) + b"me\0" + name)
    assert b.receive_exactly(s, 8)[:2] == b"\0\x5a"
    return s


def dynamic(side, version):
    def kind(scene):
        here, there = scene.place.left, scene.place.right
        near, far = (here, there) if side == "-D" else (there, here)
        target = scene.target(far)
        where, join = scene.listening(near, "port")
        scene.start(side, where)
        return ask_socks(join(), version, target.port)

    return kind


def stdio(scene):
    target = scene.target(scene.place.right)
    argv = [b.ADIT] + scene.bed.client_options(scene.server) + ["-W", target.where, scene.bed.login(scene.server)]
    if scene.place.left:
        argv = ["ip", "netns", "exec", scene.place.left] + argv
    pipe = subprocess.PIPE
    process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, bufsize=0, env=scene.bed.env)

    def end():
        process.terminate()
        process.wait(10)
        process.stdout.close()

    scene.bed.at_end(end)
    return Pipes(process)


def jump(scene):
    """Through the peer to a server that only the peer's host reaches."""
    inside = scene.bed.sshd(netns=scene.place.right)
    target = scene.target(scene.place.right)
    where, join = scene.listening(scene.place.left, "port")
    hosts = (("peer", scene.server), ("inside", inside))
    text = "".join("Host %s\n HostName %s\n Port %d\n" % (n, s.address, s.port) for n, s in hosts)
    text += "Host *\n User %s\n IdentityFile %s\n IdentitiesOnly yes\n BatchMode yes\n" % (b.USER, scene.bed.keys.user())
    text += " UserKnownHostsFile %s\n GlobalKnownHostsFile none\n" % scene.bed.known_hosts(scene.server, inside)
    config = scene.bed.write("jump.conf", text)
    argv = [b.ADIT, "-v", "-F", config, "-N", "-J", "peer", "-L", "%s:%s" % (where, target.where), "inside"]
    scene.adit = scene.bed.run(argv, name="adit", netns=scene.place.left)
    return join()


KINDS = {
    "-L port to port": fixed("-L", "port", "port"),
    "-L path to port": fixed("-L", "path", "port"),
    "-L port to path": fixed("-L", "port", "path"),
    "-L path to path": fixed("-L", "path", "path"),
    "-R port to port": fixed("-R", "port", "port"),
    "-R port to path": fixed("-R", "port", "path"),
    "-R path to port": fixed("-R", "path", "port"),
    "-R path to path": fixed("-R", "path", "path"),
    "-R 0": allocated,
    "-D socks 4": dynamic("-D", "4"),
    "-D socks 4a": dynamic("-D", "4a"),
    "-D socks 5": dynamic("-D", "5"),
    "-R socks 4": dynamic("-R", "4"),
    "-R socks 4a": dynamic("-R", "4a"),
    "-R socks 5": dynamic("-R", "5"),
    "-W": stdio,
    "-J": jump,
}
# A path at the server's end: the target of -L, the listener of -R.
CANNOT = {
    (name, kind): why
    for name, why in NO_SOCKETS.items()
    for kind in ("-L port to path", "-L path to path", "-R path to port", "-R path to path")
}
CELLS = [(name, kind) for kind in KINDS for name in SERVERS]


@pytest.mark.parametrize("name,kind", [cell for cell in CELLS if cell not in CANNOT])
def test_every_kind_carries_bytes_both_ways(bed, place, name, kind):
    """3 MiB each way at once; each side ends its own stream and takes the rest of the other's."""
    scene = Scene(bed, place, name)
    scene.check(KINDS[kind](scene))


@pytest.mark.parametrize("name,kind", sorted(CANNOT), ids=lambda word: word)
def test_what_a_peer_cannot_do_is_said_and_nothing_hangs(bed, place, name, kind):
    scene = Scene(bed, place, name)
    if kind.startswith("-R"):
        target = scene.target(place.left)
        scene.start("-R", "%s:%s" % (bed.path("listen.sock"), target.where))
        assert scene.adit.wait() == 255
        assert "remote port forwarding failed" in scene.adit.err and "listen.sock" in scene.adit.err
    else:
        # The reset may come as early as the end of the visitor's own connect.
        with contextlib.suppress(ConnectionResetError), KINDS[kind](scene) as s:
            s.settimeout(b.WAIT_S)
            assert s.recv(1) == b""
        scene.adit.wait_line("open to .* failed on the server's side")
        assert scene.adit.is_alive()
    assert not scene.both.results


@pytest.mark.parametrize("name", SERVERS)
def test_a_question_ends_before_its_answer_begins(bed, place, name):
    """Half-close: the answer depends on the question's last byte."""
    scene = Scene(bed, place, name)

    def digest(s):
        s.sendall(hashlib.sha256(b.receive_all(s)).hexdigest().encode())

    scene.both, question = digest, b.seeded_bytes(5, 1 << 20)
    for kind in ("-L port to port", "-R port to port", "-D socks 5"):
        with KINDS[kind](scene) as s:
            s.sendall(question)
            s.shutdown(socket.SHUT_WR)
            assert b.receive_all(s).decode() == hashlib.sha256(question).hexdigest(), kind


@pytest.mark.parametrize("name", SERVERS)
def test_a_target_that_refuses_is_told_and_the_next_one_served(bed, place, name):
    scene = Scene(bed, place, name)
    port = b.free_port()
    where, join = scene.listening(place.left, "port")
    scene.start("-L", "%s:127.0.0.1:%d" % (where, port))
    with join() as s:
        s.settimeout(b.WAIT_S)
        try:
            assert s.recv(1) == b""
        except ConnectionResetError:
            pass
    scene.adit.wait_line("open to .* failed on the server's side")
    with place.inside(place.right):
        bed.target(scene.both, port=port)
    scene.check(join())


@pytest.mark.parametrize("name", SERVERS)
def test_a_command_s_streams_and_status_come_back(bed, place, name):
    server = start_server(bed, place, name)
    given = b.seeded_bytes(4, 1 << 20)
    argv = [b.ADIT] + bed.client_options(server) + [bed.login(server), "cat; echo err >&2; exit 7"]
    if place.left:
        argv = ["ip", "netns", "exec", place.left] + argv
    done = subprocess.run(argv, input=given, capture_output=True, timeout=60, env=bed.env)
    assert done.returncode == 7, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(given).digest()
    assert b"err\n" in done.stderr
