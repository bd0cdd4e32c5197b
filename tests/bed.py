"""The test bed: real processes on this machine, and waiting for what they do without sleeping blindly.

A Bed belongs to one test. It hands out free ports, starts programs, servers and targets, and at the
end stops by pid whatever it started. Knows nothing of pytest but its skip.
"""

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import os
import pathlib
import pwd
import random
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("ADIT_BUILD", "build"))
if not BUILD.is_absolute():
    BUILD = ROOT / BUILD
BIN = BUILD / "bin"
EVIDENCE = BUILD / "evidence"
ADIT = str(BIN / "adit")
ADITD = str(BIN / "aditd")
SSHD = "/usr/sbin/sshd"
WAIT_S = 20.0
USER = pwd.getpwuid(os.getuid()).pw_name
IS_ROOT = os.getuid() == 0
KEY_KINDS = {
    "ed25519": ["-t", "ed25519"],
    "ecdsa256": ["-t", "ecdsa", "-b", "256"],
    "ecdsa384": ["-t", "ecdsa", "-b", "384"],
    "ecdsa521": ["-t", "ecdsa", "-b", "521"],
    "rsa2048": ["-t", "rsa", "-b", "2048"],
    "rsa3072": ["-t", "rsa", "-b", "3072"],
}


class Timeout(AssertionError):
    pass


def until(question, what, within_s=WAIT_S):
    """Asks until the answer is true, and gives the answer. Fails with `what` after within_s."""
    end = time.monotonic() + within_s
    pause = 0.002
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Timeout("waited %.0f s for: %s" % (within_s, what() if callable(what) else what))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


# ---- ports ----

_PORT_LOCK = pathlib.Path(tempfile.gettempdir()) / ("adit-test-port.%d" % os.getuid())
_FIRST_PORT, _LAST_PORT = 10000, 29999  # below the kernel's own choice of ports


def _is_free(port):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as s:
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.bind((address, port))
        except OSError as e:
            if family == socket.AF_INET6 and e.errno in (97, 99):
                continue
            return False
    return True


def free_port():
    """A port nothing listens on in either family, and that no other test run is given soon."""
    with open(_PORT_LOCK, "a+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.seek(0)
        text = f.read().strip()
        port = int(text) if text.isdigit() else _FIRST_PORT
        while True:
            port = port + 1 if port < _LAST_PORT else _FIRST_PORT
            if _is_free(port):
                break
        f.seek(0)
        f.truncate()
        f.write(str(port))
        return port


def listening(port, netns=None):
    """The set of addresses on which somebody listens at port, as ss -ltn says it."""
    command = ["ss", "-Hltn"]
    if netns:
        command = ["ip", "netns", "exec", netns] + command
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = set()
    for line in out.splitlines():
        address, _, number = line.split()[3].rpartition(":")
        if number == str(port):
            found.add(address.strip("[]").split("%")[0])
    return found


# ---- processes ----


class Process:
    """A running program whose standard error and output are gathered as they come."""

    def __init__(self, argv, name, **popen):
        self.argv = [str(a) for a in argv]
        self.name = name
        self.lines = ""
        self._lock = threading.Lock()
        popen.setdefault("stdin", subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.PIPE)
        if name == "aditd":
            popen.setdefault("start_new_session", True)  # what outlives it is known by its session
        self.popen = subprocess.Popen(self.argv, stderr=subprocess.PIPE, **popen)
        self.pid = self.popen.pid
        self.out = b""
        self._readers = [threading.Thread(target=self._gather_err, daemon=True)]
        if self.popen.stdout is not None:
            self._readers.append(threading.Thread(target=self._gather_out, daemon=True))
        for reader in self._readers:
            reader.start()

    def _gather_err(self):
        for line in iter(self.popen.stderr.readline, b""):
            with self._lock:
                self.lines += line.decode("utf-8", "replace")

    def _gather_out(self):
        for piece in iter(lambda: os.read(self.popen.stdout.fileno(), 65536), b""):
            with self._lock:
                self.out += piece

    @property
    def err(self):
        with self._lock:
            return self.lines

    def is_alive(self):
        return self.popen.poll() is None

    def wait_line(self, pattern, within_s=WAIT_S, count=1):
        """Waits until the standard error holds the pattern (count times); the first match."""

        def look():
            found = list(re.finditer(pattern, self.err))
            if len(found) >= count:
                return found[0]
            if not self.is_alive():
                self.join_readers()
                found = list(re.finditer(pattern, self.err))
                if len(found) >= count:
                    return found[0]
                raise AssertionError(
                    "%s ended with %s before it said %r:\n%s"
                    % (self.name, self.popen.returncode, pattern, self.err)
                )
            return None

        return until(look, lambda: "%s to say %r; it said:\n%s" % (self.name, pattern, self.err), within_s)

    def join_readers(self):
        for reader in self._readers:
            reader.join(2)

    def wait(self, within_s=WAIT_S):
        """The exit status; fails if the program does not end."""
        try:
            status = self.popen.wait(within_s)
        except subprocess.TimeoutExpired:
            raise Timeout("%s did not end within %.0f s; it said:\n%s" % (self.name, within_s, self.err))
        self.join_readers()
        return status

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self):
        """Ends it, kindly first; never leaves it behind, nor what it started: aditd's workers outlive it."""
        if self.is_alive():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(5)
        while self.name == "aditd" and end_session(self.popen.pid):
            pass  # who was just being forked is found next time
        self.join_readers()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


