"""Shared connections: adit and Debian's ssh as master and as client of one another (PROTOCOL.mux)."""

import contextlib
import hashlib
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import threading
import time

import pytest

from bed import ADIT, connect, free_port, seeded_bytes, until
from terminal_help import Terminal

pytestmark = pytest.mark.short
SSH = "/usr/bin/ssh"
PAIRS = [(ADIT, ADIT), (ADIT, SSH), (SSH, ADIT)]


class Shared:
    """A master that was started, and what its clients type."""

    def __init__(self, bed, master, client, *options, first=()):
        self.bed, self.program, self.client = bed, master, client
        self.server = bed.sshd(AcceptEnv="*", Subsystem="sftp /usr/lib/openssh/sftp-server")
        self.path = bed.folder / "ctl"
        argv = [master] + list(first) + self.words() + ["-M", "-N", "-n"] + [str(o) for o in options]
        argv += [bed.login(self.server)]
        self.process = bed.run(argv)
        until(self.path.exists, lambda: "the master's socket; it says " + self.process.err)

    def words(self):
        return self.bed.client_options(self.server) + ["-S", str(self.path)]

    def run(self, *words, options=(), given=b"", env=None):
        argv = [self.client] + self.words() + list(options) + [self.bed.login(self.server)] + [str(w) for w in words]
        return subprocess.run(argv, input=given, capture_output=True, timeout=60, env=env or self.bed.env)

    def ask(self, what, *options):
        return self.run(options=("-O", what) + tuple(str(o) for o in options))


@pytest.fixture(params=PAIRS, ids=["adit-adit", "adit-ssh", "ssh-adit"])
def shared(bed, request):
    return Shared(bed, *request.param, "-o", "SendEnv=ADIT_*")


def test_the_socket_is_its_owner_s_alone(shared):
    assert stat.S_IMODE(os.stat(shared.path).st_mode) == 0o600


def test_statuses_output_and_errors(shared):
    for status in (0, 1, 44):
        assert shared.run("exit %d" % status).returncode == status
        assert shared.run("exec >&- 2>&-; sleep 0.2; exit %d" % status).returncode == status
    done = shared.run("cat; echo err >&2; exit 3", given=b"in")
    assert (done.stdout, done.returncode) == (b"in", 3) and b"err\n" in done.stderr


def test_megabytes_pass_both_ways(shared):
    data = seeded_bytes(31, 10 << 20)
    done = shared.run("cat", given=data)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_variables_and_subsystems(shared):
    env = dict(shared.bed.env, ADIT_X="along")
    assert shared.run("echo $ADIT_X", options=("-o", "SendEnv=ADIT_*"), env=env).stdout == b"along\n"
    copy, file = shared.bed.folder / "copy", shared.bed.write("file", "by sftp\n")
    argv = ["sftp", "-q", "-S", shared.client, "-o", "ControlPath=%s" % shared.path]
    argv += [w for w in shared.bed.client_options(shared.server)[:2]]
    subprocess.run(argv + ["%s:%s" % (shared.bed.login(shared.server), file), str(copy)], timeout=30, env=shared.bed.env)
    assert copy.read_text() == "by sftp\n"


def test_check_exit_and_what_is_left(shared):
    done = shared.ask("check")
    assert done.returncode == 0
    assert int(re.search(rb"Master running \(pid=(\d+)\)", done.stderr).group(1)) == shared.process.pid
    done = shared.ask("exit")
    assert done.returncode == 0 and b"Exit request sent" in done.stderr
    shared.process.wait()
    assert not shared.path.exists()
    done = shared.ask("check")
    assert done.returncode == 255 and b"Control socket connect" in done.stderr


def test_forwards_come_and_go(shared):
    port, back, target = free_port(), free_port(), shared.bed.echo().port
    for option, listen in (("-L", port), ("-R", back), ("-L", port)):
        spec = "127.0.0.1:%d:127.0.0.1:%d" % (listen, target)
        assert shared.ask("forward", option, spec).returncode == 0
        with connect(listen) as s:
            s.sendall(b"moved")
            assert s.recv(10) == b"moved"
        assert shared.ask("cancel", option, spec).returncode == 0

        def is_closed():
            try:
                socket.create_connection(("127.0.0.1", listen), 5).close()
            except ConnectionRefusedError:
                return True
            return False

        until(is_closed, "the listener to close")
    done = shared.ask("cancel", "-L", "%d:127.0.0.1:%d" % (port, target))
    assert b"port not forwarded" in done.stderr
    assert done.returncode == 255 or shared.client == SSH
    taken = shared.bed.echo().port
    assert shared.ask("forward", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (taken, target)).returncode == 255
    assert shared.run("true").returncode == 0  # and the master lives


