"""AditConnections: several connections are one tunnel; each stream stays on its own, and what ends one
of them ends its streams alone.
"""

import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from bed import (
    ADIT, USER, Relay, Server, ask, connect, free_port, listening, receive_exactly, seeded_bytes, state_of, until)
from login_help import Account
from prompt_help import Askpass

pytestmark = pytest.mark.short
THREE = ("-o", "AditConnections=3")
PASSWORD = "a password of nobody"


class Wires(Relay):
    """A relay that knows its connections one by one, in the order in which they came. The first ones
    go to `ports`, where 0 turns one away; those behind them to to_port."""

    def __init__(self, to_port, ports):
        self.held, self.ports, self.came = set(), list(ports), 0
        super().__init__(to_port)

    def _serve(self, client):
        number, self.came = self.came, self.came + 1
        port = self.ports.pop(0) if self.ports else self.to_port
        if port == 0:
            return
        server = connect(port)
        server.settimeout(None)
        self.pairs.append((client, server))
        other = threading.Thread(target=self._pass, args=(server, client, number), daemon=True)
        other.start()
        self._pass(client, server, number)
        other.join()
        server.close()

    def _pass(self, source, sink, number):
        try:
            while True:
                piece = source.recv(65536)
                if not piece:
                    break
                while number in self.held:
                    threading.Event().wait(0.01)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut_one(self, number):
        for s in self.pairs[number]:
            with contextlib.suppress(OSError):  # the other may have gone over the first
                s.shutdown(socket.SHUT_RDWR)


class Tunnel:
    """adit with three connections through wires, and an echo behind its -L."""

    def __init__(self, bed, server, *args, count=3, ports=(), level="-v", **more):
        self.bed, self.server = bed, server
        self.wires = Wires(server.port, ports)
        bed.at_end(self.wires.close)
        self.port, self.echo = free_port(), bed.echo()
        through = Server(server.process, self.wires.port, server.host_kind, server.name)
        forward = ["-L", "127.0.0.1:%d:127.0.0.1:%d" % (self.port, self.echo.port)]
        self.adit = bed.adit(through, *forward, level, "-oAditConnections=%d" % count, *args, **more)

    def wait_up(self, *numbers):
        for number in numbers or (2, 3):
            self.adit.wait_line("Connection %d of 3 to .* is up" % number)
        return self

    def stream(self):
        s = connect(self.port)
        self.bed.at_end(s.close)
        assert echoed(s, b"begin")
        return s


@pytest.fixture
def tunnel(bed):
    return lambda *args, server=None, **more: Tunnel(bed, server or bed.aditd(), *args, **more)


def echoed(s, payload):
    s.sendall(payload)
    return receive_exactly(s, len(payload)) == payload


def is_over(s):
    """Whether the stream was cut: a reset, and no end that looks like one."""
    try:
        s.settimeout(20)
        return s.recv(1) == b"" and False
    except ConnectionResetError:
        return True


def links_of(server, count):
    """The ports of the connections that the first count streams went over, in their order."""
    pattern = r"forward kind=local .* from_port=(\d+) .*result=open"
    until(lambda: len(re.findall(pattern, server.log)) >= count, lambda: "%d streams: %s" % (count, server.log))
    return re.findall(pattern, server.log)


def test_streams_spread_evenly_and_stay(tunnel):
    t = tunnel().wait_up()
    streams = [t.stream() for _ in range(9)]
    used = links_of(t.server, 9)
    assert {used.count(port) for port in used} == {3} and len(set(used)) == 3
    assert all(echoed(s, seeded_bytes(i, 100000)) for i, s in enumerate(streams))
    for s, port in zip(streams, used):
        if port == used[0]:
            s.close()
    pattern = "result=closed"
    until(lambda: t.server.log.count(pattern) == 3, lambda: t.server.log)
    more = [t.stream() for _ in range(3)]  # to where there is room now
    assert links_of(t.server, 12)[9:] == [used[0]] * 3 and more