def children_of(pid):
    try:
        text = pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def descendants_of(pid):
    found = []
    for child in children_of(pid):
        found.append(child)
        found.extend(descendants_of(child))
    return found


def in_session(leader):
    """The processes of the session that this one began; what a login runs is in one of its own."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[3]) == leader:
                found.append(int(folder.name))
    return found


def end_session(leader):
    """True: there was somebody left to end."""
    heirs = [pid for pid in in_session(leader) if state_of(pid) not in (None, "Z")]
    for pid in heirs:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(heirs)


def name_of(pid):
    """What the process calls itself (at most 15 characters), or ""."""
    try:
        return pathlib.Path("/proc/%d/comm" % pid).read_text().strip()
    except OSError:
        return ""


def serving(pid):
    """The processes of an aditd that serve a connection: not those that stand ready for the next."""
    zygotes = [child for child in children_of(pid) if name_of(child) != "aditd-session"]
    sessions = [child for child in children_of(pid) if child not in zygotes]
    forked = [child for zygote in zygotes for child in children_of(zygote)]
    ready = [child for child in forked if name_of(child) == "aditd-pre"][:READY]
    return sessions + [child for child in forked if child not in ready]


READY = 4  # PRE_READY of server/supervisor_internal.h


def state_of(pid):
    """R, S, T, Z ... or None if there is no such process."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


# ---- targets ----


class Target:
    """A service on a thread, at an address or a path: what serve(connection) does with each visitor."""

    def __init__(self, serve, address="127.0.0.1", port=None, backlog=512):
        if address.startswith("/"):
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.port, self.where = None, address
            self.listener.bind(address)
        else:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self.listener = socket.socket(family, socket.SOCK_STREAM)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.port = port or free_port()
            self.where = "%s:%d" % (address, self.port)
            self.listener.bind((address, self.port))
        self.listener.listen(backlog)
        self.serve = serve
        self.visits = []
        self.errors = []
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, who = self.listener.accept()
            except OSError:
                return
            self.visits.append(who)
            self._open.add(s)
            threading.Thread(target=self._run, args=(s,), daemon=True).start()

    def _run(self, s):
        try:
            self.serve(s)
        except OSError as e:
            self.errors.append(e)
        finally:
            self._open.discard(s)
            s.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in list(self._open):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)


def serve_echo(s):
    while True:
        piece = s.recv(65536)
        if not piece:
            s.shutdown(socket.SHUT_WR)
            return
        s.sendall(piece)