def test_a_port_of_the_server_s_choice_is_told(shared):
    target = shared.bed.echo().port
    done = shared.ask("forward", "-R", "0:127.0.0.1:%d" % target)
    port = int(done.stdout)
    with connect(port) as s:
        s.sendall(b"there")
        assert s.recv(10) == b"there"


def test_unix_sockets_and_socks(shared):
    folder, target, port = shared.bed.folder, shared.bed.echo().port, free_port()
    ends = [str(folder / name) for name in ("one", "two")]
    assert shared.ask("forward", "-L", "%s:127.0.0.1:%d" % (ends[0], target)).returncode == 0
    assert shared.ask("forward", "-R", "%s:%s" % (ends[1], ends[0])).returncode == 0
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(ends[1])
        s.sendall(b"round")
        assert s.recv(10) == b"round"
    assert shared.ask("forward", "-D", "127.0.0.1:%d" % port).returncode == 0
    with connect(port) as s:
        s.sendall(b"\x04\x01" + struct.pack(">H", target) + socket.inet_aton("127.0.0.1") + b"\0")
        assert s.recv(8)[:2] == b"\x00\x5a"
        s.sendall(b"socks")
        assert s.recv(10) == b"socks"
    assert shared.ask("cancel", "-D", "127.0.0.1:%d" % port).returncode == 0


def test_w_joins_the_standard_streams(shared):
    target = shared.bed.echo().port
    argv = [shared.client] + shared.words() + ["-W", "127.0.0.1:%d" % target, shared.bed.login(shared.server)]
    process = shared.bed.run(argv, stdin=subprocess.PIPE)
    process.popen.stdin.write(b"here and back")
    process.popen.stdin.flush()
    until(lambda: process.out == b"here and back", "the echo")
    process.popen.stdin.close()
    assert process.wait() in (0, 255)
    dead = shared.run(options=("-W", "127.0.0.1:1"))
    assert dead.returncode == 255


def test_proxy_mode_runs_whole_sessions(shared):
    """The client speaks the connection protocol itself, and the master relays."""
    data = seeded_bytes(32, 5 << 20)
    for status in (0, 44):
        assert shared.run("exit %d" % status, options=("-O", "proxy")).returncode == status
    done = shared.run("cat; echo err >&2; exit 7", options=("-q", "-O", "proxy"), given=data)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()
    assert (done.stderr, done.returncode) == (b"err\n", 7)
    assert shared.run("true").returncode == 0


def test_proxy_mode_has_forwards_of_its_own(shared):
    port, back, target = free_port(), free_port(), shared.bed.echo().port
    argv = [shared.client] + shared.words() + ["-O", "proxy", "-N", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (port, target)]
    argv += ["-R", "127.0.0.1:%d:127.0.0.1:%d" % (back, target), shared.bed.login(shared.server)]
    process = shared.bed.run(argv)

    def is_open(where):
        try:
            socket.create_connection(("127.0.0.1", where), 5).close()
        except ConnectionRefusedError:
            return False
        return True

    for listen in (port, back):
        until(lambda: is_open(listen), lambda: "the listener; it says " + process.err)
        with connect(listen) as s:
            s.sendall(b"relayed")
            assert s.recv(10) == b"relayed"
    process.signal(signal.SIGTERM)
    process.wait()
    assert shared.run("true").returncode == 0