def test_what_is_cut_ends_its_streams_alone_and_comes_back(tunnel):
    t = tunnel().wait_up()
    streams = [t.stream() for _ in range(6)]
    used = links_of(t.server, 6)
    cut = sorted(set(used), key=int)[1]
    others = [s for s, port in zip(streams, used) if port != cut]
    payload = seeded_bytes(5, 4 << 20)
    got = {}

    def carry(s):
        got[s] = hashlib.sha256()
        left = len(payload)
        while left:
            piece = s.recv(min(left, 65536))
            assert piece
            got[s].update(piece)
            left -= len(piece)

    readers = [threading.Thread(target=carry, args=(s,)) for s in others]
    writers = [threading.Thread(target=s.sendall, args=(payload,)) for s in others]
    for thread in readers + writers:
        thread.start()
    t.wires.cut_one(1)  # the second that came; dialled one after the other
    for thread in readers + writers:
        thread.join(60)
    assert [got[s].hexdigest() for s in others] == [hashlib.sha256(payload).hexdigest()] * len(others)
    assert all(is_over(s) for s, port in zip(streams, used) if port == cut)
    t.adit.wait_line("Connection 2 of 3 to 127.0.0.1 was lost .*: the streams on it are cut, the others go on. It is dialled again.")
    t.adit.wait_line("Connection 2 of 3 to .* is up", count=2)
    assert all(echoed(t.stream(), b"new") for _ in range(3)) and t.wires.came == 4
    assert len(set(links_of(t.server, 9))) == 4


def test_the_end_of_the_first_is_the_end(tunnel):
    t = tunnel().wait_up()
    s = t.stream()
    t.wires.cut_one(0)
    assert t.adit.wait() == 255
    assert is_over(s) and not listening(t.port)
    assert "was lost" not in t.adit.err


def test_a_silent_one_is_noticed_and_the_others_go_on(tunnel):
    t = tunnel("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1").wait_up()
    streams = [t.stream() for _ in range(3)]
    t.wires.held.add(2)
    t.adit.wait_line("Connection 3 of 3 to .* was lost .Timeout")
    assert sum(not is_over_now(s) for s in streams) == 2
    t.adit.wait_line("Connection 3 of 3 to .* is up", count=2)


def is_over_now(s):
    try:
        return not echoed(s, b"there?")
    except (OSError, AssertionError):
        return True


def test_another_host_key_is_refused_and_learns_nothing(bed, tunnel):
    other = bed.aditd(host_kinds=("ecdsa256",))
    server = bed.aditd()
    t = tunnel(server=server, ports=[server.port, other.port])
    t.adit.wait_line("Connection 2 of 3 to 127.0.0.1 shows another host key than the first: it is refused")
    assert all(echoed(t.stream(), b"goes on") for _ in range(3))
    until(lambda: "Connection closed" in other.log or "Disconnect" in other.log or "closed by" in other.log, lambda: other.log)
    assert "Accepted" not in other.log and "Failed" not in other.log
    assert t.wires.came == 2 and "of 3 to 127.0.0.1 is up" not in t.adit.err


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_password_is_asked_for_once(bed, method):
    account = Account(bed, password=PASSWORD)
    is_plain = method == "password"
    options = {"PasswordAuthentication": "yes" if is_plain else "no", "KbdInteractiveAuthentication": "no" if is_plain else "yes"}
    server = bed.sshd(UsePAM="yes", **options)
    askpass = Askpass(bed, "wrong", PASSWORD)
    port = free_port()
    argv = [ADIT, "-F", "none", "-p", server.port, "-v", "-N", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (port, bed.echo().port)]
    argv += ["-o", "UserKnownHostsFile=" + bed.known_hosts(server), "-o", "GlobalKnownHostsFile=none", *THREE]
    adit = bed.run(argv + ["%s@127.0.0.1" % account.name], env=askpass.env, start_new_session=True)
    adit.wait_line("Connection 3 of 3 to .* is up")
    assert len(askpass.asked) == 2 and server.log.count("Accepted " + method) == 3
    assert ask(port) == b"hello"


def test_where_a_person_would_be_asked_it_goes_on_with_fewer(bed, tunnel):
    # the same machine by its key, and it wants a password now
    strict = bed.aditd(PubkeyAuthentication="no", PasswordAuthentication="yes")
    server = bed.aditd()
    t = tunnel(server=server, ports=[server.port, server.port, strict.port])
    t.adit.wait_line("Connection 3 of 3 to .*: the server wants a login that a person has to answer .*; no more are made, the tunnel goes on with 2.")
    assert all(echoed(t.stream(), b"goes on") for _ in range(4))
    assert t.wires.came == 3


