"""A person before adit, at a terminal: what is asked, what the answers do, and the terminal afterwards."""

import contextlib
import os
import pathlib
import signal
import subprocess
import termios

import pytest

from bed import ADIT, IS_ROOT, USER, children_of, connect, free_port, until
from login_help import Account, keygen, public
from terminal_help import Terminal

pytestmark = pytest.mark.short
# What runs there says when it is there, and ends when a line is typed.
COMMAND = "echo inside; read x; echo outside; exit 7"


def echoes(t):
    return bool(termios.tcgetattr(t.follower)[3] & termios.ECHO)


def answer(t, question, text, count=1):
    """A secret: what was typed before the echo is off is thrown away."""
    t.wait_for(question, count)
    until(lambda: not echoes(t), lambda: "the echo to go off; the terminal shows:\n" + t.text)
    t.type(text)


def visit(t):
    """The session begins, the terminal is raw meanwhile, and is as before with the command's status."""
    t.wait_for("inside")
    until(t.is_raw, "a raw terminal")
    t.type("\r")
    t.wait_for("outside")
    assert t.wait() == 7
    assert t.is_as_before()


class Person:
    def __init__(self, bed, server, key=None, user=USER, known=None):
        self.bed, self.server = bed, server
        self.known = pathlib.Path(bed.known_hosts(server) if known is None else bed.write("kh", known))
        self.words = [ADIT, "-F", "none", "-p", str(server.port), "-o", "GlobalKnownHostsFile=none"]
        self.words += ["-o", "UserKnownHostsFile=%s" % self.known, "-o", "NumberOfPasswordPrompts=2"]
        self.words += ["-o", "IdentitiesOnly=yes", "-i", key or bed.keys.user()]
        self.login = "%s@%s" % (user, server.address)
        self.env = {k: v for k, v in bed.env.items() if k not in ("DISPLAY", "SSH_ASKPASS", "WAYLAND_DISPLAY")}

    def begin(self, *options, command=COMMAND):
        return Terminal(self.bed, self.words + list(options) + ["-tt", self.login, command], env=self.env)


# ---- secrets ----


def with_password(bed):
    account = Account(bed, password="s3cret")
    server = bed.sshd(PasswordAuthentication="yes", KbdInteractiveAuthentication="no")
    return Person(bed, server, key="/nonexistent", user=account.name)


@pytest.mark.skipif(not IS_ROOT, reason="accounts and passwords are root's matter")
def test_a_password_and_a_wrong_one_before(bed):
    t = with_password(bed).begin()
    answer(t, "'s password: ", "wrong\n")
    t.wait_for("Permission denied, please try again.")
    answer(t, "'s password: ", "s3cret\n", count=2)
    visit(t)
    assert "s3cret" not in t.text and "wrong" not in t.text


def with_passphrase(bed):
    key = bed.path("locked")
    keygen("-t", "ed25519", "-N", "open sesame", "-f", key)
    server = bed.sshd(AuthorizedKeysFile=bed.write("authorized", public(key) + "\n"))
    return Person(bed, server, key=str(key))


def test_a_passphrase_and_a_wrong_one_before(bed):
    t = with_passphrase(bed).begin()
    answer(t, "Enter passphrase for key '[^']*locked': ", "wrong\n")
    answer(t, "Enter passphrase for key '[^']*locked': ", "open sesame\n", count=2)
    visit(t)
    assert "sesame" not in t.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_at_a_question_puts_the_terminal_back(bed, number):
    t = with_passphrase(bed).begin()
    t.wait_for("Enter passphrase")
    until(lambda: not echoes(t), "the echo to go off")
    if number == signal.SIGINT:
        t.type("half\x03")
    else:
        os.kill(t.popen.pid, number)
    assert t.wait() in (255, -number)
    assert t.is_as_before()


# ---- the server's key ----