@pytest.mark.parametrize("what", ["stop", "exit"])
def test_a_quiet_client_says_nothing_of_what_it_asked_for(shared, what):
    done = shared.ask(what, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    until(lambda: not shared.path.exists(), "the socket to go")


@pytest.mark.parametrize("master", [ADIT, SSH])
@pytest.mark.parametrize("number,status", [(signal.SIGTERM, 0), (signal.SIGHUP, 255)])
def test_sigterm_is_the_usual_end_of_a_client_that_only_forwards(bed, master, number, status):
    shared = Shared(bed, master, ADIT)
    argv = [ADIT] + shared.words() + ["-W", "127.0.0.1:%d" % bed.echo().port, bed.login(shared.server)]
    client = bed.run(argv, stdin=subprocess.PIPE)
    client.popen.stdin.write(b"through")
    client.popen.stdin.flush()
    until(lambda: client.out == b"through", "the echo")
    client.signal(number)
    assert client.wait() == status


def test_stop_lets_what_runs_end(shared):
    argv = [shared.client] + shared.words() + [shared.bed.login(shared.server), "echo on; read x; exit 5"]
    process = shared.bed.run(argv, stdin=subprocess.PIPE)
    until(lambda: process.out == b"on\n", "the session")
    done = shared.ask("stop")
    assert done.returncode == 0 and b"Stop listening request sent" in done.stderr
    until(lambda: not shared.path.exists(), "the socket to go")
    assert shared.process.is_alive()
    process.popen.stdin.write(b"\n")
    process.popen.stdin.close()
    assert process.wait() == 5
    shared.process.wait()


def test_a_client_that_is_killed_takes_its_session_along(shared):
    mark = shared.bed.folder / "mark"
    argv = [shared.client] + shared.words() + ["-tt", shared.bed.login(shared.server)]
    argv += ["trap 'echo hup > %s' HUP; echo on; sleep 60 & wait" % mark]
    process = shared.bed.run(argv, stdin=subprocess.PIPE)
    until(lambda: b"on" in process.out, "the session")
    process.signal(signal.SIGKILL)
    until(mark.exists, "the command to hear of it")
    assert shared.run("true").returncode == 0


def test_a_terminal_through_the_master(shared):
    argv = [shared.client] + shared.words() + ["-t", shared.bed.login(shared.server)]
    argv += ["stty size; trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done"]
    t = Terminal(shared.bed, argv)
    t.wait_for("24 80")
    t.wait_for("ready")
    until(t.is_raw, "a raw terminal")
    t.resize(31, 91)
    t.wait_for("31 91")
    t.type("\r~?")
    t.wait_for("(?m)^Supported escape sequences:")
    t.type("\r~.")
    t.wait()
    assert t.is_as_before()
    assert shared.run("true").returncode == 0


def test_controlpersist_leaves_a_master_and_ends_it(bed):
    server = bed.sshd()
    path = bed.folder / "ctl"
    argv = [ADIT] + bed.client_options(server) + ["-q", "-o", "ControlMaster=auto", "-o", "ControlPath=%s" % path]
    argv += ["-o", "ControlPersist=1", bed.login(server)]

    def run(command):
        return subprocess.run(argv + [command], capture_output=True, timeout=30, env=bed.env)

    first = run("echo $PPID $SSH_CONNECTION; exit 3")
    assert first.returncode == 3 and path.exists()
    second = run("echo $PPID $SSH_CONNECTION; exit 4")
    assert second.returncode == 4
    assert first.stdout.split()[1:] == second.stdout.split()[1:]  # one connection
    until(lambda: not path.exists(), "the master to end when nobody came for a second")


def test_auto_without_persist_and_a_dead_socket(bed):
    server = bed.sshd()
    path = bed.folder / "ctl"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))  # and nobody listens
    argv = [ADIT] + bed.client_options(server) + ["-q", "-o", "ControlMaster=auto", "-S", str(path), bed.login(server)]
    first = bed.run(argv + ["echo on; read x; exit 6"], stdin=subprocess.PIPE)
    until(lambda: first.out == b"on\n", "the first session")
    done = subprocess.run(argv + ["echo $SSH_CONNECTION"], capture_output=True, timeout=30, env=bed.env)
    assert done.returncode == 0
    first.popen.stdin.close()
    assert first.wait() == 6
    assert not path.exists()


def test_f_and_n_put_forwards_into_the_master_and_go(bed):
    shared = Shared(bed, ADIT, ADIT)
    port, target = free_port(), bed.echo().port
    done = shared.run(options=("-f", "-N", "-L", "%d:127.0.0.1:%d" % (port, target)))
    assert done.returncode == 0
    with connect(port) as s:
        s.sendall(b"x")
        assert s.recv(10) == b"x"


def test_conninfo_and_channels(bed):
    shared = Shared(bed, ADIT, ADIT, "-C")
    done = shared.ask("conninfo")
    for text in (b"-> 127.0.0.1", b"kexalgorithm ", b"cipher ", b"compression zlib"):
        assert text in done.stdout
    argv = [ADIT] + shared.words() + [bed.login(shared.server), "echo on; sleep 60"]
    process = bed.run(argv)
    until(lambda: process.out == b"on\n", "the session")
    assert b"session" in shared.ask("channels").stdout