def test_an_agent_signs_for_each_and_is_told_of_each(bed):
    """The key is for this host alone: the agent signs only over a connection that was bound to the
    very session that the signature is for."""
    path, server, port = str(bed.folder / "agent"), bed.aditd(), free_port()
    bed.run(["ssh-agent", "-D", "-a", path])
    until(lambda: os.path.exists(path), "the agent")
    env = dict(bed.env, SSH_AUTH_SOCK=path)
    known = bed.write("agents_known", "server " + bed.keys.public("host", server.host_kind) + "\n")
    subprocess.run(["ssh-add", "-q", "-H", known, "-h", "server", bed.keys.user()], check=True, env=env)
    argv = [ADIT, "-F", "none", "-p", server.port, "-v", "-N", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (port, bed.echo().port)]
    argv += ["-o", "UserKnownHostsFile=" + bed.known_hosts(server), "-o", "GlobalKnownHostsFile=none", *THREE]
    adit = bed.run(argv + [bed.login(server)], env=env)
    adit.wait_line("Connection 3 of 3 to .* is up")
    assert server.log.count("Accepted publickey") == 3 and adit.err.count("agent: session bound") == 1


def test_an_agent_that_asks_its_owner_is_not_waited_for_long(bed):
    path, server, port = str(bed.folder / "agent"), bed.aditd(), free_port()
    asked = bed.folder / "asked"
    once = bed.write("confirm", "#!/bin/sh\necho $$ >> %s\n[ $(wc -l < %s) = 1 ] && exit 0\nexec sleep 30\n" % (asked, asked), 0o700)
    agent_env = dict(bed.env, SSH_ASKPASS=once, SSH_ASKPASS_REQUIRE="force", DISPLAY=":9")
    bed.run(["ssh-agent", "-D", "-a", path], env=agent_env)
    until(lambda: os.path.exists(path), "the agent")
    env = dict(bed.env, SSH_AUTH_SOCK=path)
    subprocess.run(["ssh-add", "-q", "-c", bed.keys.user()], check=True, env=env)
    argv = [ADIT, "-F", "none", "-p", server.port, "-v", "-N", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (port, bed.echo().port)]
    argv += ["-o", "UserKnownHostsFile=" + bed.known_hosts(server), "-o", "GlobalKnownHostsFile=none", *THREE]
    adit = bed.run(argv + [bed.login(server)], env=env)
    adit.wait_line("Connection 2 of 3 to .*: the server wants a login that a person has to answer .*; no more are made, the tunnel goes on with 1.", 15)
    os.kill(int(asked.read_text().split()[1]), signal.SIGKILL)
    assert "the agent did not answer" in adit.err and ask(port) == b"hello"


def test_one_that_is_turned_away_is_tried_again_and_told_once(bed, tunnel):
    server = bed.aditd()
    t = tunnel(server=server, ports=[server.port, 0, 0]).wait_up()
    told = re.findall(r"Connection 2 of 3 to .* did not come about .*; it is tried again.", t.adit.err)
    assert len(told) == 2 and t.wires.came == 5  # the second at -v only
    quiet = tunnel(server=server, ports=[server.port, 0, 0], level="-T")
    until(lambda: quiet.wires.came == 5, "the tries")
    assert quiet.adit.err.count("did not come about") == 1


PASSER = """import array, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
out = socket.socket(fileno=1)
out.sendmsg([b"\\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
"""
RELAY = """import os, socket, sys, threading
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def up():
    while piece := os.read(0, 65536):
        s.sendall(piece)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while piece := s.recv(65536):
    os.write(1, piece)
"""


@pytest.mark.parametrize("way", ["command", "descriptor"])
def test_each_has_a_proxy_of_its_own(bed, way):
    server, port = bed.aditd(), free_port()
    runs = bed.folder / "runs"
    program = bed.write("proxy.py", RELAY if way == "command" else PASSER)
    script = bed.write("proxy", "#!/bin/sh\necho $$ >> %s\nexec /usr/bin/python3 %s $1\n" % (runs, program), 0o700)
    options = ["-o", "ProxyUseFdpass=%s" % ("yes" if way == "descriptor" else "no"), "-o", "ProxyCommand=%s %%p" % script]
    adit = bed.adit(server, "-v", *THREE, *options, "-L", "127.0.0.1:%d:127.0.0.1:%d" % (port, bed.echo().port))
    adit.wait_line("Connection 3 of 3 to .* is up")
    pids = [int(line) for line in runs.read_text().split()]
    assert len(pids) == 3 and [ask(port) for _ in range(3)] == [b"hello"] * 3
    if way == "command":
        os.kill(pids[1], signal.SIGKILL)
        adit.wait_line("Connection 2 of 3 to .* was lost")
        adit.wait_line("Connection 2 of 3 to .* is up", count=2)
    adit.signal(signal.SIGTERM)
    assert adit.wait() == 0
    until(lambda: all(state_of(int(line)) in (None, "Z") for line in runs.read_text().split()), "the proxies to end")


