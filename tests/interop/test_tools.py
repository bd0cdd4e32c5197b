"""adit where programs expect ssh: what starts a client by ssh's command line and lives on its exit
status, its streams and its words. Server and client are on two hosts where that can be (root).

    left (the program, adit) 10.83.N.1 ---- veth ---- 10.83.N.2 right (sshd or aditd, targets)
"""

import shlex
import signal
import subprocess

import pytest

import bed as b
from peers import start_server

SIZE = 3 << 20
SFTP = "sftp /usr/lib/openssh/sftp-server"
SERVERS = pytest.mark.parametrize("name", ["sshd", "aditd"])
INSIDE = "10.99.7.0/24"  # a network that only the right host has


@pytest.fixture
def server(bed, place, name):
    return start_server(bed, place, name, Subsystem=SFTP)


@pytest.fixture
def host(bed, server):
    """A Host block for the server in ~/.ssh/config, as users have it; its name."""
    lines = ["Host peer", "HostName " + server.address, "Port %d" % server.port, "User " + b.USER,
             "IdentityFile " + bed.keys.user(), "IdentitiesOnly yes", "BatchMode yes",
             "UserKnownHostsFile " + bed.known_hosts(server), "GlobalKnownHostsFile none"]
    bed.write("home/.ssh/config", "\n".join(lines) + "\n")
    return "peer"


def on_left(place, argv):
    inside = ["ip", "netns", "exec", place.left] if place.left else []
    return inside + [str(word) for word in argv]


def succeed(bed, place, argv, **more):
    argv = on_left(place, argv)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=bed.env, **more)
    assert done.returncode == 0, "%s\n%s%s" % (shlex.join(argv), done.stdout, done.stderr)
    return done.stdout


def make_tree(bed):
    """Many small files, a big one, and names that a shell would read."""
    tree = bed.path("tree")
    (tree / "deep").mkdir(parents=True)
    for i in range(40):
        (tree / "deep" / ("file %d" % i)).write_bytes(b.seeded_bytes(i, 3000 * i))
    (tree / "a 'quoted' $(name)").write_bytes(b"x")
    (tree / "big").write_bytes(b.seeded_bytes(9, SIZE))
    return tree


# ---- files ----


@SERVERS
def test_rsync_sends_and_fetches_a_tree(bed, place, host):
    tree, there, back = make_tree(bed), bed.path("there"), bed.path("back")
    copy = ["rsync", "-a", "--checksum", "-e", b.ADIT]
    succeed(bed, place, copy + ["%s/" % tree, "%s:%s/" % (host, there)])
    succeed(bed, place, copy + ["%s:%s/" % (host, there), "%s/" % back])
    succeed(bed, place, ["diff", "-r", tree, there])
    succeed(bed, place, ["diff", "-r", tree, back])
    assert succeed(bed, place, copy + ["-n", "-i", "%s/" % tree, "%s:%s/" % (host, there)]) == ""