def test_a_new_host_key_is_shown_asked_about_and_kept(bed):
    person = Person(bed, bed.sshd(), known="")
    shown = subprocess.run(["ssh-keygen", "-lf", bed.keys.host()], capture_output=True, text=True).stdout.split()[1]
    t = person.begin()
    t.wait_for(r"The authenticity of host '\[127.0.0.1\]:%d" % person.server.port)
    assert shown in t.text
    t.type_after(r"Are you sure you want to continue connecting \(yes/no/\[fingerprint\]\)\? ", "maybe\n")
    t.type_after("Please type 'yes', 'no' or the fingerprint: ", shown + "\n")
    visit(t)
    assert "Permanently added" in t.text
    assert bed.keys.public("host", "ed25519") in person.known.read_text()
    t = person.begin()
    visit(t)
    assert "authenticity" not in t.text


@pytest.mark.parametrize("typed", ["no\n", "\n", "\x04", "\x03"], ids=["no", "nothing", "end", "interrupt"])
def test_a_new_host_key_that_is_not_wanted(bed, typed):
    person = Person(bed, bed.sshd(), known="")
    t = person.begin()
    t.type_after("continue connecting", typed)
    assert t.wait() in (255, -signal.SIGINT)
    assert t.is_as_before()
    assert person.known.read_text() == ""
    if typed != "\x03":
        t.wait_for("Host key verification failed.")


def test_a_changed_host_key_is_shouted_about_and_nobody_is_asked(bed):
    server = bed.sshd()
    other = bed.path("other")
    keygen("-t", "ed25519", "-N", "", "-f", other)
    person = Person(bed, server, known="[127.0.0.1]:%d %s\n" % (server.port, public(other)))
    before = person.known.read_text()
    t = person.begin()
    assert t.wait() == 255
    t.wait_for("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!")
    t.wait_for("Offending .*%s:1" % person.known)
    t.wait_for("Host key verification failed.")
    assert "yes/no" not in t.text
    assert t.is_as_before()
    assert person.known.read_text() == before


# ---- while it runs ----


def test_a_forward_by_the_command_line_of_the_escapes(bed):
    port, target = free_port(), bed.echo().port
    t = Person(bed, bed.sshd()).begin("-o", "EnableEscapeCommandline=yes")
    t.wait_for("inside")
    until(t.is_raw, "a raw terminal")
    t.type("~C")
    t.type_after("> ", "-L %d:127.0.0.1:%d\r" % (port, target))
    t.wait_for("Forwarding port.")
    with connect(port) as s:
        s.sendall(b"through")
        assert s.recv(10) == b"through"
    t.type("~?")
    t.wait_for("Supported escape sequences:")
    visit(t)


def halt(bed, server):
    """Who serves the connection says and takes nothing more, but nothing is closed."""
    halted = [pid for child in children_of(server.pid) for pid in [child] + children_of(child)]
    assert halted

    def send(number):
        for pid in halted:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    bed.at_end(lambda: send(signal.SIGKILL))
    send(signal.SIGSTOP)
    return lambda: send(signal.SIGKILL)


def test_a_server_that_falls_silent_is_noticed(bed):
    server = bed.sshd()
    t = Person(bed, server).begin("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1")
    t.wait_for("inside")
    until(t.is_raw, "a raw terminal")
    halt(bed, server)
    t.wait_for("Timeout, server 127.0.0.1 not responding.")
    assert t.wait() == 255
    assert t.is_as_before()


@pytest.mark.parametrize("way", ["escape", "signal", "cut"])
def test_out_of_a_session_whose_server_is_silent(bed, way):
    server = bed.sshd()
    t = Person(bed, server).begin()
    t.wait_for("inside")
    until(t.is_raw, "a raw terminal")
    kill = halt(bed, server)
    if way == "escape":
        t.type("\r~.")
    elif way == "signal":
        os.kill(t.popen.pid, signal.SIGTERM)
    else:
        kill()
    assert t.wait() == 255
    assert t.is_as_before()
