"""ONE table: every kind of forward x every switch that can forbid it, each cell tried with stock ssh.

A row is a switch in one place (the whole file, a Match block, a key's options, a certificate's), and
says which kinds it refuses; the others must work. Two runs of ssh try the eight kinds of a row.
"""

import concurrent.futures
import os
import pathlib
import socket
import subprocess
import threading

import pytest

from bed import ADITD, IS_ROOT, USER, free_port, until

pytestmark = pytest.mark.short

KINDS = ("local", "remote", "local-unix", "remote-unix", "tun", "dynamic", "session", "agent")
TCP_OUT = {"local", "dynamic"}
PORTS = {"local", "remote", "local-unix", "remote-unix", "tun", "dynamic"}
FORWARDS = PORTS | {"agent"}


class Row:
    def __init__(self, name, refuses, lines=(), key="", cert=None):
        self.name, self.refuses, self.lines, self.key, self.cert = name, set(refuses), list(lines), key, cert


# {open} is the port of the target, {listen} the one that is asked for, {other} neither.
KEYWORDS = [
    (["PermitTunnel yes"], set()),
    (["PermitTunnel point-to-point"], set()),
    (["PermitTunnel ethernet"], {"tun"}),
    (["PermitTunnel no"], {"tun"}),
    (["AllowTcpForwarding yes"], set()),
    # What OpenSSH's sshd does: the switch for TCP and the list of targets hold for Unix sockets, too.
    (["AllowTcpForwarding no"], TCP_OUT | {"remote", "local-unix", "remote-unix"}),
    (["AllowTcpForwarding local"], {"remote", "remote-unix"}),
    (["AllowTcpForwarding remote"], TCP_OUT | {"local-unix"}),
    (["AllowStreamLocalForwarding yes"], set()),
    (["AllowStreamLocalForwarding no"], {"local-unix", "remote-unix"}),
    (["AllowStreamLocalForwarding local"], {"remote-unix"}),
    (["AllowStreamLocalForwarding remote"], {"local-unix"}),
    (["PermitOpen none"], TCP_OUT | {"local-unix"}),
    (["PermitOpen 127.0.0.1:{other}"], TCP_OUT | {"local-unix"}),
    (["PermitOpen 127.0.0.1:{other} 127.0.0.1:{open}"], {"local-unix"}),
    (["PermitOpen *:*"], set()),
    (["PermitListen none"], {"remote"}),
    (["PermitListen {other}"], {"remote"}),
    (["PermitListen localhost:{listen}"], set()),
    (["AllowAgentForwarding no"], {"agent"}),
    (["AllowAgentForwarding yes"], set()),
    (["PermitSession no"], {"session", "agent"}),
    (["PermitSession yes"], set()),
    (["DisableForwarding yes"], FORWARDS),
    (["DisableForwarding no"], set()),
]
KEYS = [
    ("", set()),
    ("no-port-forwarding", PORTS),
    ("no-agent-forwarding", {"agent"}),
    ("restrict", FORWARDS),
    ("restrict,port-forwarding", {"agent"}),
    ("restrict,agent-forwarding", PORTS),
    ("restrict,port-forwarding,agent-forwarding", set()),
    ('permitopen="127.0.0.1:{other}"', TCP_OUT | {"local-unix"}),
    ('permitopen="127.0.0.1:{open}"', {"local-unix"}),
    ('permitlisten="{other}"', {"remote"}),
    ('permitlisten="localhost:{listen}"', set()),
    ('tunnel="{unit}"', set()),
]
CERTIFICATES = [
    ([], set()),
    (["clear"], FORWARDS),
    (["clear", "permit-port-forwarding"], {"agent"}),
    (["clear", "permit-agent-forwarding"], PORTS),
    (["no-port-forwarding"], PORTS),
    (["no-agent-forwarding"], {"agent"}),
]
CLOSED = [
    "PermitTunnel no", "AllowTcpForwarding no", "AllowStreamLocalForwarding no", "PermitOpen none", "PermitListen none",
    "AllowAgentForwarding no", "PermitSession no", "DisableForwarding yes",
]
OPENED = [
    "PermitTunnel yes", "AllowTcpForwarding yes", "AllowStreamLocalForwarding yes", "PermitOpen any", "PermitListen any",
    "AllowAgentForwarding yes", "PermitSession yes", "DisableForwarding no",
]