@SERVERS
def test_git_pushes_clones_and_fetches(bed, place, host):
    bed.env.update(GIT_SSH=b.ADIT, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null",
                   GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@b")
    there, here, clone = bed.path("there.git"), bed.path("here"), bed.path("clone")
    url = "%s:%s" % (host, there)

    def git(*words, cwd=None):
        return succeed(bed, place, ["git"] + list(words), cwd=cwd)

    def commit(name, data):
        (here / name).write_bytes(data)
        git("add", name, cwd=here)
        git("commit", "-qm", name, cwd=here)
        git("push", "-q", url, "HEAD:refs/heads/main", cwd=here)

    git("init", "-q", "--bare", "-b", "main", str(there))
    git("init", "-q", "-b", "main", str(here))
    commit("one", b.seeded_bytes(1, SIZE))
    git("clone", "-q", url, str(clone))
    assert (clone / "one").read_bytes() == (here / "one").read_bytes()
    commit("two", b.seeded_bytes(2, SIZE))
    git("pull", "-q", cwd=clone)
    assert (clone / "two").read_bytes() == (here / "two").read_bytes()


@SERVERS
def test_git_gives_port_and_protocol_by_options(bed, place, server, host):
    """ssh://host:port makes git ask what kind of ssh this is; it calls with -p and -o SendEnv."""
    bed.env.update(GIT_SSH=b.ADIT, GIT_TRACE="1", GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null")
    there = bed.path("there.git")
    succeed(bed, place, ["git", "init", "-q", "--bare", there])
    argv = on_left(place, ["git", "ls-remote", "ssh://%s:%d%s" % (host, server.port, there)])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=bed.env)
    assert done.returncode == 0, done.stderr
    assert "-p %d" % server.port in done.stderr and "SendEnv=GIT_PROTOCOL" in done.stderr


@SERVERS
def test_sftp_puts_and_gets(bed, place, host):
    tree, there, back = make_tree(bed), bed.path("there"), bed.path("back")
    batch = bed.write("batch", "put -R %s %s\nget -R %s %s\n" % (tree, there, there, back))
    succeed(bed, place, ["sftp", "-S", b.ADIT, "-b", batch, host])
    succeed(bed, place, ["diff", "-r", tree, there])
    succeed(bed, place, ["diff", "-r", tree, back])


@SERVERS
@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp_copies_each_way(bed, place, host, protocol):
    tree, there, back = make_tree(bed), bed.path("there"), bed.path("back")
    copy = ["scp", "-q", "-r", protocol, "-S", b.ADIT]
    succeed(bed, place, copy + [tree, "%s:%s" % (host, there)])
    succeed(bed, place, copy + ["%s:%s" % (host, there), back])
    succeed(bed, place, ["diff", "-r", tree, there])
    succeed(bed, place, ["diff", "-r", tree, back])


@SERVERS
def test_scp_copies_from_server_to_server_through_here(bed, place, host):
    original, there = bed.path("original"), bed.path("there")
    original.write_bytes(b.seeded_bytes(9, SIZE))
    succeed(bed, place, ["scp", "-q", "-3", "-S", b.ADIT, "%s:%s" % (host, original), "%s:%s" % (host, there)])
    assert there.read_bytes() == original.read_bytes()


# ---- networks ----


def page(s):
    s.recv(4096)
    s.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + b.seeded_bytes(6, SIZE))


@SERVERS
def test_curl_reaches_a_name_of_the_other_side_through_d(bed, place, server, host):
    with place.inside(place.right):
        web = bed.target(page)
    port = b.free_port()
    adit = bed.run([b.ADIT, "-N", "-D", str(port), host], name="adit", netns=place.left)
    b.wait_listen(adit, port, place.left)
    got = bed.path("page")
    fetch = ["curl", "-sS", "--max-time", "60", "--socks5-hostname", "localhost:%d" % port, "-o", got]
    succeed(bed, place, fetch + ["http://localhost:%d/" % web.port])
    assert got.read_bytes() == b.seeded_bytes(6, SIZE)


def rules_of(place):
    argv = on_left(place, ["iptables", "-w", "-t", "nat", "-S"])
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@SERVERS
def test_sshuttle_brings_a_network_of_the_other_side_here(bed, two_hosts, place, server, host):
    """Both networks' TCP is caught by rules of the firewall; a Python program comes to the server
    through adit's standard input. Nobody answers at the gateway that left would send to."""
    two_hosts.ip(place.right, "addr", "add", "10.99.7.1/32", "dev", "lo")
    two_hosts.ip(place.left, "route", "add", INSIDE, "via", two_hosts.left_address.rsplit(".", 1)[0] + ".77")
    both = b.BothWays(SIZE)
    with place.inside(place.right):
        target = bed.target(both, address="10.99.7.1")
    argv = ["sshuttle", "-v", "--method", "nat", "--disable-ipv6", "-e", b.ADIT, "-r", host, INSIDE]
    sshuttle = bed.run(argv, netns=place.left)
    sshuttle.wait_line("Connected to server")
    b.until(lambda: "REDIRECT" in rules_of(place), lambda: "its rules; it said:\n" + sshuttle.err)
    with place.inside(place.left):
        sent = b.exchange(("10.99.7.1", target.port), SIZE)
    b.until(lambda: both.results, "the target to see the end")
    assert both.results == [(sent, SIZE)]
    assert target.visits[0][0] != two_hosts.left_address, "the visitor did not come through the tunnel"
    sshuttle.signal(signal.SIGTERM)
    sshuttle.wait()
    assert "sshuttle" not in rules_of(place)