def seeded_bytes(seed, n):
    """n bytes that depend on the seed only."""
    return random.Random(seed).randbytes(n)


class _Stream:
    """The same bytes for the same seed, made a block at a time so that 1 GiB needs no memory."""

    BLOCK = 1 << 20

    def __init__(self, seed):
        self.base = seeded_bytes(seed, self.BLOCK)

    def block(self, number):
        return struct.pack(">Q", number) + self.base[8:]

    def pieces(self, total):
        number = 0
        while total:
            piece = self.block(number)[: min(self.BLOCK, total)]
            yield piece
            total -= len(piece)
            number += 1


def send_stream(s, seed, total):
    digest = hashlib.sha256()
    for piece in _Stream(seed).pieces(total):
        digest.update(piece)
        s.sendall(piece)
    return digest.hexdigest()


def receive_digest(s):
    digest, total = hashlib.sha256(), 0
    while True:
        piece = s.recv(1 << 18)
        if not piece:
            return digest.hexdigest(), total
        digest.update(piece)
        total += len(piece)


def stream_digest(seed, total):
    digest = hashlib.sha256()
    for piece in _Stream(seed).pieces(total):
        digest.update(piece)
    return digest.hexdigest()


class BothWays:
    """A target that sends a seeded stream, ends it, and takes the digest of what came meanwhile."""

    def __init__(self, total, seed=7):
        self.total, self.seed = total, seed
        self.results = []

    def __call__(self, s):
        box = {}
        reader = threading.Thread(target=lambda: box.update(got=receive_digest(s)), daemon=True)
        reader.start()
        send_stream(s, self.seed, self.total)
        s.shutdown(socket.SHUT_WR)
        reader.join()
        self.results.append(box["got"])


def exchange(address, total, **more):
    """Opposite of BothWays: sends and receives at once, checks what came, gives what was sent."""
    with connect(address) as s:
        return exchange_over(s, total, **more)


def exchange_over(s, total, down_seed=7, up_seed=11, within_s=120):
    """exchange() over what is connected already; it stays the caller's."""
    s.settimeout(within_s)
    box = {}

    def read():
        try:
            box["got"] = receive_digest(s)
        except OSError as e:
            box["error"] = e

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    sent = send_stream(s, up_seed, total)
    s.shutdown(socket.SHUT_WR)
    reader.join(within_s)
    assert "error" not in box, "receiving failed: %s" % box["error"]
    assert "got" in box, "the peer did not end its stream within %.0f s" % within_s
    assert box["got"] == (stream_digest(down_seed, total), total), "received other bytes than sent"
    return sent


def connect(address, within_s=WAIT_S):
    if isinstance(address, int):
        address = ("127.0.0.1", address)
    s = socket.create_connection(address, timeout=within_s)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def ask(address, payload=b"hello", within_s=WAIT_S):
    """Sends, ends its side, and gives all that comes back."""
    with connect(address, within_s) as s:
        s.sendall(payload)
        s.shutdown(socket.SHUT_WR)
        return receive_all(s)


def is_turned_away(port):
    """Whether a visitor gets not one byte: an end or a reset, even while he connects."""
    try:
        with connect(port) as s:
            return s.recv(1) == b""
    except ConnectionResetError:
        return True


