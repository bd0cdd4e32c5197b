"""What others may put in the client's way: files where its sockets go, programs, peers and users."""

import contextlib
import os
import signal
import socket
import stat
import struct
import subprocess
import threading

import pytest

from bed import ADIT, IS_ROOT, USER, children_of, until

pytestmark = pytest.mark.short

HELLO, OPEN_FORWARD, CLOSE_FORWARD, ALIVE, PROXY = 1, 0x10000006, 0x10000007, 0x10000004, 0x1000000F
OK, FAILURE, IS_ALIVE, PROXY_READY = 0x80000001, 0x80000003, 0x80000005, 0x8000000F
REMOTE = 2


def words(bed, server, *options):
    return [ADIT] + bed.client_options(server) + [str(o) for o in options] + [bed.login(server)]


def run(bed, server, *command, options=(), env=None, **more):
    argv = words(bed, server, *options) + list(command)
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=env or bed.env, **more)


# ---- ControlPath ----


def test_a_file_in_the_place_of_the_socket_is_left_alone(bed):
    server = bed.sshd()
    path = bed.write("precious", "not a socket")
    done = run(bed, server, "exit 3", options=("-o", "ControlMaster=auto", "-S", path))
    assert done.returncode == 3
    assert b"already exists" in done.stderr
    with open(path) as f:
        assert f.read() == "not a socket"


def test_a_relative_socket_is_found_again_from_the_background(bed):
    server = bed.sshd()
    done = run(bed, server, options=("-fNM", "-S", "ctl"), cwd=bed.folder)
    assert done.returncode == 0, done.stderr
    path = bed.folder / "ctl"
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    assert run(bed, server, options=("-S", "ctl", "-O", "exit"), cwd=bed.folder).returncode == 0
    until(lambda: not path.exists(), "the socket to go with its master")


@pytest.mark.skipif(not IS_ROOT, reason="another user is wanted")
def test_another_user_s_socket_gets_nothing(bed):
    """In a shared folder anybody can listen; descriptors and words are for our own masters."""
    server = bed.sshd()
    path = str(bed.folder / "ctl")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chown(path, 65534, 65534)
        os.seteuid(65534)  # the kernel notes who listens, when he does
        try:
            listener.listen(5)
        finally:
            os.seteuid(0)
        done = run(bed, server, "exit 3", options=("-o", "ControlMaster=auto", "-S", path))
        assert done.returncode == 3
        assert b"another user (uid 65534)" in done.stderr
        listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                s, _ = listener.accept()
                with s:
                    s.settimeout(20)
                    assert s.recv(100) == b""


# ---- forwards through a master ----


def frame(*fields):
    body = b"".join(struct.pack(">I", f) if isinstance(f, int) else struct.pack(">I", len(f)) + f for f in fields)
    return struct.pack(">I", len(body)) + body


