"""The two documents that the project grew from, word for word, as far as one machine can show them:
"another host" is a network namespace, the user's own ~/.ssh is a home of the test's.
"""

import os
import pathlib
import re
import signal
import subprocess
import tempfile

import pytest

import bed as b
from bed import ADIT, USER, ask, free_port, listening, until, wait_listen


class House:
    """A laptop (left) and a rented server (right) with a name, aditd on it, and a login."""

    def __init__(self, bed, hosts, **options):
        self.bed, self.hosts = bed, hosts
        self.server = bed.aditd(netns=hosts.right, address=hosts.right_address, **options)
        self.names("vps")

    def names(self, name, extra=""):
        """~/.ssh with the key and the known host, so that the command lines stay the documents'."""
        self.name = name
        bed, ssh = self.bed, self.bed.home / ".ssh"
        known = "[%s]:%d %s\n" % (self.server.address, self.server.port, bed.keys.public("host", "ed25519"))
        (ssh / "known_hosts").write_text(known)
        (ssh / "id_ed25519").write_text(open(bed.keys.user()).read())
        os.chmod(ssh / "id_ed25519", 0o600)
        (ssh / "config").write_text(
            "Host %s\n  HostName %s\n  BatchMode yes\n  GlobalKnownHostsFile none\n%s" % (name, self.server.address, extra)
        )

    def adit(self, words, netns=None):
        """What the document types after "ssh", on the laptop."""
        # The person at the laptop has a terminal and types nothing.
        return self.bed.run([ADIT] + words.split(), netns=netns or self.hosts.left, stdin=subprocess.PIPE)

    def curl(self, where, url):
        words = ["ip", "netns", "exec", where, "curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", url]
        return subprocess.run(words, capture_output=True, text=True, env=self.bed.env).stdout

    def ss(self, port):
        words = ["ip", "netns", "exec", self.hosts.right, "ss", "-Hltn", "sport", "= :%d" % port]
        return subprocess.run(words, capture_output=True, text=True).stdout


def http_server(bed, hosts, port):
    """cd cloud-atlas/build/html; python3 -m http.server 20080"""
    html = bed.path("cloud-atlas/build/html")
    html.mkdir(parents=True)
    (html / "index.html").write_text("<title>Cloud Atlas</title>")
    server = bed.run(["/usr/bin/python3", "-m", "http.server", str(port)], netns=hosts.left, cwd=html)
    wait_listen(server, port, hosts.left)


@pytest.mark.parametrize(
    "gateway,expected,from_outside",
    [("no", {"127.0.0.1", "::1"}, "000"), ("yes", {"0.0.0.0", "::"}, "200"), ("clientspecified", {"127.0.0.1", "::1"}, "000")],
)
def test_http_server_shown_by_R_under_each_gatewayports(bed, two_hosts, gateway, expected, from_outside):
    house = House(bed, two_hosts, GatewayPorts=gateway)
    http_server(bed, two_hosts, 20080)
    adit = house.adit("-R 20080:localhost:20080 %s@vps -p %d" % (USER, house.server.port))
    wait_listen(adit, 20080, two_hosts.right)
    found = listening(20080, two_hosts.right)
    b.keep_evidence("seed-http-%s.log" % gateway, house.ss(20080) + adit.err)
    assert ({"0.0.0.0", "::"} if found == {"*"} else found) == expected
    assert house.curl(two_hosts.right, "http://127.0.0.1:20080/") == "200"
    assert house.curl(two_hosts.right, "http://[::1]:20080/") == "200"
    assert house.curl(two_hosts.left, "http://%s:20080/" % two_hosts.right_address) == from_outside
    assert adit.is_alive()  # the documents give no -N: a shell is there beside the forward


def test_clientspecified_with_an_address_is_reached_from_outside(bed, two_hosts):
    house = House(bed, two_hosts, GatewayPorts="clientspecified")
    http_server(bed, two_hosts, 20080)
    adit = house.adit("-R *:20080:localhost:20080 %s@vps -p %d" % (USER, house.server.port))
    wait_listen(adit, 20080, two_hosts.right)
    assert house.curl(two_hosts.left, "http://%s:20080/" % two_hosts.right_address) == "200"