def test_controlmaster_ask_asks(bed):
    answer = bed.write("answer", "#!/bin/sh\necho \"$1 $SSH_ASKPASS_PROMPT\" >> %s/asked\nexit $(cat %s/status)\n" % (bed.folder, bed.folder))
    os.chmod(answer, 0o755)
    bed.env = dict(bed.env, SSH_ASKPASS=str(answer), SSH_ASKPASS_REQUIRE="force", DISPLAY=":0")
    shared = Shared(bed, ADIT, SSH, "-M", first=("-o", "BatchMode=no"))  # -MM
    bed.write("status", "0")
    assert shared.run("exit 3").returncode == 3
    assert "Allow shared connection to 127.0.0.1? " in (bed.folder / "asked").read_text()
    assert "confirm" in (bed.folder / "asked").read_text()
    bed.write("status", "1")
    argv = [ADIT] + shared.words() + ["-o", "ControlMaster=no", "-v", bed.login(shared.server), "exit 3"]
    done = subprocess.run(argv, capture_output=True, timeout=30, env=bed.env)
    assert b"refused" in done.stderr and done.returncode == 3  # by a connection of its own
    assert shared.ask("exit").returncode == 255
    assert shared.process.is_alive()


def frame(*fields):
    body = b"".join(struct.pack(">I", f) if isinstance(f, int) else struct.pack(">I", len(f)) + f for f in fields)
    return struct.pack(">I", len(body)) + body


@pytest.mark.parametrize(
    "bytes_",
    [
        b"\xff\xff\xff\xff",
        frame(1, 3),
        frame(0x10000004, 0),
        frame(1, 4) + frame(0x10000002, 1, b"", 1, 0, 0, 0),
        frame(1, 4) + frame(0x10000002, 1, b"", 0, 0, 0, 0, 0xFFFFFFFF, b"vt100", b"true") + b"xyz",
        frame(1, 4) + frame(0x10000006, 1, 9, b"a", 1, b"b", 2),
        frame(1, 4) + frame(0x10000006, 1, 1, b"", 70000, b"b", 2),
        frame(1, 4) + frame(0xDEADBEEF, 1) + frame(1),
        frame(1, 4) + frame(0x80000001, 1) * 100 + b"\x00",
    ],
)
def test_what_is_no_message_harms_that_client_alone(bed, bytes_):
    shared = Shared(bed, ADIT, ADIT)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(str(shared.path))
        s.sendall(bytes_)
        s.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while s.recv(65536):
                pass
    assert shared.run("exit 9").returncode == 9


def serve_narrow_line(to_port, bytes_per_s=2e7):
    def serve(near):
        far = connect(to_port)
        far.settimeout(None)
        back = threading.Thread(target=pump, args=(far, near, 0), daemon=True)
        back.start()
        pump(near, far, 1 / bytes_per_s)
        back.join()
        far.close()

    def pump(source, sink, second_per_byte):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
                time.sleep(len(piece) * second_per_byte)
            sink.shutdown(socket.SHUT_WR)

    return serve


def test_who_speaks_for_himself_leaves_the_others_their_share(bed):
    """Over a line that is full, two uploads: one through the master, one of a client in proxy mode."""
    server, path = bed.sshd(), bed.folder / "ctl"
    line = bed.target(serve_narrow_line(server.port))
    own = ["-S", str(path), bed.login(server)]
    bed.run([ADIT] + bed.client_options(server, port=line.port) + ["-M", "-N", "-n"] + own)
    until(path.exists, "the master's socket")
    files = [bed.path("one"), bed.path("other")]
    for file, mode in zip(files, ([], ["-O", "proxy"])):
        with open("/dev/zero", "rb") as endless:
            bed.run([ADIT, "-F", "none"] + mode + own + ["cat > %s" % file], stdin=endless)
        until(lambda: file.exists() and file.stat().st_size > 0, "its first bytes")
    before = [file.stat().st_size for file in files]

    def moved():
        return [file.stat().st_size - size for file, size in zip(files, before)]

    until(lambda: sum(moved()) > 16 << 20, moved, 60)
    assert min(moved()) > sum(moved()) / 4