def test_hops_ask_nobody_again(bed):
    account = Account(bed, password=PASSWORD)
    bastion, server = bed.aditd(PasswordAuthentication="yes", KbdInteractiveAuthentication="no"), bed.aditd()
    askpass, port = Askpass(bed, PASSWORD, PASSWORD), free_port()
    text = "Host bastion\n HostName 127.0.0.1\n Port %d\n User %s\n IdentityFile none\n" % (bastion.port, account.name)
    text += "Host server\n HostName 127.0.0.1\n Port %d\n User %s\n IdentityFile %s\n" % (server.port, USER, bed.keys.user())
    text += "Host *\n UserKnownHostsFile %s\n GlobalKnownHostsFile none\n" % bed.known_hosts(bastion, server)
    argv = [ADIT, "-F", bed.write("conf", text), "-N", "-v", *THREE, "-J", "bastion", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (port, bed.echo().port), "server"]
    adit = bed.run(argv, env=askpass.env, start_new_session=True)
    adit.wait_line("Connection 2 of 3 to .* did not come about", count=2)
    assert len(askpass.asked) == 1 and ask(port) == b"hello"


def test_hops_of_each_are_run_anew(bed):
    bastion, server, port = bed.aditd(), bed.aditd(), free_port()
    text = "Host *\n User %s\n IdentityFile %s\n HostName 127.0.0.1\n UserKnownHostsFile %s\n GlobalKnownHostsFile none\n" % (
        USER, bed.keys.user(), bed.known_hosts(bastion, server))
    argv = [ADIT, "-F", bed.write("conf", text), "-N", "-v", *THREE, "-p", server.port, "-J", "bastion:%d" % bastion.port]
    adit = bed.run(argv + ["-L", "127.0.0.1:%d:127.0.0.1:%d" % (port, bed.echo().port), "server"])
    adit.wait_line("Connection 3 of 3 to .* is up")
    assert bastion.log.count("Accepted") == 3 == server.log.count("Accepted") and ask(port) == b"hello"


def test_a_command_alone_dials_once(bed):
    server = bed.aditd()
    argv = [ADIT] + bed.client_options(server) + [*THREE, bed.login(server), "echo one"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=bed.env)
    assert (done.stdout, done.returncode) == ("one\n", 0)
    assert server.log.count("Accepted") == 1


def test_a_signal_takes_leave_of_each(tunnel):
    t = tunnel().wait_up()
    t.adit.signal(signal.SIGTERM)
    assert t.adit.wait() == 0
    t.server.wait_log("Received disconnect .* disconnected by user", count=3)


def test_f_returns_and_the_tunnel_spreads(bed):
    server = bed.aditd()
    port, ctl = free_port(), str(bed.folder / "ctl")
    options = bed.client_options(server) + ["-S", ctl]
    argv = [ADIT, "-f", "-N", "-M", *THREE, "-o", "ExitOnForwardFailure=yes", "-D", "127.0.0.1:%d" % port]
    done = subprocess.run(argv + options + [bed.login(server)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, env=bed.env)
    assert done.returncode == 0, done.stderr

    def control(*words):
        argv = [ADIT] + options + ["-O"] + list(words) + [bed.login(server)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=bed.env)

    until(lambda: len(re.findall(r"connection \d of 3 tcp .* -> 127.0.0.1", control("conninfo").stdout)) == 3, "three connections")
    echo, late = bed.echo(), free_port()
    streams = [socks(port, echo.port) for _ in range(3)]
    assert all(echoed(s, b"by socks") for s in streams)
    shown = control("channels").stdout
    assert sum("direct-tcpip" in line for line in shown.splitlines()) == 3
    assert "(connection 2)" in shown and "(connection 3)" in shown
    for s in streams:
        s.close()
    assert control("forward", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (late, echo.port)).returncode == 0
    assert [ask(late) for _ in range(3)] == [b"hello"] * 3
    assert control("cancel", "-L", "127.0.0.1:%d:127.0.0.1:%d" % (late, echo.port)).returncode == 0
    assert not listening(late)
    assert control("exit").returncode == 0
    server.wait_log("Received disconnect", count=3)


def socks(port, target):
    s = connect(port)
    s.sendall(b"\x05\x01\x00")
    assert receive_exactly(s, 2) == b"\x05\x00"
    s.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + target.to_bytes(2, "big"))
    assert receive_exactly(s, 10)[:2] == b"\x05\x00"
    return s