class House:
    """The targets, the keys, and the servers that rows share."""

    def __init__(self, bed, server=ADITD):
        self.bed, self.server = bed, server
        self.echo = bed.echo()
        self.socket = str(bed.path("echo.sock"))
        self._serve_socket()
        self.agent = str(bed.path("agent.sock"))
        bed.run(["ssh-agent", "-D", "-a", self.agent], name="ssh-agent")
        until(lambda: os.path.exists(self.agent), "the agent's socket")
        self.ca = str(bed.path("ca"))
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", self.ca], check=True)
        self.lock, self.count = threading.Lock(), 0

    def _serve_socket(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen(16)
        os.chmod(self.socket, 0o777)

        def serve():
            while True:
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                with s:
                    s.sendall(s.recv(100))

        threading.Thread(target=serve, daemon=True).start()
        self.bed.at_end(listener.close)

    def number(self):
        with self.lock:
            self.count += 1
            return self.count

    def start(self, ports, lines):
        own = ["Port %d" % port for port in ports]
        own += ["ListenAddress 127.0.0.1", "HostKey " + self.bed.keys.host(), "StrictModes no", "PidFile none"]
        own += ["LogLevel VERBOSE", "MaxStartups 1000", "PermitRootLogin prohibit-password"]
        if self.server == ADITD:
            own += ["PerSourcePenalties no"]
        else:
            lines = [line for line in lines if "PermitSession" not in line]
        path = self.bed.write("config.%d" % self.number(), "\n".join(own + lines) + "\n")
        argv = [self.server, "-D", "-e", "-f", path]
        return self.bed._serve("server", argv, ports[0], "ed25519", None, "127.0.0.1", None)


class Try:
    """A row, and where it is tried: a port, a key, the names in its texts."""

    def __init__(self, house, row, port):
        self.house, self.row, self.port = house, row, port
        self.listen, self.other = free_port(), free_port()
        self.key = str(house.bed.path("key.%d" % house.number()))
        self.path = str(house.bed.path("bound.%d" % house.number()))
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", self.key], check=True)
        if row.cert is not None:
            options = [word for option in row.cert for word in ("-O", option)]
            argv = ["ssh-keygen", "-q", "-s", house.ca, "-I", "row", "-n", USER] + options + [self.key + ".pub"]
            subprocess.run(argv, check=True)

    def fill(self, text):
        unit = 100 + self.listen % 100
        return text.format(open=self.house.echo.port, listen=self.listen, other=self.other, unit=unit)

    def authorized(self):
        return "%s %s" % (self.fill(self.row.key), pathlib.Path(self.key + ".pub").read_text())

    def words(self, *more):
        options = ["IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        options += ["GlobalKnownHostsFile=/dev/null", "ExitOnForwardFailure=no", "ForwardAgent=yes"]
        argv = ["/usr/bin/ssh", "-F", "none", "-p", str(self.port), "-i", self.key]
        return argv + [word for option in options for word in ("-o", option)] + list(more) + [USER + "@127.0.0.1"]

    def found(self):
        """What worked, by kind, and what ssh said."""
        local, unix, dynamic = free_port(), free_port(), free_port()
        target = "127.0.0.1:%d" % self.house.echo.port
        argv = self.words(
            "-v", "-N", "-L", "127.0.0.1:%d:%s" % (local, target), "-L", "127.0.0.1:%d:%s" % (unix, self.house.socket),
            "-D", "127.0.0.1:%d" % dynamic, "-R", "localhost:%d:%s" % (self.listen, target), "-R", "%s:%s" % (self.path, target),
            *(["-w", "any:any"] if IS_ROOT else []),
        )
        env = dict(os.environ, SSH_AUTH_SOCK=self.house.agent)
        ssh = self.house.bed.run(argv, name="ssh", env=env)
        answers = r"remote forward (success|failure) for: listen %s|remote port forwarding failed for listen (port|path) %s"
        ssh.wait_line(answers % (self.path, self.path))
        ssh.wait_line(answers % ("localhost:%d" % self.listen, self.listen))
        works = {
            "local": answers_hello(local),
            "local-unix": answers_hello(unix),
            "dynamic": answers_hello(dynamic, b"\x05\x01\x00", b"\x05\x01\x00\x01\x7f\x00\x00\x01" + self.house.echo.port.to_bytes(2, "big")),
            "remote": answers_hello(self.listen),
            "remote-unix": answers_hello(self.path),
        }
        if IS_ROOT:
            ssh.wait_line("ssh_tun_confirm: tunnel forward established")  # which is said after a failure, too
            works["tun"] = "Tunnel forwarding failed" not in ssh.err
        ssh.stop()
        done = subprocess.run(
            self.words() + ['test -S "$SSH_AUTH_SOCK" && echo agent; echo session'],
            capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=env,
        )
        works["session"] = "session" in done.stdout.split()
        works["agent"] = "agent" in done.stdout.split()
        return works, ssh.err + done.stderr


def answers_hello(where, *first):
    """Whether an echo answers there; SOCKS is spoken first."""
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    try:
        with socket.socket(family) as s:
            s.settimeout(20)
            s.connect(where if isinstance(where, str) else ("127.0.0.1", where))
            for step in first:
                s.sendall(step)
                if s.recv(10)[1:2] != b"\x00":
                    return False
            s.sendall(b"hello")
            return s.recv(5) == b"hello"
    except (ConnectionError, FileNotFoundError):
        return False


def tries_of(house):
    """Every row with a server that is up: global rows have one each, the others share."""
    tries = []
    open_all = "PermitTunnel yes"
    for lines, refuses in KEYWORDS:
        row = Row("globally: " + lines[0], refuses, lines)
        t = Try(house, row, free_port())
        keys = house.bed.write("authorized.%d" % house.number(), t.authorized())
        own = [t.fill(line) for line in lines]
        house.start([t.port], own + [open_all, "AuthorizedKeysFile " + keys])
        tries.append(t)
    # Match: the same switches, all by one server that tells rows apart by the port.
    shared = [Try(house, Row("Match: " + lines[0], refuses, lines), free_port()) for lines, refuses in KEYWORDS]
    shared.append(Try(house, Row("Match: what the whole file closes", set(), OPENED), free_port()))
    keys = house.bed.write("authorized.match", "".join(t.authorized() for t in shared))
    for some, base in ((shared[:12], [open_all]), (shared[12:-1], [open_all]), (shared[-1:], CLOSED)):
        text = base + ["AuthorizedKeysFile " + keys]
        for t in some:
            text += ["Match User %s LocalPort %d" % (USER, t.port)] + [t.fill(line) for line in t.row.lines]
        house.start([t.port for t in some], text)
    # Keys and certificates: one server, one key a row; and one where the file forbids whatever they say.
    port, closed = free_port(), free_port()
    rows = [Row("key: " + (key or "no options"), refuses, key=key) for key, refuses in KEYS]
    rows += [Row("certificate: " + (" ".join(cert) or "plain"), refuses, cert=cert) for cert, refuses in CERTIFICATES]
    several = [Try(house, row, port) for row in rows]
    over = [
        Try(house, Row("DisableForwarding over the key's port-forwarding", FORWARDS, key="restrict,port-forwarding,agent-forwarding"), closed),
        Try(house, Row("DisableForwarding over a certificate", FORWARDS, cert=[]), closed),
    ]
    keys = house.bed.write("authorized.keys", "".join(t.authorized() for t in several + over if t.row.cert is None))
    both = ["AuthorizedKeysFile " + keys, "TrustedUserCAKeys %s.pub" % house.ca, open_all]
    house.start([port], both)
    house.start([closed], both + ["DisableForwarding yes"])
    return tries + shared + several + over


def test_every_switch_meets_every_kind_of_forward(bed):
    house = House(bed)
    tries = tries_of(house)
    wrong, cells, refused = [], 0, 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for t, (works, said) in zip(tries, pool.map(Try.found, tries)):
            for kind in KINDS:
                if kind not in works:
                    continue
                cells += 1
                refused += kind in t.row.refuses
                if works[kind] == (kind in t.row.refuses):
                    wrong.append("%s: %s %s\n%s" % (t.row.name, kind, "works" if works[kind] else "is refused", said[-1500:]))
    print("%d cells: %d refused, %d permitted" % (cells, refused, cells - refused))
    assert not wrong, "%d of %d cells are wrong:\n%s" % (len(wrong), cells, "\n".join(wrong[:8]))
    assert cells == len(tries) * (len(KINDS) - (0 if IS_ROOT else 1))
    assert len(tries) == 2 * len(KEYWORDS) + 1 + len(KEYS) + len(CERTIFICATES) + 2