# ---- autossh: a client that is started again ----


class Watched:
    """autossh on the left, a connection that can be cut or held, and a forward to an echo on the right."""

    def __init__(self, bed, place, server, monitor):
        with place.inside(place.right):
            echo = bed.echo()
        with place.inside(place.left):
            self.relay = bed.relay((server.address, server.port))
        near = b.Server(server.process, self.relay.port, server.host_kind, server.name)
        self.place, self.port = place, b.free_port()
        argv = ["autossh", "-M", str(monitor)] + bed.client_options(near)
        argv += ["-N", "-o", "ExitOnForwardFailure=yes"]
        argv += ["-L", "127.0.0.1:%d:127.0.0.1:%d" % (self.port, echo.port), bed.login(near)]
        env = dict(bed.env, AUTOSSH_PATH=b.ADIT, AUTOSSH_GATETIME="0", AUTOSSH_DEBUG="1", AUTOSSH_POLL="2",
                   AUTOSSH_FIRST_POLL="2")
        self.autossh = bed.run(argv, netns=place.left, env=env)
        self.wait_works()

    def clients(self):
        return [child for child in b.children_of(self.autossh.pid) if b.name_of(child) == "adit"]

    def wait_works(self):
        b.wait_listen(self.autossh, self.port, self.place.left)
        with self.place.inside(self.place.left):
            assert b.ask(self.port) == b"hello"

    def wait_next(self, before):
        """Another adit than before, whose forward works."""
        def is_other():
            assert self.autossh.is_alive(), self.autossh.err
            return set(self.clients()) - set(before)

        b.until(is_other, lambda: "autossh to start adit again; it said:\n" + self.autossh.err, 60)
        b.until(lambda: not any(b.state_of(pid) for pid in before), "the adit of before to be gone", 60)
        self.wait_works()


@SERVERS
def test_autossh_starts_adit_again_when_the_connection_is_cut(bed, place, server):
    """-M 0: it lives on the exit status, 255, alone."""
    watched = Watched(bed, place, server, 0)
    before = watched.clients()
    watched.relay.cut()
    watched.wait_next(before)
    watched.autossh.wait_line("ssh exited with error status 255; restarting ssh")


@SERVERS
def test_autossh_s_monitor_sees_a_silent_connection_and_starts_adit_again(bed, two_hosts, place, server):
    """-M PORT: a loop of a -L and a -R of its own, both at PORT; nothing ends, but nothing passes."""
    watched = Watched(bed, place, server, 20000)
    watched.autossh.wait_line("connection ok")
    before = watched.clients()
    watched.relay.is_held.set()
    watched.autossh.wait_line("timeout polling", 60)
    b.until(lambda: not any(b.state_of(pid) for pid in before), "autossh to end the silent adit", 60)
    watched.relay.cut()
    watched.relay.is_held.clear()
    watched.wait_next(before)
    watched.autossh.wait_line("connection ok", 60, count=2)


@SERVERS
def test_autossh_ends_where_the_first_login_fails_at_once(bed, place, server):
    """Its gate time: a first connection that fails at once is no reason to try for ever."""
    options = bed.client_options(server)
    options[options.index("-i") + 1] = bed.path("no such key")
    argv = ["autossh", "-M", "0"] + options + ["-N", bed.login(server)]
    env = dict(bed.env, AUTOSSH_PATH=b.ADIT, AUTOSSH_DEBUG="1", AUTOSSH_GATETIME="30")
    autossh = bed.run(argv, netns=place.left, env=env)
    assert autossh.wait() == 1
    assert "ssh exited prematurely with status 255; autossh exiting" in autossh.err
