"""Whom adit trusts: asked at the terminal, written down, and a changed key refused loudly."""

import os
import pty
import re
import select
import subprocess
import time

import pytest

from bed import ADIT, USER, ask, free_port, listening, until, wait_listen

pytestmark = pytest.mark.short
SERVERS = ["aditd", "sshd"]


class Terminal:
    """adit on a terminal of its own."""

    def __init__(self, bed, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, bed.env)
        self.text = ""
        bed.at_end(self.close)

    def read_until(self, pattern, within_s=20):
        end = time.monotonic() + within_s
        while not re.search(pattern, self.text):
            left = end - time.monotonic()
            assert left > 0, "waited for %r on the terminal; it shows:\n%s" % (pattern, self.text)
            if select.select([self.fd], [], [], min(left, 0.2))[0]:
                try:
                    piece = os.read(self.fd, 4096)
                except OSError:
                    piece = b""
                assert piece, "the terminal was closed before %r; it showed:\n%s" % (pattern, self.text)
                self.text += piece.decode("utf-8", "replace")

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.02)[0]:
                try:
                    self.text += os.read(self.fd, 4096).decode("utf-8", "replace")
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = None
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("adit did not end; the terminal shows:\n" + self.text)

    def close(self):
        if self.pid:
            os.kill(self.pid, 15)
            os.waitpid(self.pid, 0)
            self.pid = None
        os.close(self.fd)


def words(bed, server, known, *more):
    argv = [ADIT, "-F", "none", "-p", str(server.port), "-i", bed.keys.user(), "-o", "IdentitiesOnly=yes"]
    argv += ["-o", "UserKnownHostsFile=" + str(known), "-o", "GlobalKnownHostsFile=none", "-N"]
    return argv + list(more) + ["%s@127.0.0.1" % USER]


def quietly(bed, server, known, *more):
    argv = words(bed, server, known, "-o", "BatchMode=yes", *more)
    return bed.run(argv, name="adit")


@pytest.mark.parametrize("server", SERVERS)
def test_a_new_key_is_asked_about_accepted_and_written(bed, server):
    up, known, port, echo = bed.server(server), bed.path("known"), free_port(), bed.echo()
    forward = ("-L", "%d:127.0.0.1:%d" % (port, echo.port))
    terminal = Terminal(bed, words(bed, up, known, *forward))
    terminal.read_until(r"authenticity of host '\[127\.0\.0\.1\]:%d" % up.port)
    terminal.read_until(r"SHA256:\S+")
    terminal.read_until(r"\(yes/no/\[fingerprint\]\)\?")
    assert not known.exists()
    terminal.type("yes\n")
    until(lambda: listening(port), "the forward to be up")
    assert ask(port) == b"hello"
    text = known.read_text()
    assert text == "[127.0.0.1]:%d %s\n" % (up.port, bed.keys.public("host", "ed25519"))
    os.kill(terminal.pid, 15)
    terminal.wait()
    until(lambda: not listening(port), "adit to be gone")
    again = quietly(bed, up, known, *forward)
    wait_listen(again, port)
    assert known.read_text() == text


def test_no_is_no(bed):
    up, known = bed.aditd(), bed.path("known")
    terminal = Terminal(bed, words(bed, up, known))
    terminal.read_until(r"\(yes/no/\[fingerprint\]\)\?")
    terminal.type("no\n")
    assert terminal.wait() == 255
    assert "Host key verification failed" in terminal.text
    assert not known.exists()


def test_the_right_fingerprint_is_a_yes_and_a_wrong_one_is_not(bed):
    up, known, port = bed.aditd(), bed.path("known"), free_port()
    said = subprocess.run(["ssh-keygen", "-lf", bed.keys.host() + ".pub"], capture_output=True, text=True).stdout
    terminal = Terminal(bed, words(bed, up, known, "-L", "%d:127.0.0.1:1" % port))
    terminal.read_until(r"\(yes/no/\[fingerprint\]\)\?")
    terminal.type("SHA256:" + "A" * 43 + "\n")
    terminal.read_until("Please type")
    assert not known.exists()
    terminal.type(said.split()[1] + "\n")
    until(lambda: known.exists() and known.read_text(), "the key to be written")
    assert listening(port)


@pytest.mark.parametrize("server", SERVERS)
def test_a_changed_key_is_refused_loudly_whatever_the_options(bed, server):
    up = bed.server(server)
    other = bed.keys.public("user", "ed25519")  # any other key of the same kind
    known = bed.write("known", "[127.0.0.1]:%d %s\n" % (up.port, other))
    for strict in ("yes", "ask", "accept-new"):
        adit = quietly(bed, up, known, "-o", "StrictHostKeyChecking=" + strict)
        assert adit.wait() == 255
        assert "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!" in adit.err
        assert known + ":1" in adit.err and adit.err.count("Host key verification failed") == 1
    assert open(known).read() == "[127.0.0.1]:%d %s\n" % (up.port, other)


def test_a_revoked_key_is_refused_even_if_it_is_known(bed):
    up = bed.aditd()
    key = bed.keys.public("host", "ed25519")
    known = bed.write("known", "@revoked * %s\n[127.0.0.1]:%d %s\n" % (key, up.port, key))
    adit = quietly(bed, up, known)
    assert adit.wait() == 255
    assert "REVOKED" in adit.err


def test_a_hashed_name_is_found(bed):
    up, port = bed.aditd(), free_port()
    known = bed.known_hosts(up)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
    assert open(known).read().startswith("|1|")
    wait_listen(quietly(bed, up, known, "-L", "%d:127.0.0.1:1" % port), port)


def test_a_hashed_name_is_written_where_asked_for_and_openssh_finds_it(bed):
    up, known, port = bed.aditd(), bed.path("known"), free_port()
    adit = quietly(bed, up, known, "-o", "HashKnownHosts=yes", "-o", "StrictHostKeyChecking=accept-new", "-L", "%d:127.0.0.1:1" % port)
    wait_listen(adit, port)
    until(lambda: known.exists() and known.read_text(), "the key to be written")
    assert known.read_text().startswith("|1|")
    find = subprocess.run(["ssh-keygen", "-F", "[127.0.0.1]:%d" % up.port, "-f", str(known)], capture_output=True, text=True)
    assert find.returncode == 0 and bed.keys.public("host", "ed25519").split()[1] in find.stdout


def test_an_unknown_key_under_batchmode_is_refused_with_the_remedy(bed):
    adit = quietly(bed, bed.aditd(), bed.path("known"))
    assert adit.wait() == 255
    assert "Host key verification failed" in adit.err
    assert not bed.path("known").exists()


def test_a_file_without_a_final_newline_is_continued_on_a_line_of_its_own(bed):
    up, port = bed.aditd(), free_port()
    known = bed.write("known", "elsewhere " + bed.keys.public("user", "ed25519"))
    adit = quietly(bed, up, known, "-o", "StrictHostKeyChecking=no", "-L", "%d:127.0.0.1:1" % port)
    wait_listen(adit, port)
    lines = until(lambda: len(open(known).read().splitlines()) == 2 and open(known).read().splitlines(), "a second line")
    assert lines[1].startswith("[127.0.0.1]:%d " % up.port)


def test_the_known_kind_of_key_is_asked_for_first(bed):
    up, port = bed.sshd(host_kinds=("ed25519", "ecdsa256", "rsa3072")), free_port()
    known = bed.write("known", "[127.0.0.1]:%d %s\n" % (up.port, bed.keys.public("host", "rsa3072")))
    wait_listen(quietly(bed, up, known, "-L", "%d:127.0.0.1:1" % port), port)