def test_streams_of_a_master_s_clients_spread(bed):
    server = bed.aditd()
    ctl, echo = str(bed.folder / "ctl"), bed.echo()
    words = bed.client_options(server) + ["-S", ctl]
    master = bed.run([ADIT] + words + ["-M", "-N", "-v", *THREE, bed.login(server)])
    until(lambda: os.path.exists(ctl), lambda: master.err)
    argv = [ADIT] + words + ["-W", "127.0.0.1:%d" % echo.port, bed.login(server)]
    first = bed.run(argv, stdin=subprocess.PIPE)
    master.wait_line("Connection 3 of 3 to .* is up")
    second, third = (bed.run(argv, stdin=subprocess.PIPE) for _ in range(2))
    for client in (first, second, third):
        client.popen.stdin.write(b"x")
        client.popen.stdin.flush()
        until(lambda c=client: c.out == b"x", "the echo")
    assert len(set(links_of(server, 3))) == 3


def test_new_keys_for_each(tunnel):
    t = tunnel("-v", "-o", "RekeyLimit=1M").wait_up()
    streams = [t.stream() for _ in range(3)]
    payload = seeded_bytes(3, 1 << 18)
    for s in streams:
        for _ in range(8):
            assert echoed(s, payload)
    for name in ("connection 2: rekeyed", "connection 3: rekeyed", "debug1: rekeyed"):
        t.adit.wait_line(name)


@pytest.mark.parametrize("isolation", ["user", "key"])
def test_one_accounts_connections_are_served_by_as_many_workers_as_there_are_cores(bed, tunnel, isolation):
    cores = os.cpu_count()
    t = tunnel(server=bed.aditd(Isolation=isolation)).wait_up()
    streams = [t.stream() for _ in range(6)]
    workers = re.findall(r"aditd-work\[(\d+)\]: forward kind=local .*result=open", t.server.log)
    counts = sorted(workers.count(pid) for pid in set(workers))
    assert streams and len(counts) == min(3, cores)
    if cores == 2:
        assert counts == [2, 4]  # one has two of the connections


# ---- -R: visitors over all of them ----


class Shared:
    """adit as a master with three connections and one -R; what its -O conninfo says of them."""

    def __init__(self, bed, server, *args, listen="", port=None, options=None):
        self.bed, self.ctl = bed, str(bed.folder / "ctl")
        self.port, self.echo = port or free_port(), bed.echo()
        self.spec = "%s%d:127.0.0.1:%d" % (listen, self.port, self.echo.port)
        self.words = (options or bed.client_options(server)) + ["-S", self.ctl]
        self.end = [] if options else [bed.login(server)]
        argv = [ADIT] + self.words + ["-M", "-N", "-v", *THREE, "-R", self.spec, *args]
        self.adit = bed.run(argv + self.end)

    def wait_shared(self, times=2):
        self.adit.wait_line(r"remote port \d+ is shared by one more connection", count=times)
        return self

    def control(self, *words):
        argv = [ADIT] + self.words + ["-O"] + list(words) + self.end
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=self.bed.env)

    def loads(self):
        """How many channels each connection has."""
        return [int(n) for n in re.findall(r"connection \d of 3 tcp .*, (\d+) channels", self.control("conninfo").stdout)]

    def visitors(self, count, port=None):
        found = [connect(port or self.port) for _ in range(count)]
        for s in found:
            self.bed.at_end(s.close)
            assert echoed(s, b"a visitor")
        return found


VISITORS = 64  # that one of three gets none: 3 * (2/3)**64, once in sixty thousand million