def test_an_address_under_gatewayports_no_is_the_documents_riddle_and_is_answered(bed, two_hosts):
    house = House(bed, two_hosts, GatewayPorts="no")
    http_server(bed, two_hosts, 20080)
    words = "-R %s:20080:localhost:20080 %s@vps -p %d" % (two_hosts.right_address, USER, house.server.port)
    adit = house.adit(words)
    adit.wait_line("20080 is open on the server's loopback only \\(GatewayPorts no there\\)")
    assert listening(20080, two_hosts.right) == {"127.0.0.1", "::1"}


def test_two_remoteforwards_in_a_host_block_with_chinese_comments(bed, two_hosts):
    house = House(bed, two_hosts)
    http_server(bed, two_hosts, 20080)
    house.names(
        "cloud-atlas",
        "  Port %d\n  User %s\n  # 远程端口转发：网页\n  RemoteForward 20080 localhost:20080\n"
        "  # 第二个端口，同一条连接\n  RemoteForward 20443 localhost:20080\n  IdentitiesOnly yes\n"
        "  ServerAliveInterval 30\n" % (house.server.port, USER),
    )
    adit = house.adit("cloud-atlas")
    for port in (20080, 20443):
        wait_listen(adit, port, two_hosts.right)
        assert house.curl(two_hosts.right, "http://127.0.0.1:%d/" % port) == "200"


def test_the_jump_by_fNgL(bed, two_hosts):
    """ssh -fNgL 3426:remote:22 root@remote -o ServerAliveInterval=30, then ssh to port 3426."""
    house = House(bed, two_hosts)
    inner = bed.sshd(netns=two_hosts.right)  # reachable on the server's own loopback only
    words = "-fNgL 3426:127.0.0.1:%d %s@vps -p %d -o ServerAliveInterval=30" % (inner.port, USER, house.server.port)
    parent = house.adit(words)
    assert parent.wait() == 0, parent.err
    for pid in subprocess.run(["ip", "netns", "pids", two_hosts.left], capture_output=True, text=True).stdout.split():
        bed.adopt(int(pid))
    until(lambda: listening(3426, two_hosts.left), "the jump's port")
    assert listening(3426, two_hosts.left) in ({"0.0.0.0", "::"}, {"*"})
    known = bed.write("known", "[127.0.0.1]:3426 %s\n" % bed.keys.public("host", "ed25519"))
    ssh = ["ip", "netns", "exec", two_hosts.left, "ssh", "-F", "none", "-p", "3426", "-i", bed.keys.user(),
           "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=" + known, "%s@127.0.0.1" % USER, "echo", "arrived"]
    done = subprocess.run(ssh, capture_output=True, text=True, timeout=30, env=bed.env)
    assert done.stdout == "arrived\n", done.stderr