def receive_all(s):
    pieces = []
    while True:
        piece = s.recv(65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def receive_exactly(s, n):
    pieces = b""
    while len(pieces) < n:
        piece = s.recv(n - len(pieces))
        if not piece:
            raise AssertionError("the stream ended after %d of %d bytes" % (len(pieces), n))
        pieces += piece
    return pieces


def reset(s):
    """Closes so that the other side sees RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class Relay:
    """A TCP relay between a client and a server that can be cut or held at any moment."""

    def __init__(self, to_port):
        self.to_port = to_port
        self.is_held = threading.Event()
        self.pairs = []
        self.passed = 0
        self.target = Target(self._serve)
        self.port = self.target.port

    def _serve(self, client):
        server = connect(self.to_port)
        server.settimeout(None)
        self.pairs.append((client, server))
        other = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        other.start()
        self._pump(client, server)
        other.join()
        server.close()

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while True:
                piece = source.recv(65536)
                if not piece:
                    break
                while self.is_held.is_set():
                    time.sleep(0.01)
                sink.sendall(piece)
                self.passed += len(piece)
            sink.shutdown(socket.SHUT_WR)

    def cut(self):
        """Both connections end at once by RST, in the middle of whatever passed."""
        for pair in self.pairs:
            for s in pair:
                with contextlib.suppress(OSError):
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.shutdown(socket.SHUT_RDWR)
                with contextlib.suppress(OSError):
                    s.close()

    def close(self):
        self.cut()
        self.target.close()


# ---- keys ----


class Keys:
    """Host and user keys of every kind, made once for a whole run."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.authorized = self.folder / "authorized_keys"
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.authorized.exists():
                self._make()

    def _make(self):
        for kind, args in KEY_KINDS.items():
            for role in ("host", "user"):
                path = self.folder / ("%s_%s" % (role, kind))
                make = ["ssh-keygen", "-q", "-N", "", "-C", "test " + role, "-f", str(path)]
                subprocess.run(make + args, check=True)
        lines = "".join(p.read_text() for p in sorted(self.folder.glob("user_*.pub")))
        new = self.folder / "authorized_keys.new"
        new.write_text(lines)
        os.chmod(new, 0o600)
        new.rename(self.authorized)

    def host(self, kind="ed25519"):
        return str(self.folder / ("host_" + kind))

    def user(self, kind="ed25519"):
        return str(self.folder / ("user_" + kind))

    def public(self, role, kind):
        words = (self.folder / ("%s_%s.pub" % (role, kind))).read_text().split()
        return words[0] + " " + words[1]


# ---- the bed ----


class Server:
    """An SSH server on loopback and what a client needs to know of it."""

    def __init__(self, process, port, host_kind, name, address="127.0.0.1", log=None):
        self.process, self.port, self.host_kind = process, port, host_kind
        self.name, self.address = name, address
        self.log_path = log

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        text = self.process.err
        if self.log_path and os.path.exists(self.log_path):
            text += pathlib.Path(self.log_path).read_text(errors="replace")
        return text

    def wait_log(self, pattern, count=1, within_s=WAIT_S):
        return until(
            lambda: len(re.findall(pattern, self.log)) >= count,
            lambda: "%s to log %r; it logged:\n%s" % (self.name, pattern, self.log[-6000:]),
            within_s,
        )


class Bed:
    def __init__(self, folder, keys):
        self.folder = pathlib.Path(folder)
        self.keys = keys
        self._closing = []
        self._pids = []
        self.home = self.folder / "home"
        (self.home / ".ssh").mkdir(parents=True)
        os.chmod(self.home / ".ssh", 0o700)
        self.env = dict(os.environ, HOME=str(self.home), LC_ALL="C.UTF-8")
        for name in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY", "http_proxy", "https_proxy", "all_proxy",
                     "PYTEST_CURRENT_TEST"):
            self.env.pop(name, None)
        self._count = 0

    # -- life --

    def close(self):
        for act in reversed(self._closing):
            with contextlib.suppress(Exception):
                act()
        for pid in self._pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)

    def at_end(self, act):
        self._closing.append(act)

    def adopt(self, pid):
        """A process of ours that put itself into the background: ended with the test."""
        self._pids.append(pid)

    def path(self, name):
        return self.folder / name

    def write(self, name, text, mode=0o600):
        """Whole at once: whoever reads it meanwhile finds the old text or the new."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_text(text, encoding="utf-8")
        os.chmod(new, mode)
        new.rename(path)
        return str(path)

    def run(self, argv, name=None, netns=None, **popen):
        name = name or os.path.basename(str(argv[0]))
        if netns:
            argv = ["ip", "netns", "exec", netns] + list(argv)
        popen.setdefault("env", self.env)
        process = Process(argv, name, **popen)
        self.at_end(process.stop)
        return process

    def target(self, serve, **where):
        target = Target(serve, **where)
        self.at_end(target.close)
        return target

    def echo(self, **where):
        return self.target(serve_echo, **where)

    def relay(self, to_port):
        relay = Relay(to_port)
        self.at_end(relay.close)
        return relay

    # -- servers --

    def _serve(self, name, argv, port, host_kind, netns, address, log, env=None):
        process = self.run(argv, name=name, netns=netns, env=env or self.env)
        server = Server(process, port, host_kind, name, address, log)

        def is_up():
            if not process.is_alive():
                process.join_readers()
                raise AssertionError(
                    "%s ended with %s:\n%s" % (name, process.popen.returncode, server.log)
                )
            return listening(port, netns)

        until(is_up, "%s to listen at %d" % (name, port))
        return server

    def _config(self, own, options):
        lines = []
        for key, value in list(own.items()) + list(options.items()):
            for one in value if isinstance(value, (list, tuple)) else [value]:
                lines.append("%s %s" % (key, one))
        self._count += 1
        return self.write("server_config.%d" % self._count, "\n".join(lines) + "\n")

    def aditd(self, host_kinds=("ed25519",), netns=None, address="127.0.0.1", program=ADITD, args=(), **options):
        port = free_port()
        own = {
            "Port": port,
            "ListenAddress": address,
            "HostKey": [self.keys.host(kind) for kind in host_kinds],
            "AuthorizedKeysFile": self.keys.authorized,
            "StrictModes": "no",
            "PidFile": self.folder / ("aditd.%d.pid" % port),
            "LogLevel": "VERBOSE",
            "PerSourcePenalties": "no",  # logins fail on purpose here, all of them from one address
        }
        own = {key: value for key, value in own.items() if key not in options}
        config = self._config(own, options)
        argv = [program, "-D", "-e", "-f", config] + list(args)
        return self._serve("aditd", argv, port, host_kinds[0], netns, address, None)

    def sshd(self, host_kinds=("ed25519",), netns=None, address="127.0.0.1", level="DEBUG1", **options):
        if IS_ROOT:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        port = free_port()
        own = {
            "Port": port,
            "ListenAddress": address,
            "HostKey": [self.keys.host(kind) for kind in host_kinds],
            "AuthorizedKeysFile": self.keys.authorized,
            "StrictModes": "no",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "UsePAM": "no",
            "PidFile": "none",
            "MaxStartups": "300",
            "MaxSessions": "1000",
            "LogLevel": level,
        }
        own = {key: value for key, value in own.items() if key not in options}
        config = self._config(own, options)
        log = self.folder / ("sshd.%d.log" % port)
        argv = [SSHD, "-D", "-f", config, "-E", str(log)]
        return self._serve("sshd", argv, port, host_kinds[0], netns, address, log)

    def server(self, name, **options):
        return {"aditd": self.aditd, "sshd": self.sshd}[name](**options)

    def known_hosts(self, *servers, name="known_hosts"):
        lines = []
        for server in servers:
            where = "[%s]:%d" % (server.address, server.port)
            lines.append("%s %s\n" % (where, self.keys.public("host", server.host_kind)))
        return self.write(name, "".join(lines))

    # -- clients --

    def client_options(self, server, user_kind="ed25519", port=None):
        """What adit and ssh both want to hear to log in at server and to ask nobody."""
        port = port or server.port
        known = self.write(
            "known_hosts.%d" % port,
            "[%s]:%d %s\n" % (server.address, port, self.keys.public("host", server.host_kind)),
        )
        return [
            "-F", "none", "-p", str(port), "-i", self.keys.user(user_kind),
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "UserKnownHostsFile=" + known, "-o", "GlobalKnownHostsFile=none",
        ]

    def login(self, server):
        return "%s@%s" % (USER, server.address)

    def adit(self, server, *args, user_kind="ed25519", port=None, netns=None, program=ADIT, **popen):
        """adit with a login at server and args; runs until the test ends it."""
        argv = [program] + self.client_options(server, user_kind, port)
        argv += ["-N"] + [str(a) for a in args] + [self.login(server)]
        return self.run(argv, name=os.path.basename(program), netns=netns, **popen)

    def ssh(self, server, *args, **more):
        return self.adit(server, *args, program="/usr/bin/ssh", **more)

    def local(self, server, target_port, *args, host="127.0.0.1", client=None, netns=None, **more):
        """adit -L to the target; (client, the port that listens)."""
        port = free_port()
        start = client or self.adit
        process = start(server, "-L", "127.0.0.1:%d:%s:%d" % (port, host, target_port), *args, netns=netns, **more)
        wait_listen(process, port, netns)
        return process, port

    def remote(self, server, target_port, *args, host="127.0.0.1", client=None, listen_netns=None, **more):
        """adit -R to the target; (client, the server's port)."""
        port = free_port()
        start = client or self.adit
        process = start(server, "-R", "%d:%s:%d" % (port, host, target_port), *args, **more)
        wait_listen(process, port, listen_netns)
        return process, port


def wait_listen(process, port, netns=None, within_s=WAIT_S):
    """Until somebody listens at port; fails at once if the process ends before."""

    def look():
        found = listening(port, netns)
        if not found and not process.is_alive():
            process.join_readers()
            raise AssertionError(
                "%s ended with %s, nothing listens at %d:\n%s"
                % (process.name, process.popen.returncode, port, process.err)
            )
        return found

    return until(look, lambda: "a listener at %d; %s said:\n%s" % (port, process.name, process.err), within_s)


@functools.lru_cache(maxsize=None)
def may_make_hosts():
    """Root, with a kernel and a container that let it make network namespaces."""
    if not IS_ROOT:
        return False
    name = "adit-try-%d" % os.getpid()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if subprocess.run(["ip", "netns", "add", name], **quiet).returncode != 0:
        return False
    works = subprocess.run(["ip", "netns", "exec", name, "ip", "link", "set", "lo", "up"], **quiet).returncode == 0
    subprocess.run(["ip", "netns", "del", name], **quiet)
    return works


class TwoHosts:
    """Two network namespaces and a wire: left 10.83.N.1, right 10.83.N.2. Root only."""

    def __init__(self, number):
        own = "%d-%d" % (os.getpid(), number)  # numbers of two test processes may meet
        self.left, self.right = "adit-l" + own, "adit-r" + own
        third = number % 250
        self.left_address, self.right_address = "10.83.%d.1" % third, "10.83.%d.2" % third
        self._made = []

    def up(self):
        for name in (self.left, self.right):
            subprocess.run(["ip", "netns", "add", name], check=True)
            self._made.append(name)
            self.ip(name, "link", "set", "lo", "up")
        wire = ["ip", "link", "add", "wire", "netns", self.left, "type", "veth", "peer", "name", "wire"]
        subprocess.run(wire + ["netns", self.right], check=True)
        for name, address in ((self.left, self.left_address), (self.right, self.right_address)):
            self.ip(name, "addr", "add", address + "/24", "dev", "wire")
            self.ip(name, "link", "set", "wire", "up")

    def ip(self, name, *words):
        subprocess.run(["ip", "-n", name] + list(words), check=True)

    def down(self):
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False)

    @contextlib.contextmanager
    def inside(self, name):
        """This thread's new sockets belong to the namespace; sockets stay where they were made."""
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + name, os.O_RDONLY)
        try:
            if libc.setns(there, 0x40000000) != 0:
                raise OSError("setns")
            yield
        finally:
            libc.setns(home, 0x40000000)
            os.close(home)
            os.close(there)


def keep_evidence(name, text):
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    (EVIDENCE / name).write_text(text, errors="replace")