class Raw:
    """A client of a master that speaks PROTOCOL.mux by hand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self.socket.sendall(frame(HELLO, 4))
        assert self.next()[0] == HELLO

    def exactly(self, n):
        got = b""
        while len(got) < n:
            piece = self.socket.recv(n - len(got))
            assert piece, "the master hung up"
            got += piece
        return got

    def next(self):
        """(type, request) of the next message."""
        body = self.exactly(struct.unpack(">I", self.exactly(4))[0])
        return struct.unpack(">II", body[:8])

    def say(self, *fields):
        self.socket.sendall(frame(*fields))

    def is_served(self, request):
        self.say(ALIVE, request)
        assert self.next() == (IS_ALIVE, request)


@pytest.fixture
def halted(bed):
    """A master whose server says nothing until it is told to go on; its socket, and how."""
    server = bed.sshd()
    path = bed.folder / "ctl"
    master = bed.run(words(bed, server, "-M", "-N", "-n", "-S", path), name="adit")
    until(path.exists, lambda: "the master's socket; it says " + master.err)
    halted = [pid for child in children_of(server.pid) for pid in [child] + children_of(child)]
    assert halted

    def send(number):
        for pid in halted:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    send(signal.SIGSTOP)
    bed.at_end(lambda: send(signal.SIGCONT))
    return path, lambda: send(signal.SIGCONT)


def test_everybody_who_waits_for_a_forward_hears_of_it(bed, halted):
    path, go_on = halted
    forward = (REMOTE, str(bed.folder / "there").encode(), 0xFFFFFFFE, b"127.0.0.1", 9)
    clients = [Raw(path) for _ in range(3)]
    for c in clients:
        c.say(OPEN_FORWARD, 1, *forward)
        c.is_served(2)
    go_on()
    for c in clients:
        assert c.next() == (OK, 1)


def test_a_forward_that_is_cancelled_before_its_answer_is_answered(bed, halted):
    path, go_on = halted
    forward = (REMOTE, str(bed.folder / "there").encode(), 0xFFFFFFFE, b"127.0.0.1", 9)
    one, other = Raw(path), Raw(path)
    one.say(OPEN_FORWARD, 1, *forward)
    one.is_served(2)
    other.say(CLOSE_FORWARD, 1, *forward)
    assert other.next() == (OK, 1)
    assert one.next() == (FAILURE, 1)
    go_on()
    one.is_served(3)


# ---- a connection that is cut ----


def test_a_cut_master_leaves_its_place_and_heeds_signals_while_somebody_does_not_read(bed):
    server = bed.sshd()
    path = bed.folder / "ctl"
    master = bed.run(words(bed, server, "-M", "-N", "-n", "-S", path), name="adit")
    until(path.exists, lambda: "the master's socket; it says " + master.err)
    unread, output = os.pipe()
    command = "echo $PPID >&2; head -c 1500000 /dev/zero; echo sent >&2; sleep 100"
    client = bed.run(words(bed, server, "-S", path) + [command], name="adit", stdout=output)
    os.close(output)
    bed.at_end(lambda: os.close(unread))
    client.wait_line("sent")
    os.kill(int(client.wait_line(r"(?m)^(\d+)$").group(1)), signal.SIGKILL)
    until(lambda: not path.exists(), "the socket to go")
    done = run(bed, server, "exit 6", options=("-o", "ControlMaster=auto", "-S", path))
    assert done.returncode == 6 and b"ControlSocket" not in done.stderr
    assert master.is_alive() and client.is_alive()  # what came before the cut can still be had
    master.signal(signal.SIGTERM)
    assert master.wait() == 255
    assert client.wait() == 255


def test_a_status_that_came_before_the_server_left_is_the_command_s(bed):
    """Some servers hang up behind it, and close no channel first (a reboot does, too); ssh says the same."""
    paramiko = pytest.importorskip("paramiko")
    asked = threading.Event()

    class Interface(paramiko.ServerInterface):
        def check_auth_publickey(self, username, key):
            return paramiko.AUTH_SUCCESSFUL

        def check_channel_request(self, kind, number):
            return paramiko.OPEN_SUCCEEDED

        def check_channel_exec_request(self, channel, command):
            asked.set()
            return True

    def serve(s):
        transport = paramiko.Transport(s)
        transport.add_server_key(paramiko.ECDSAKey.from_private_key_file(bed.keys.host("ecdsa256")))
        transport.start_server(server=Interface())
        channel = transport.accept(20)
        assert asked.wait(20)
        assert channel.recv(1) == b""  # all that adit has to say is read: the end is no reset
        channel.sendall(b"done\n")
        if left_status:
            channel.send_exit_status(6)
        transport.close()

    port = bed.target(serve).port
    known = bed.write("kh", "[127.0.0.1]:%d %s\n" % (port, bed.keys.public("host", "ecdsa256")))
    argv = [ADIT, "-F", "none", "-p", str(port), "-o", "UserKnownHostsFile=" + known, "-o", "BatchMode=yes"]
    argv += ["-o", "GlobalKnownHostsFile=none", "-i", bed.keys.user(), "%s@127.0.0.1" % USER, "reboot"]
    for left_status in (True, False):
        asked.clear()
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=bed.env)
        assert done.stdout == b"done\n"
        assert done.returncode == (6 if left_status else 255), done.stderr
        assert b"closed by remote host" in done.stderr


# ---- a client that speaks the connection protocol itself ----


def open_packet(number, body):
    """CHANNEL_OPEN (RFC 4254 5.1) as PROTOCOL.mux has it in proxy mode: no padding, no seal."""
    text = struct.pack(">BBI", 0, 90, 7) + b"nothing" + struct.pack(">III", number, 1 << 20, 32768) + body
    return struct.pack(">I", len(text)) + text


@pytest.mark.parametrize("size", [30000, 261000], ids=["many", "long"])
def test_what_a_proxy_client_asks_cannot_end_the_connection_of_all(bed, halted, size):
    path, go_on = halted
    proxy, other = Raw(path), Raw(path)
    proxy.say(PROXY, 1)
    assert proxy.next() == (PROXY_READY, 1)
    for number in range(300):
        proxy.socket.sendall(open_packet(number, bytes(size)))
    other.is_served(1)
    go_on()
    server_side = [proxy.exactly(struct.unpack(">I", proxy.exactly(4))[0])[1] for _ in range(300)]
    assert set(server_side) <= {91, 92} and 92 in server_side
    other.is_served(2)


# ---- long requests ----


@pytest.mark.parametrize("is_shared", [False, True], ids=["own", "shared"])
def test_a_command_of_a_hundred_thousand_bytes(bed, is_shared):
    server = bed.sshd()
    path = bed.folder / "ctl"
    options = ("-q", "-S", path)
    if is_shared:
        master = bed.run(words(bed, server, "-M", "-N", "-n", "-S", path), name="adit")
        until(path.exists, lambda: "the master's socket; it says " + master.err)
    done = run(bed, server, "echo %s | wc -c" % ("x" * 100000), options=options)
    assert (done.stdout.strip(), done.returncode) == (b"100001", 0), done.stderr


# ---- files ----


def test_a_pipe_among_the_known_hosts_does_not_halt_a_session(bed):
    """UpdateHostKeys reads the files again, while the session runs."""
    server = bed.sshd()
    pipe = bed.path("pipe")
    os.mkfifo(pipe)
    argv = [ADIT, "-v", "-o", "UserKnownHostsFile=%s %s" % (bed.known_hosts(server), pipe), "-o", "UpdateHostKeys=yes"]
    argv += words(bed, server)[1:] + ["sleep 0.2; exit 3"]
    adit = bed.run(argv, name="adit")
    bed.at_end(adit.popen.kill)
    assert adit.wait() == 3
    assert "%s is a pipe" % pipe in adit.err


# ---- programs that are asked ----



@pytest.mark.parametrize("who", ["KnownHostsCommand", "askpass"])
def test_sigpipe_is_as_ever_in_programs_that_are_asked(bed, who):
    """The loop ignores it; a pipeline in a script would write on for ever."""
    server = bed.sshd()
    mark = bed.path("signals")
    line = "[127.0.0.1]:%d %s" % (server.port, bed.keys.public("host", "ed25519"))
    script = "#!/bin/sh\ngrep SigIgn /proc/self/status > %s\necho '%s'\n" % (mark, line)
    program = bed.write("program", script, 0o700)
    env = dict(bed.env, SSH_ASKPASS=program, SSH_ASKPASS_REQUIRE="force", DISPLAY=":9")
    options = ["-o", "KnownHostsCommand=" + program]
    if who == "askpass":
        options = ["-o", "BatchMode=no", "-o", "StrictHostKeyChecking=ask", "-o", "UserKnownHostsFile=/dev/null"]
    argv = [ADIT] + options + words(bed, server)[1:] + ["true"]
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=env)
    with open(mark) as f:
        ignored = int(f.read().split()[1], 16)
    assert not ignored >> (signal.SIGPIPE - 1) & 1