@pytest.mark.parametrize("listen, gateway", [
    ("", "no"), ("127.0.0.1:", "no"), ("*:", "clientspecified"), ("", "yes"), ("0.0.0.0:", "clientspecified"), ("127.0.0.1:", "yes")])
def test_visitors_come_over_all(bed, listen, gateway):
    shared = Shared(bed, bed.aditd(GatewayPorts=gateway), listen=listen).wait_shared()
    visitors = shared.visitors(VISITORS)
    loads = shared.loads()
    assert len(loads) == 3 and sum(loads) == VISITORS and min(loads) > 0
    for s in visitors:
        s.close()
    assert shared.control("cancel", "-R", shared.spec).returncode == 0
    until(lambda: not listening(shared.port), "no connection to listen any more")


def test_a_port_that_the_server_chose_is_shared(bed):
    server = bed.aditd()
    shared = Shared(bed, server, "-R", "0:127.0.0.1:%d" % bed.echo().port).wait_shared(4)
    chosen = int(shared.adit.wait_line(r"Allocated port (\d+)")[1])
    shared.visitors(VISITORS, chosen)
    assert min(shared.loads()) > 0


def test_a_late_forward_is_shared_and_an_end_frees_the_port(bed):
    shared = Shared(bed, bed.aditd()).wait_shared()
    late = free_port()
    assert shared.control("forward", "-R", "%d:127.0.0.1:%d" % (late, shared.echo.port)).returncode == 0
    shared.wait_shared(4)
    shared.visitors(VISITORS, late)
    assert min(shared.loads()) > 0
    shared.adit.signal(signal.SIGTERM)
    assert shared.adit.wait() == 0
    until(lambda: not listening(late) and not listening(shared.port), "the ports to be free")


def test_one_that_was_lost_shares_again(bed):
    server = bed.aditd()
    wires = Wires(server.port, ())
    bed.at_end(wires.close)
    shared = Shared(bed, Server(server.process, wires.port, server.host_kind, server.name)).wait_shared()
    wires.cut_one(1)
    shared.adit.wait_line("Connection 2 of 3 to .* was lost")
    until(lambda: len(listening(shared.port)) > 0 and server.log.count("Connection closed by") + server.log.count("Disconnect") > 0, lambda: server.log)
    shared.visitors(8)  # over those that are left
    shared.wait_shared(3)
    shared.visitors(VISITORS)
    assert min(shared.loads()) > 0


def test_a_new_supervisor_knows_what_may_be_shared(bed):
    server = bed.aditd()
    wires = Wires(server.port, ())
    bed.at_end(wires.close)
    shared = Shared(bed, Server(server.process, wires.port, server.host_kind, server.name)).wait_shared()
    config = server.process.argv[server.process.argv.index("-f") + 1]
    server.process.signal(signal.SIGKILL)
    server.process.popen.wait(10)
    heir = bed.run([server.process.argv[0], "-D", "-e", "-f", config], name="aditd", start_new_session=True)
    heir.wait_line("Server listening")
    wires.cut_one(2)
    shared.wait_shared(3)
    shared.visitors(VISITORS)
    assert min(shared.loads()) > 0


def test_a_port_below_1024_is_shared_where_permitlisten_names_it(bed):
    account = Account(bed)
    account.authorize(open(bed.keys.user() + ".pub").read())
    port = free_privileged()
    server = bed.aditd(AuthorizedKeysFile=".ssh/authorized_keys", PermitListen=port)
    options = bed.client_options(server) + ["-l", account.name, "127.0.0.1"]
    shared = Shared(bed, server, port=port, options=options)
    shared.words, shared.end = options[:-1] + ["-S", shared.ctl], ["127.0.0.1"]
    shared.wait_shared().visitors(VISITORS)
    assert min(shared.loads()) > 0


def free_privileged():
    for port in range(1023, 600, -1):
        if not listening(port):
            return port
    pytest.skip("no free port below 1024")


def test_sockets_stay_on_the_first(bed):
    path = str(bed.folder / "remote.sock")
    adit = bed.adit(bed.aditd(), "-v", *THREE, "-R", "%s:127.0.0.1:%d" % (path, bed.echo().port))
    adit.wait_line("remote socket %s stays on the first connection: sockets are not shared" % path)
    assert "Connection 2 of 3" not in adit.err  # there is nothing that could go over it


