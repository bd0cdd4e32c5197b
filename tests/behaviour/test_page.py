"""The page of a user's forwards, where PermitSession no switched shells off: what people see move."""

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

from bed import USER, ask, connect, free_port, serving, until, wait_listen

pytestmark = pytest.mark.short

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Screen:
    """What a terminal of that size shows, of the little that the page may use; anything else fails."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.lines, self.row, self.column, self.rest = [""], 0, 0, ""

    def feed(self, data):
        text = self.rest + data.decode("ascii")
        self.rest = ""
        while text:
            if text[0] == "\x1b":
                found = re.match(r"\x1b\[(\d*)([AKJ])", text)
                if not found:
                    assert re.fullmatch(r"\x1b(\[\d*)?", text), "a sequence that is none of the page's: %r" % text[:20]
                    self.rest = text
                    return
                self.steer(int(found[1] or 1), found[2])
                text = text[found.end() :]
                continue
            self.put(text[0])
            text = text[1:]

    def steer(self, number, what):
        if what == "A":
            assert number <= self.row, "above the first row"
            self.row -= number
        else:
            self.lines[self.row] = self.lines[self.row][: self.column]
            if what == "J":
                del self.lines[self.row + 1 :]

    def put(self, letter):
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1
            assert self.column < self.columns, "a line that wraps: %r" % self.lines[self.row]

    @property
    def text(self):
        return "\n".join(self.lines)


class Terminal:
    """A client with a terminal of its own, and what that shows."""

    def __init__(self, bed, argv, size=(24, 80), env=None):
        self.leader, follower = pty.openpty()
        self.screen = Screen(*size)
        self.resize(*size)
        self.before = termios.tcgetattr(self.leader)
        self.process = bed.run(argv, stdin=follower, stdout=follower, start_new_session=True, env=env or {**bed.env, "TERM": "xterm"})
        os.close(follower)
        os.set_blocking(self.leader, False)
        bed.at_end(lambda: os.close(self.leader))
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        try:
            data = os.read(self.leader, 1 << 16)
        except OSError:
            return ""
        self.seen += data
        self.screen.feed(data)
        return self.screen.text

    def wait_for(self, pattern):
        def look():
            self.read()
            return re.search(pattern, self.screen.text)

        return until(look, lambda: "%r; it shows\n%s\n%s" % (pattern, self.screen.text, self.process.err))

    def type(self, text):
        os.write(self.leader, text)


def size_of(text):
    number, unit = text.split()
    return float(number) * UNITS[unit]


def ssh_words(bed, server, *more):
    return ["/usr/bin/ssh"] + bed.client_options(server) + ["-o", "LogLevel=ERROR"] + list(more)


def there_and_back(visitor, data):
    visitor.sendall(data)
    left = len(data)
    while left:
        left -= len(visitor.recv(left))


def start(bed, size=(24, 80)):
    server, port = bed.aditd(PermitSession="no"), free_port()
    forward = "%d:127.0.0.1:%d" % (port, bed.echo().port)
    terminal = Terminal(bed, ssh_words(bed, server, "-tt", "-R", forward, bed.login(server)), size)
    wait_listen(terminal.process, port)
    return server, port, terminal


def test_the_page_says_what_is_bound_and_its_numbers_move(bed):
    _, port, terminal = start(bed)
    terminal.wait_for(r"127\.0\.0\.1:%d and \[::1\]:%d, this machine only" % (port, port))
    terminal.wait_for("0 open, 0 in all   sent 0 B   received 0 B")
    with connect(port) as visitor:
        there_and_back(visitor, b"x" * 3000)
        terminal.wait_for(r"1 open, 1 in all   sent 2\.9 KiB.*   received 2\.9 KiB")
    assert ask(port) == b"hello"
    terminal.wait_for("0 open, 2 in all   sent 2.9 KiB   received 2.9 KiB")
    assert terminal.screen.text.count("in all") == 1  # drawn over, not below


def test_bytes_and_the_rate_show_while_a_transfer_runs(bed):
    """The connection stays open: what is counted at its end only would stay 0."""
    _, port, terminal = start(bed)
    with connect(port) as visitor:
        visitor.settimeout(30)

        def push():
            there_and_back(visitor, b"x" * (1 << 16))
            terminal.read()
            return re.search(r"1 open, 1 in all   sent (\S+ \w+), \S+ \w+/s   received (\S+ \w+), ", terminal.screen.text)

        first = until(push, lambda: terminal.screen.text)
        many = size_of(first[1])
        until(lambda: size_of(push()[1]) > 2 * many, lambda: terminal.screen.text)
    terminal.wait_for(r"0 open, 1 in all   sent \S+ \w+   received \S+ \w+\n")  # quiet: no rate


def test_everybody_can_reach_is_said(bed):
    server, port = bed.aditd(PermitSession="no", GatewayPorts="clientspecified"), free_port()
    argv = ssh_words(bed, server, "-tt", "-R", "0.0.0.0:%d:127.0.0.1:9" % port, bed.login(server))
    Terminal(bed, argv).wait_for(r"0\.0\.0\.0:%d, anyone who reaches this host" % port)


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_a_key_ends_it_with_status_0_and_a_clean_screen(bed, key):
    server, port, terminal = start(bed)
    terminal.wait_for("in all")
    terminal.type(key)
    assert terminal.process.wait() == 0
    terminal.read()
    assert terminal.screen.text.strip() == ""
    assert termios.tcgetattr(terminal.leader) == terminal.before
    server.wait_log("Disconnected from user|Connection closed by user")


def test_who_ends_it_is_told_that_ssh_waits_for_open_connections(bed):
    _, port, terminal = start(bed)
    with connect(port) as visitor:
        there_and_back(visitor, b"x")
        terminal.wait_for("1 open")
        terminal.type(b"\x03")
        terminal.wait_for("1 open connection: ssh waits")
        assert terminal.process.is_alive()
    assert terminal.process.wait() == 0


def test_a_disconnect_leaves_no_mode_behind(bed):
    server, _, terminal = start(bed)
    terminal.wait_for("in all")
    for pid in serving(server.pid):
        os.kill(pid, signal.SIGKILL)
    assert terminal.process.wait() == 255
    terminal.read()
    assert termios.tcgetattr(terminal.leader) == terminal.before
    assert b"\x1b[?" not in terminal.seen  # no alternate screen, no hidden cursor


def test_forty_columns_and_a_new_size_are_kept(bed):
    _, port, terminal = start(bed, size=(24, 40))
    terminal.wait_for(r"0 open, 0 in all   sent 0 B\n +received 0 B")  # Screen fails at a line that wraps
    terminal.screen = Screen(24, 120)
    terminal.screen.lines, terminal.screen.row = [""] * 20, 19
    terminal.resize(24, 120)
    os.killpg(terminal.process.pid, signal.SIGWINCH)
    terminal.wait_for(r"127\.0\.0\.1:%d and \[::1\]:%d, this machine only\n  0 open, 0 in all   sent 0 B   received 0 B" % (port, port))


def test_nothing_is_sent_while_nothing_changes(bed):
    _, port, terminal = start(bed)
    assert ask(port) == b"hello"
    terminal.wait_for("0 open, 1 in all   sent 5 B   received 5 B\n")
    size, end = len(terminal.seen), time.monotonic() + 2.5

    def is_quiet_for_long():
        terminal.read()
        assert len(terminal.seen) == size
        return time.monotonic() > end

    until(is_quiet_for_long, "two ticks")


def test_a_dumb_terminal_gets_lines(bed):
    server, port = bed.aditd(PermitSession="no"), free_port()
    argv = ssh_words(bed, server, "-tt", "-R", "%d:127.0.0.1:9" % port, bed.login(server))
    terminal = Terminal(bed, argv, size=(24, 400), env={**bed.env, "TERM": "dumb"})
    terminal.wait_for(r"listening on .*:%d, this machine only; 0 open" % port)
    assert b"\x1b" not in terminal.seen


def test_without_a_terminal_lines_come_and_not_too_many(bed):
    server, port = bed.aditd(PermitSession="no"), free_port()
    words = ssh_words(bed, server, "-R", "%d:127.0.0.1:%d" % (port, bed.echo().port), bed.login(server))
    ssh = bed.run(words, stdin=subprocess.PIPE)
    wait_listen(ssh, port)
    until(lambda: b"listening on " in ssh.out, lambda: ssh.out)
    began = time.monotonic()
    with connect(port) as visitor:

        def push():
            there_and_back(visitor, b"y" * 1000)
            return ssh.out.count(b"1 open, 1 in all; sent ") >= 2

        until(push, lambda: ssh.out)
    lines = ssh.out.decode().splitlines()
    assert lines[0].startswith("This account has no shell") and b"\x1b" not in ssh.out and b"\r" not in ssh.out
    assert len(lines) <= 3 + (time.monotonic() - began) / 2
    sent = [size_of(found[1]) for found in re.finditer(r"1 open, 1 in all; sent (\S+ \w+);", ssh.out.decode())]
    assert sent == sorted(sent) and sent[0] < sent[-1]
    ssh.popen.stdin.close()
    assert ssh.wait() == 0


def test_a_socket_s_hostile_name_cannot_steer_the_terminal(bed):
    server = bed.aditd(PermitSession="no")
    path = str(bed.path("\x1b[2Jq\n.sock"))
    argv = ssh_words(bed, server, "-tt", "-R", path + ":127.0.0.1:9", bed.login(server))
    Terminal(bed, argv, size=(24, 200)).wait_for(r"\\033\[2Jq\\012\.sock")


def test_connections_from_the_user_s_side_are_on_the_page(bed):
    server, port = bed.aditd(PermitSession="no"), free_port()
    argv = ssh_words(bed, server, "-tt", "-L", "%d:127.0.0.1:%d" % (port, bed.echo().port), bed.login(server))
    terminal = Terminal(bed, argv)
    terminal.wait_for("no remote forwards")
    wait_listen(terminal.process, port)
    assert ask(port) == b"hello"
    terminal.wait_for(r"\(-L, -D\)\n  0 open, 1 in all   sent 5 B   received 5 B")


@pytest.mark.parametrize("words", [("uptime",), ("-s", "sftp")])
def test_a_command_gets_a_sentence_and_status_1(bed, words):
    server = bed.aditd(PermitSession="no")
    options, command = list(words[:-1]), words[-1]
    done = subprocess.run(
        ssh_words(bed, server, *options, bed.login(server), command),
        capture_output=True, text=True, timeout=30, env=bed.env, stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "no commands here" in done.stderr


def dbclient_words(bed, server, forward):
    key = str(bed.path("dropbear.key"))
    subprocess.run(["dropbearconvert", "openssh", "dropbear", bed.keys.user(), key], check=True, capture_output=True)
    return ["dbclient", "-y", "-y", "-t", "-i", key, "-p", str(server.port), "-R", forward, USER + "@127.0.0.1"]


def plink_words(bed, server, forward):
    key = str(bed.path("putty.ppk"))
    subprocess.run(["puttygen", bed.keys.user(), "-o", key, "-O", "private"], check=True, capture_output=True)
    print_ = subprocess.run(["ssh-keygen", "-lf", bed.keys.host() + ".pub"], capture_output=True, text=True).stdout.split()[1]
    words = ["plink", "-batch", "-ssh", "-t", "-i", key, "-hostkey", print_, "-P", str(server.port)]
    return words + ["-R", forward, USER + "@127.0.0.1"]


@pytest.mark.parametrize("name,words", [("dbclient", dbclient_words), ("plink", plink_words)])
def test_other_clients_see_it_move_too(bed, name, words):
    if not shutil.which(name):
        pytest.skip(name + " is not here")
    server, port = bed.aditd(PermitSession="no"), free_port()
    argv = words(bed, server, "%d:127.0.0.1:%d" % (port, bed.echo().port))
    terminal = Terminal(bed, argv, size=(24, 120))
    terminal.wait_for("Ctrl-C")
    wait_listen(terminal.process, port)
    assert ask(port) == b"hello"
    terminal.wait_for("0 open, 1 in all   sent 5 B   received 5 B")
    terminal.type(b"\x03")
    assert terminal.process.wait() == 0