class Database:
    """A real MariaDB on loopback of one host."""

    def __init__(self, bed, netns):
        self.bed = bed
        # Its socket's path must be short, and its own account must reach the folder.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="adit-db-"))
        bed.at_end(lambda: subprocess.run(["rm", "-rf", str(self.folder)]))
        data, socket_path = self.folder / "data", self.folder / "s"
        self.port = free_port()
        init = self.folder / "init.sql"
        init.write_text(
            "CREATE DATABASE seed;\n"  # one statement a line is what an init file may hold
            "CREATE TABLE seed.t (n INT, text VARCHAR(20) CHARACTER SET utf8mb4);\n"
            "SET NAMES utf8mb4;\n"
            "INSERT INTO seed.t VALUES (42, '隧道');\n"
            "CREATE USER 'visitor'@'%' IDENTIFIED BY 'secret';\n"
            "GRANT SELECT ON seed.* TO 'visitor'@'%';\n"
        )
        user = ["--user=root"] if b.IS_ROOT else []
        made = subprocess.run(
            ["mariadb-install-db", "--no-defaults", "--datadir=%s" % data, "--auth-root-authentication-method=normal",
             "--skip-test-db"] + user, capture_output=True, text=True, env=bed.env,
        )
        assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
        server = bed.run(
            ["mariadbd", "--no-defaults", "--datadir=%s" % data, "--socket=%s" % socket_path, "--port=%d" % self.port,
             "--bind-address=127.0.0.1", "--pid-file=%s" % (self.folder / "pid"), "--init-file=%s" % init,
             "--skip-name-resolve", "--innodb-buffer-pool-size=16M"] + user, netns=netns,
        )
        until(lambda: "ready for connections" in server.err or not server.is_alive(), "the database", 60)
        assert server.is_alive(), server.err[-2000:]

    def ask(self, netns, port):
        words = ["ip", "netns", "exec", netns, "mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", str(port), "-u", "visitor",
                 "-psecret", "--default-character-set=utf8mb4", "-N", "-B", "-e", "SELECT n, text FROM seed.t"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, env=self.bed.env)
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_a_database_that_only_the_server_reaches_by_L(bed, two_hosts):
    """ssh -L 4406:remote-host:3306 user@remote-host -p 2426, and the same for this machine only"""
    house, database = House(bed, two_hosts), Database(bed, two_hosts.right)
    for bind, expected in (("", {"127.0.0.1", "::1"}), ("127.0.0.1:", {"127.0.0.1"})):
        words = "-L %s4406:127.0.0.1:%d %s@vps -p %d" % (bind, database.port, USER, house.server.port)
        adit = house.adit(words)
        wait_listen(adit, 4406, two_hosts.left)
        assert listening(4406, two_hosts.left) == expected
        assert database.ask(two_hosts.left, 4406) == "42\t隧道\n"
        adit.stop()
        until(lambda: not listening(4406, two_hosts.left), "the port to be free")


def test_an_inside_database_at_the_servers_port_by_R(bed, two_hosts):
    """ssh -R 5506:localhost:3306 remote-host: the local user's name, the port from the config"""
    house, database = House(bed, two_hosts), Database(bed, two_hosts.left)
    house.names("remote-host", "  Port %d\n" % house.server.port)
    adit = house.adit("-R 5506:localhost:%d remote-host" % database.port)
    wait_listen(adit, 5506, two_hosts.right)
    assert database.ask(two_hosts.right, 5506) == "42\t隧道\n"


def test_fNgR_in_the_background_with_an_option_behind(bed, two_hosts):
    """ssh -fNgR 5506:localhost:3306 remote-host -o ServerAliveInterval=30"""
    house = House(bed, two_hosts)
    house.names("remote-host", "  Port %d\n" % house.server.port)
    with two_hosts.inside(two_hosts.left):
        echo = bed.echo()
    before = set(subprocess.run(["ip", "netns", "pids", two_hosts.left], capture_output=True, text=True).stdout.split())
    parent = house.adit("-fNgR 5506:localhost:%d remote-host -o ServerAliveInterval=30" % echo.port)
    assert parent.wait() == 0, parent.err
    after = set(subprocess.run(["ip", "netns", "pids", two_hosts.left], capture_output=True, text=True).stdout.split())
    (pid,) = [int(p) for p in after - before]
    bed.adopt(pid)
    until(lambda: listening(5506, two_hosts.right), "the server's port")
    with two_hosts.inside(two_hosts.right):
        assert ask(5506) == b"hello"
    os.kill(pid, signal.SIGTERM)
    until(lambda: not listening(5506, two_hosts.right), "the forward to go with the client")


def test_forwards_are_forbidden_as_the_document_says(bed, two_hosts):
    house = House(bed, two_hosts, AllowTcpForwarding="no", AllowStreamLocalForwarding="no", GatewayPorts="no", PermitTunnel="no")
    adit = house.adit("-R 5506:localhost:3306 %s@vps -p %d" % (USER, house.server.port))
    adit.wait_line("remote port forwarding failed for listen port 5506")
    assert re.search("AllowTcpForwarding", adit.err)