# ---- tcpip-forward-join@adit, word by word ----


@pytest.fixture
def stranger(bed):
    """A client that says what it is told; its connections."""
    paramiko = pytest.importorskip("paramiko")

    def start(server, kind="ed25519"):
        t = paramiko.Transport(connect(server.port))
        bed.at_end(t.close)
        read = {"ed25519": paramiko.Ed25519Key, "ecdsa256": paramiko.ECDSAKey}[kind]
        t.connect(username=USER, pkey=read.from_private_key_file(bed.keys.user(kind)))
        return t

    return start


def listen_at(t, port, address="127.0.0.1"):
    return t.global_request("tcpip-forward", (address, port)) is not None


def join(t, session_id, port, address="127.0.0.1"):
    return t.global_request("tcpip-forward-join@adit", (session_id, address, port)) is not None


def test_only_the_same_login_with_the_right_identifier_joins(bed, stranger):
    server, port = bed.aditd(), free_port()
    first, second, other = stranger(server), stranger(server), stranger(server, "ecdsa256")
    assert not join(second, first.session_id, port)  # nobody listens there
    assert listen_at(first, port)
    assert not join(other, first.session_id, port)  # another key
    assert not join(second, second.session_id, port)
    assert not join(second, bytes(32), port)
    assert not join(second, first.session_id[:31], port)
    assert not join(second, first.session_id, port, "localhost")  # asked for as 127.0.0.1
    assert not join(second, first.session_id, 0)
    assert not join(second, b"", port) and not join(second, bytes(65), port)
    assert not listen_at(second, port)
    assert join(second, first.session_id, port)
    assert not join(second, first.session_id, port)  # it has it already
    assert not listen_at(other, port) and not listen_at(second, port)  # shared, and still taken
    assert "no other connection of this login has it" in server.log
    first.close()
    until(lambda: "Disconnected" in server.log or "Connection closed" in server.log, lambda: server.log)
    assert listening(port)  # the second's own
    second.close()
    until(lambda: not listening(port), "the port to be free")


def test_a_join_is_answered_though_the_holder_never_does(bed, stranger):
    server, port, box = bed.aditd(Isolation="connection"), free_port(), {}
    first, second = stranger(server), stranger(server)
    assert listen_at(first, port)
    server.wait_log(r"aditd-work\[\d+\]: forward kind=remote .*result=open")
    holder = int(re.search(r"aditd-work\[(\d+)\]: forward kind=remote .*result=open", server.log)[1])
    os.kill(holder, signal.SIGSTOP)
    asker = threading.Thread(target=lambda: box.update(joined=join(second, first.session_id, port)))
    asker.start()
    os.kill(holder, signal.SIGKILL)
    asker.join(20)
    assert box == {"joined": False}
    assert listen_at(second, port)  # it goes on, and what died is free


def test_a_join_is_asked_about_as_a_listener_of_its_own(bed, stranger):
    port, forbidden = free_port(), free_port()
    server = bed.aditd(PermitListen=port)
    first, second = stranger(server), stranger(server)
    assert listen_at(first, port) and not listen_at(first, forbidden)
    assert not join(second, first.session_id, forbidden)
    assert join(second, first.session_id, port)
    bed.write(os.path.basename(server.process.argv[server.process.argv.index("-f") + 1]),
              open(server.process.argv[server.process.argv.index("-f") + 1]).read().replace("PermitListen %d" % port, "PermitListen none"))
    server.process.signal(signal.SIGHUP)
    until(lambda: not listening(port), "both to end")


def test_a_cancelled_join_leaves_nothing(bed, stranger):
    server, port = bed.aditd(), free_port()
    first, second = stranger(server), stranger(server)
    assert listen_at(first, port)
    for _ in range(20):  # one behind the other, without waiting for an answer
        second.global_request("tcpip-forward-join@adit", (first.session_id, "127.0.0.1", port), wait=False)
        second.global_request("cancel-tcpip-forward", ("127.0.0.1", port), wait=False)
    assert second.global_request("cancel-tcpip-forward", ("127.0.0.1", port)) is None  # answered behind them all
    assert first.global_request("cancel-tcpip-forward", ("127.0.0.1", port)) is not None
    until(lambda: not listening(port), "what was on its way to be closed")
    assert listen_at(first, port)
